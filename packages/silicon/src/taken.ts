/** What Node gave, as bytes of our own: it may be secret, and nothing of it stays where it was. */
export function taken(given: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(given);
  given.fill(0);
  return bytes;
}
