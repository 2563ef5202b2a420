import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Journal } from './journal.ts';

describe('the journal of acknowledged facts', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'journal-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('finds after a restart what was acknowledged before it, once each', () => {
    const path = join(folder, 'journal.jsonl');
    const journal = new Journal(path);
    journal.acknowledge({ kind: 'device', id: 'a', within: 't' });
    journal.acknowledge({ kind: 'device', id: 'a', within: 't' });
    journal.acknowledge({ kind: 'image', id: 'b' });
    expect(new Journal(path).entries()).toEqual([
      { kind: 'device', id: 'a', within: 't' },
      { kind: 'image', id: 'b' },
    ]);
  });

  it('passes over a line that a power cut tore, and loses nothing written after it', () => {
    const path = join(folder, 'journal.jsonl');
    new Journal(path).acknowledge({ kind: 'tenant', id: 't' });
    appendFileSync(path, '\n{"kind":"devi');
    new Journal(path).acknowledge({ kind: 'image', id: 'b' });
    expect(new Journal(path).entries().map((entry) => entry.id)).toEqual(['t', 'b']);
  });
});
