import { describe, expect, it } from 'vitest';
import { memoryState } from './memory-state.ts';

const buffer = Uint8Array.from({ length: 4096 }, (_, index) => index & 0xff).buffer;
const at = (value: unknown): object => ({ value });

describe('what is told of an app’s memory', () => {
  it('is its stack from the pointer on, 2 KiB at most, and where its heap begins', () => {
    const exports = { __stack_pointer: at(16), __heap_base: at(2048) };
    const state = memoryState(exports, buffer);
    expect(state).toMatchObject({ stackPointer: 16, heapStart: 2048, size: 4096 });
    expect(state['stack']).toEqual(new Uint8Array(buffer, 16, 2048));
    // At the end of memory there is no more.
    expect(memoryState({ __stack_pointer: at(4094) }, buffer)['stack']).toEqual(Uint8Array.of(0xfe, 0xff));
  });

  it('is nothing where the module exports something else under those names', () => {
    const lies = [
      {},
      { __stack_pointer: () => 1 },
      { __stack_pointer: at(5n) },
      { __stack_pointer: at('5') },
    ];
    for (const exports of lies) {
      expect(memoryState(exports, buffer)).toMatchObject({ stackPointer: null, heapStart: null });
    }
    // Signed or beyond the end: no bytes, and no error.
    expect(memoryState({ __stack_pointer: at(-1) }, buffer)).toMatchObject({
      stackPointer: 0xffff_ffff,
      stack: new Uint8Array(0),
    });
  });
});
