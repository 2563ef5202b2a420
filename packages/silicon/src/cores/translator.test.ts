import { describe, expect, it } from 'vitest';
import type { Core } from './core.ts';
import { halves } from './testing/chip-with-core.ts';
import { CODE, coreWith } from './testing/core-with.ts';

const OPTIONS = { engine: 'jit' } as const;

/** Instructions that the interpreter executes in a run. */
function interpretedIn(core: Core, instructions: number): number {
  const before = core.interpreted;
  core.run(instructions);
  return core.interpreted - before;
}

describe('hot code', () => {
  it('is translated again where its translation was given up for something beside it', () => {
    // loop: adds r0, #1; cmp r0, r1; bne loop; adds r2, #1; b loop
    const core = coreWith(halves(0x3001, 0x4288, 0xd1fc, 0x3201, 0xe7fa), OPTIONS);
    core.setRegister(1, 1_000_000);
    core.run(2_000_000);
    // A debugger, or the program, writes to what follows the loop.
    core.load(CODE + 6, halves(0x3202));
    expect(interpretedIn(core, 100_000)).toBeLessThan(1000);
  });

  it('is translated again when there was too much of it to keep', () => {
    // 1500 times: movs r0, #100; subs r0, #1; bne .-2; b.w to the next. Then back to the first.
    const code: number[] = [];
    const count = 1500;
    for (let index = 0; index < count; index++) code.push(0x2064, 0x3801, 0xd1fd, 0xbf00, 0x4718, 0xbf00);
    const core = coreWith(halves(...code), OPTIONS);
    const round = (): number => {
      const before = core.interpreted;
      for (let index = 0; index < count; index++) {
        core.setRegister(15, CODE + 12 * index);
        core.run(201);
      }
      return core.interpreted - before;
    };
    round();
    expect(core.translations).toBeGreaterThan(1024);
    expect(round()).toBeLessThan(count * 100);
    expect(round()).toBeLessThan(count * 100);
  });

  it('is left to the interpreter where the program overwrites it again and again', () => {
    // outer: movs r0, #200; inner: subs r0, #1; bne inner; strh r3, [r2]; b outer. The store is to `movs` itself.
    const core = coreWith(halves(0x20c8, 0x3801, 0xd1fd, 0x8013, 0xe7fa), OPTIONS);
    core.setRegister(2, CODE);
    core.setRegister(3, 0x20c8);
    const rounds = 3000;
    core.run(403 * rounds);
    expect(core.register(15) - CODE).toBeLessThan(10);
    expect(core.translations).toBeLessThan(rounds / 4);
  });
});
