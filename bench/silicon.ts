import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Figure } from './figure.ts';
import { measureBoot } from './silicon/boot.ts';
import { measureMailbox } from './silicon/mailbox.ts';
import { measurePowerCuts } from './silicon/power-cuts.ts';
import { measureVerify } from './silicon/verify.ts';

/** The trusted base: to boot, to keep in memory, to verify, to call, and to cut the power of. */
export async function measureSilicon(): Promise<readonly Figure[]> {
  const scratch = mkdtempSync(join(tmpdir(), 'sevenfold-bench-'));
  const figures: Figure[] = [];
  try {
    progress('booting devices beside empty Nodes');
    figures.push(...(await measureBoot(scratch)));
    progress('verifying');
    figures.push(...(await measureVerify()));
    progress('calling');
    figures.push(await measureMailbox());
    progress('cutting the power');
    figures.push(await measurePowerCuts());
    return figures;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function progress(text: string): void {
  process.stderr.write(`${text} …\n`);
}
