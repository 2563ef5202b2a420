/** The service alone, as `sevenfold service run` has it, on a data folder. */
import { startService } from '@sevenfold/service';

const [, , dataDir] = process.argv;
if (dataDir === undefined) throw new Error('which data folder?');
/** For whoever measures, ms. */
const PATIENCE_MILLISECONDS = 600_000;

const service = await startService({
  dataDir,
  // What one process can do is to be seen, not what it lets in.
  limits: {
    attestations: { perSecond: 1_000_000 },
    // Connections idle while the requests to come are signed: that takes long on a busy machine.
    keepAliveTimeout: PATIENCE_MILLISECONDS,
    connectionTimeout: PATIENCE_MILLISECONDS,
  },
});
process.once('SIGTERM', () => void service.close());
