import type { StageName } from '@sevenfold/formats';

/** What a stage's thread is told when it is to begin: arguments of the call `begin`, in this order. */
export type StageBegin = readonly [
  stage: StageName,
  bundle: Uint8Array,
  ports: readonly string[],
  clockOffset: number,
];

/** Targets of a link that address the thread itself and no port or caller of the stage. */
export const CONTROL = '$thread';

/** What an endpoint that is handed to a thread is for: a port that its stage calls … */
export const portTarget = (port: string): string => `port:${port}`;
/** … or a caller that its stage answers. */
export const callerTarget = (caller: string): string => `caller:${caller}`;

/** Reads `portTarget` and `callerTarget`. */
export function readTarget(target: string): { readonly role: 'port' | 'caller'; readonly name: string } {
  const role = target.startsWith('port:') ? 'port' : 'caller';
  return { role, name: target.slice(role.length + 1) };
}
