import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileFlash, fileFuses } from '@sevenfold/silicon';
import { makeDevice, stage } from './device.fixture.ts';
import { APP_COMPONENT } from './release.fixture.ts';

/** A device in a process of its own that changes all it keeps, round after round, and says when a round is safe. */
const [, , folder = ''] = process.argv;
const device = makeDevice({
  flash: fileFlash(join(folder, 'flash')),
  fuses: fileFuses(join(folder, 'fuses')),
});
await device.board.powerOn();
for (let round = 0; ; round++) {
  const app = Uint8Array.from(readFileSync(join(folder, round % 2 === 0 ? 'even' : 'odd')));
  await device.call('commit', [await stage(device, app)], []);
  await device.call('mutableWrite', APP_COMPONENT, new Uint8Array(9000).fill(round));
  await device.call('recordAppend', new Uint8Array(600).fill(round));
  if (round > 3) {
    const [oldest] = (await device.call('recordList', 1)) as readonly { id: number }[];
    await device.call('recordRemove', [oldest?.id ?? 0]);
  }
  process.stdout.write(`${round}\n`);
}
