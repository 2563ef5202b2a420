// Runs random memory images on both engines and compares what they leave:
// `node image-sweep.ts [images] [first batch]`.
import { compareImages, IMAGES_OF_A_BATCH } from './play-images.ts';

const [most = 1_000_000, firstBatch = 0] = process.argv.slice(2).map(Number);
const batches = Math.ceil(most / IMAGES_OF_A_BATCH);
const total = { executed: 0, translated: 0, differences: 0, largest: 0 };
const ends = new Map<string, number>();
for (let batch = firstBatch; batch < firstBatch + batches; batch++) {
  // To translate whatever runs once takes twenty times as long as the rest: now and then.
  const { engines, differsAt } = compareImages(batch, batch % 32 === 0 ? 0 : 1 + (batch % 3));
  for (const { executed, interpreted, ends: mine } of engines) {
    total.executed += executed;
    total.translated += executed - interpreted;
    for (const [kind, count] of mine) ends.set(kind, (ends.get(kind) ?? 0) + count);
  }
  if (differsAt >= 0) {
    total.differences += 1;
    process.stderr.write(`the engines differ after image ${differsAt}, batch ${batch}\n`);
  }
  total.largest = Math.max(total.largest, process.memoryUsage().rss);
  if (batch % 100 === 99) process.stderr.write(`${(batch + 1 - firstBatch) * IMAGES_OF_A_BATCH} images\n`);
}
process.stdout.write(
  `${batches * IMAGES_OF_A_BATCH} images on both engines: ${total.executed} instructions, ${total.translated} of them ` +
    `translated; ${total.differences} batches differ; at most ${Math.round(total.largest / 1e6)} MB\n`,
);
for (const [kind, count] of [...ends].sort(([a], [b]) => a.localeCompare(b)))
  process.stdout.write(`${String(count).padStart(9)}  ${kind}\n`);
