/** The service alone, as `sevenfold service run` has it, on a data folder. */
import { startService } from '@sevenfold/service';

const [, , dataDir] = process.argv;
if (dataDir === undefined) throw new Error('which data folder?');
const service = await startService({
  dataDir,
  // What one process can do is to be seen, not what it lets in.
  limits: { attestations: { perSecond: 1_000_000 } },
});
process.once('SIGTERM', () => void service.close());
