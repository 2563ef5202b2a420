import { SevenfoldError } from '@sevenfold/formats';
import { printable } from './printable.ts';

/** What the command line itself refuses; everything else keeps the code of whoever refused it. */
export type CliErrorCode =
  /** No profile: nobody enrolled from here yet. */
  | 'NotEnrolled'
  /** The profile is there but not as this program writes it. */
  | 'BadProfile'
  /** A name matches nothing, or more than one thing. */
  | 'NotFound'
  | 'Ambiguous'
  /** A flag's value is not what the flag takes. */
  | 'BadValue'
  /** A file cannot be read or written. */
  | 'FileError'
  /** A step of the story did not prove what it has to. */
  | 'NotProved';

export class CliError extends SevenfoldError<CliErrorCode> {}

/** Things to try, by the code of what went wrong. */
const HINTS: Readonly<Record<string, string>> = {
  NotEnrolled:
    'Start the platform with `npm start`, or enrol with `sevenfold login --service URL --token TOKEN --root FILE`.',
  Unreachable: 'Is the service up? `npm start` brings it up on this machine.',
  TokenExpired: 'Ask an Administrator for a new one: `sevenfold access invite`.',
  Forbidden: 'Your role does not allow this: `sevenfold access me` shows it.',
};

/** One clear error for a person: what, where, and what to try. */
export function describeError(error: unknown): string {
  if (!(error instanceof SevenfoldError)) return error instanceof Error ? error.message : String(error);
  // Our own messages may have several lines; those of others may hold whatever somebody sent them.
  const show = error instanceof CliError ? (text: string): string => text : printable;
  const where = [
    error.field && `field: ${show(error.field)}`,
    error.rule && `rule: ${show(error.rule)}`,
  ].filter(Boolean);
  const hint = HINTS[error.code];
  return [
    `${show(error.message)} (${show(error.code)}${where.length > 0 ? `; ${where.join('; ')}` : ''})`,
    ...(hint === undefined ? [] : [hint]),
  ].join('\n');
}
