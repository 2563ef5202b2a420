/** Random bytes from a seed (xorshift32), the same in every run. */
export function randomBits(seed: number): (length: number) => Uint8Array {
  let state = (seed * 0x9e3779b9) >>> 0 || 1;
  return (length) =>
    new Uint8Array(length).map(() => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return state >>> 24;
    });
}
