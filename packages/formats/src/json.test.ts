import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isJsonObject, type JsonValue, parseJson } from './json.ts';
import { codeOf } from './testing/strictness.ts';
import { utf8Encode } from './utf8.ts';

const parse = (text: string): JsonValue => parseJson(utf8Encode(text));
const toPlain = (value: JsonValue): unknown => {
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map(toPlain);
  return isJsonObject(value)
    ? Object.fromEntries([...value].map(([key, item]) => [key, toPlain(item)]))
    : value;
};

describe('JSON', () => {
  it('understands every document as the language does', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 8 }), fc.constantFrom(0, 2), (text, indent) => {
        const value: unknown = JSON.parse(text);
        expect(toPlain(parse(JSON.stringify(value, null, indent)))).toEqual(value);
      }),
      { seed: 13, numRuns: 500 },
    );
  });

  it('reads escapes, brackets inside texts and a byte order mark', () => {
    expect(toPlain(parse('\uFEFF {"a\\"]": "{\\\\", "\\u00e9" : [ ] , "b":[1e2,-0.5,true,null]}'))).toEqual({
      'a"]': '{\\',
      é: [],
      b: [100, -0.5, true, null],
    });
  });

  it('keeps names that mean something to the language as plain names', () => {
    const value = parse('{"__proto__": {"admin": true}, "constructor": 1}');
    expect(isJsonObject(value) && [...value.keys()]).toEqual(['__proto__', 'constructor']);
  });

  it.each([
    ['a name twice', '{"a":1,"a":2}', 'DuplicateJsonKey'],
    ['a name twice, spelled differently', '{"a":1,"\\u0061":2}', 'DuplicateJsonKey'],
    ['a name twice further down', '{"x":[{"a":1,"a":2}]}', 'DuplicateJsonKey'],
    ['a trailing comma', '[1,]', 'InvalidJson'],
    ['a comment', '{} // x', 'InvalidJson'],
    ['single quotes', "{'a':1}", 'InvalidJson'],
    ['two documents', '{}{}', 'InvalidJson'],
    ['nothing', '', 'InvalidJson'],
    ['NaN', 'NaN', 'InvalidJson'],
    ['too deep a nesting', `${'['.repeat(20)}${']'.repeat(20)}`, 'JsonTooDeep'],
    ['a nesting that would use up a stack', `${'['.repeat(30_000)}${']'.repeat(30_000)}`, 'JsonTooDeep'],
    ['more than it may have', ' '.repeat(70_000), 'JsonTooLarge'],
  ])('refuses %s', (_what, text, code) => {
    expect(codeOf(() => parse(text))).toBe(code);
  });

  it('refuses what is no UTF-8', () => {
    expect(codeOf(() => parseJson(Uint8Array.of(0x22, 0xff, 0x22)))).toBe('InvalidJson');
  });
});
