import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { startApp } from 'sevenfold/test';

test('tells what it uses, remembers the most, and is not ended by its watchdog', async () => {
  await using app = await startApp({ folder: join(import.meta.dirname, '..') });
  await app.log.waitFor(/^on \d+\.\d+\.\d+$/);
  await app.clock.advance(240_000);
  const numbers = app.log.lines.flatMap((line) => {
    const [, used, total, peak] = /^minute \d+: (\d+) KiB of (\d+), at most (\d+)$/.exec(line) ?? [];
    return used === undefined ? [] : [[Number(used), Number(total), Number(peak)] as const];
  });
  const [before, during, after] = numbers;
  assert.ok(before !== undefined && during !== undefined && after !== undefined, app.log.lines.join('\n'));
  assert.ok(during[0] >= before[0] + 64, 'what it took is counted');
  assert.ok(after[2] >= during[0], 'the peak stays');
  assert.ok(before[1] >= before[0] && before[1] <= 256, 'within the quota');
  assert.equal((await app.state()).restarts, 0);
});
