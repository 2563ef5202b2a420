import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Attack } from './testing/attack.ts';
import { runWithout } from './testing/run-without.ts';

const files = globSync('*.attack.ts', { cwd: import.meta.dirname }).toSorted();
const attacks = await Promise.all(
  files.map(async (file) => {
    const { attack } = (await import(join(import.meta.dirname, file))) as { attack: Attack };
    return [attack.name, attack, join(import.meta.dirname, file)] as const;
  }),
);

describe('the attack catalogue', () => {
  it('says of each attack what it stands for, what holds it, and how it was seen to succeed', () => {
    for (const file of files) {
      const head =
        /^\/\*\*\n(.*?)\*\//s.exec(readFileSync(join(import.meta.dirname, file), 'utf8'))?.[1] ?? '';
      for (const part of ['Stands for:', 'Held by:', 'Seen to succeed:'])
        expect(head, `${basename(file)} lacks “${part}”`).toContain(part);
    }
    expect(new Set(attacks.map(([name]) => name)).size).toBe(files.length);
  });

  it.each(attacks)('%s: is stopped', async (_name, attack) => {
    expect(await attack.run()).toBe(attack.stoppedBy);
  });

  it.each(attacks)('%s: succeeds once its defence is taken out', async (_name, attack, file) => {
    expect(attack.without.length).toBeGreaterThan(0);
    expect(await runWithout(file, attack.without)).toBe('succeeded');
  });
});
