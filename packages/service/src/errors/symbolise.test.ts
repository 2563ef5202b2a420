import { describe, expect, it } from 'vitest';

import { frameText, symboliseFrames } from './symbolise.ts';

const symbols = {
  functions: [
    { index: 9, name: 'store_sample' },
    { index: 61, name: '__main_void' },
  ],
  lines: [
    { offset: 0x3a0, file: 'main.c', line: 88, function: 'store_sample' },
    { offset: 0x3c0, file: '', line: 0, function: '' },
  ],
};

describe('the frames of a report', () => {
  it('get function, file and line where the symbols know them, else the function’s name, else its number', () => {
    const frames = symboliseFrames(
      [
        { function: 9, offset: 0x3af },
        { function: 61, offset: 0x26dd },
        { function: 70, offset: 0x2fff },
      ],
      symbols,
    );
    expect(frames.map(frameText)).toEqual(['store_sample (main.c:88)', '__main_void', 'wasm-function[70]']);
  });

  it('keep number and offset where there are no symbols', () => {
    expect(symboliseFrames([{ function: 9, offset: 0x3af }], null)).toEqual([
      { function: 'wasm-function[9]', offset: 0x3af, file: null, line: null },
    ]);
  });
});
