import { globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

/** What a host adds to the language: none of it exists in the realm of a stage bundle. */
const HOST_GLOBALS =
  /\b(?:TextEncoder|TextDecoder|Buffer|process|atob|btoa|URL|console|crypto|performance|setTimeout|setInterval|queueMicrotask|structuredClone|fetch|require|WebAssembly)\b/;

const sources = globSync('**/*.ts', { cwd: import.meta.dirname }).filter(
  (path) => !path.endsWith('.test.ts') && !path.startsWith('testing'),
);

describe('code that also runs inside stage bundles', () => {
  it('uses the built-ins of the language only', () => {
    expect(sources.length).toBeGreaterThan(25);
    const found = sources.filter((path) => {
      const text = readFileSync(`${import.meta.dirname}/${path}`, 'utf8');
      const code = text
        .replaceAll(/\/\*[\s\S]*?\*\//g, '')
        .replaceAll(/^\s*\/\/.*$|\s\/\/ .*$/gm, '')
        .replaceAll(/'(?:[^'\\\n]|\\.)*'/g, "''");
      return HOST_GLOBALS.test(code) || /from 'node:/.test(text);
    });
    expect(found).toEqual([]);
  });
});
