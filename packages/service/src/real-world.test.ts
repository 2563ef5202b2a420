import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLogFile } from './real-world.ts';

describe('the log file', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'sevenfold-log-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('cannot be made to fill the disk while the service runs: two files of a size, the newest lines', () => {
    const file = path.join(folder, 'service.log');
    const log = openLogFile(file, 1000);
    for (let number = 0; number < 500; number++) log.write(`line ${number}\n`);
    log.close();
    log.write('after the end\n');
    expect(readdirSync(folder).sort()).toEqual(['service.log', 'service.log.1']);
    for (const name of readdirSync(folder)) {
      const { mode, size } = statSync(path.join(folder, name));
      expect([mode & 0o777, size < 1100]).toEqual([0o600, true]);
    }
    const lines = (readFileSync(`${file}.1`, 'utf8') + readFileSync(file, 'utf8')).trimEnd().split('\n');
    expect(lines.at(-1)).toBe('line 499');
    expect(lines).toEqual(lines.map((_, index) => `line ${500 - lines.length + index}`));
  });

  it('goes on where an earlier start ended', () => {
    const file = path.join(folder, 'service.log');
    for (const line of ['one\n', 'two\n']) {
      const log = openLogFile(file, 1000);
      log.write(line);
      log.close();
    }
    expect(readFileSync(file, 'utf8')).toBe('one\ntwo\n');
  });
});
