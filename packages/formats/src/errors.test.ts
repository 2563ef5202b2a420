import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { FormatError, toProblem } from './errors.ts';

describe('problems', () => {
  it('carries code, sentence, field and rule', () => {
    const error = new FormatError('TooMany', 'images has 65 items.', { field: 'images', rule: 'at most 64' });
    expect(toProblem(error)).toEqual({
      code: 'TooMany',
      message: 'images has 65 items.',
      field: 'images',
      rule: 'at most 64',
    });
    expect(error.name).toBe('FormatError');
  });

  it('understands errors that crossed a realm', () => {
    const foreign: unknown = runInNewContext(`Object.assign(new Error('no'), { code: 'BadGuid' })`);
    expect(toProblem(foreign)).toEqual({ code: 'BadGuid', message: 'no' });
  });

  it('tells nobody what an unexpected error says', () => {
    const host = Object.assign(new Error('open /secret/key.pem'), { code: 'ENOENT' });
    for (const error of [host, new TypeError('x is secret'), 'text', null, { code: 7, message: 'm' }]) {
      expect(toProblem(error)).toEqual({
        code: 'Internal',
        message: 'An unexpected internal error occurred.',
      });
    }
  });
});
