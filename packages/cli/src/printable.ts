/**
 * Text that came from elsewhere – a device, an image, the service – fit for a terminal: control characters could make it
 * say anything, line ends could add rows of their own, and marks of direction could turn it around.
 */
export function printable(untrusted: string): string {
  return untrusted.replaceAll(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, '\uFFFD');
}

/** A value as JSON for people and programs: what JSON itself leaves of the control characters is escaped, too. */
export function printableJson(value: unknown): string {
  const escape = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(value, null, 2).replaceAll(
    /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    escape,
  );
}
