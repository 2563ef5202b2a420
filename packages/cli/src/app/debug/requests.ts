import { CliError } from '../../errors.ts';

type Untrusted = Readonly<Record<string, unknown>>;

const MOST = 10_000;
const LONGEST = 4096;

const wrong = (name: string, rule: string): CliError =>
  new CliError('BadValue', `The editor's ${name} will not do.`, { field: name, rule });

const isRecord = (value: unknown): value is Untrusted =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A text of a request. Throws `BadValue`, as all of these. */
export function textOf(from: Untrusted, name: string): string {
  const value = from[name];
  if (typeof value !== 'string' || value.length > LONGEST)
    throw wrong(name, `a text of at most ${LONGEST} characters`);
  return value;
}

/** A whole number of a request, from 0. */
export function numberOf(from: Untrusted, name: string): number {
  const value = from[name];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw wrong(name, 'a whole number');
  return value;
}

/** A flag of a request; absent: false. */
export function booleanOf(from: Untrusted, name: string): boolean {
  return from[name] === true;
}

/** An object in a request; absent: an empty one. */
export function recordOf(from: Untrusted, name: string): Untrusted {
  const value = from[name] ?? {};
  if (!isRecord(value)) throw wrong(name, 'an object');
  return value;
}

/** Objects in a list of a request; absent: none. */
export function listOf(from: Untrusted, name: string): readonly Untrusted[] {
  const value = from[name] ?? [];
  if (!Array.isArray(value) || value.length > MOST || !value.every(isRecord))
    throw wrong(name, `at most ${MOST} objects`);
  return value;
}
