import { describe, expect, it } from 'vitest';
import { ApiError } from '@sevenfold/api';
import { describeError } from './errors.ts';
import { printableJson } from './printable.ts';
import { formatProperties, formatTable } from './table.ts';

/** Clears the screen, sets the title, moves back, adds a row, turns the text around. */
const HOSTILE = 'lamp\u001b[2J\u001b]0;gone\u0007\b\r\nINSERTED\u009b31m\u202e';
// oxlint-disable-next-line no-control-regex -- these are what must not come through
const DANGEROUS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/;

describe('text of a hostile device on a terminal', () => {
  it('stays in its cell of a table', () => {
    const text = formatTable([HOSTILE], [{ heading: 'NAME', value: (name) => name }], 'none');
    expect(text).not.toMatch(DANGEROUS);
    expect(text.trimEnd().split('\n')).toHaveLength(2);
  });

  it('stays in its line of a list of properties', () => {
    const text = formatProperties([['why', [HOSTILE, 'plain']]]);
    expect(text).not.toMatch(DANGEROUS);
    expect(text.trimEnd().split('\n')).toHaveLength(2);
  });

  it('stays inside of a message of refusal', () => {
    const error = new ApiError({
      type: 'x',
      title: 'x',
      status: 400,
      code: 'NotFound',
      detail: HOSTILE,
      field: HOSTILE,
      rule: HOSTILE,
    });
    expect(describeError(error)).not.toMatch(DANGEROUS);
    expect(describeError(error).split('\n')).toHaveLength(1);
  });

  it('is the same value in JSON, and still harmless to look at', () => {
    const json = printableJson({ name: HOSTILE });
    expect(json).not.toMatch(DANGEROUS);
    expect(JSON.parse(json)).toEqual({ name: HOSTILE });
  });
});
