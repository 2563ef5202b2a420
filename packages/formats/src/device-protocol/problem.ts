import { decodeCbor, encodeCbor } from '../cbor.ts';
import { cborMap, CborMapReader } from '../cbor-reader.ts';
import type { Problem } from '../errors.ts';
import { DEVICE_LIMITS } from './endpoints.ts';

/** Body of every refusal of the device port: concise problem details (RFC 9290). */
export type DeviceProblem = Problem;

/** Title (-1) carries our code, detail (-2) the sentence; field and rule are a custom entry of our own. */
const PROBLEM_KEYS = { code: -1, message: -2, place: 'urn:sevenfold:place' } as const;
const PLACE_KEYS = { field: 1, rule: 2 } as const;

export function encodeDeviceProblem(problem: DeviceProblem): Uint8Array<ArrayBuffer> {
  const hasPlace = problem.field !== undefined || problem.rule !== undefined;
  return encodeCbor(
    cborMap(PROBLEM_KEYS, {
      code: problem.code,
      message: problem.message,
      place: hasPlace ? cborMap(PLACE_KEYS, { field: problem.field, rule: problem.rule }) : undefined,
    }),
  );
}

export function decodeDeviceProblem(untrusted: Uint8Array): DeviceProblem {
  const reader = new CborMapReader(
    decodeCbor(untrusted, { maxBytes: DEVICE_LIMITS.problem, maxDepth: 2 }),
    PROBLEM_KEYS,
  );
  const place = reader.optional('place', () => reader.map('place', PLACE_KEYS));
  const field = place?.optional('field', () => place.text('field', 512));
  const rule = place?.optional('rule', () => place.text('rule', 1024));
  place?.end();
  const problem: DeviceProblem = {
    code: reader.text('code', 64),
    message: reader.text('message', 2048),
    ...(field === undefined ? {} : { field }),
    ...(rule === undefined ? {} : { rule }),
  };
  reader.end();
  return problem;
}
