import { isJsonObject, parseJson } from '@sevenfold/formats';
import { SdkError } from '../errors.ts';

/** What a real-time app's `realtime.json` chooses. */
export interface RealTimeSettings {
  /** Where code lies: in the core's own TCM, or in flash, executed in place. */
  readonly memory: 'tcm' | 'flash';
  /** Folder of a FreeRTOS kernel to build in; null: none. */
  readonly freertos: string | null;
}

export const SETTINGS_FILE = 'realtime.json';
const FIELDS: readonly string[] = ['memory', 'freertos'];

function refuse(field: string, rule: string): never {
  throw new SdkError('ProjectIncomplete', `${field} of ${SETTINGS_FILE} is not right.`, { field, rule });
}

/** Reads `realtime.json`; null: there is none. Throws `ProjectIncomplete`, or `FormatError` where it is no JSON. */
export function parseSettings(untrusted: Uint8Array | null): RealTimeSettings {
  if (untrusted === null) return { memory: 'tcm', freertos: null };
  const json = parseJson(untrusted, { name: SETTINGS_FILE });
  if (!isJsonObject(json)) return refuse(SETTINGS_FILE, 'an object');
  for (const name of json.keys()) if (!FIELDS.includes(name)) refuse(name, FIELDS.join(' or '));
  const memory = json.get('memory') ?? 'tcm';
  const freertos = json.get('freertos') ?? null;
  if (memory !== 'tcm' && memory !== 'flash') return refuse('memory', '"tcm" or "flash"');
  if (freertos !== null && (typeof freertos !== 'string' || freertos === ''))
    return refuse('freertos', 'the path of a folder');
  return { memory, freertos };
}
