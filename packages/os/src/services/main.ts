import type { StageHandle } from '@sevenfold/formats';
import { describeError } from './errors.ts';
import { serveGateway } from './gateway.ts';
import { kernelOver } from './kernel.ts';
import { createMainLoop } from './main-loop.ts';
import { openServices, queueBootReport } from './round.ts';

/** Starts the OS services: resolves when the gateway answers; the first round follows at once. */
export async function start(handle: StageHandle): Promise<void> {
  const port = handle.ports['kernel'];
  if (port === undefined) throw new Error('The services stage needs the kernel port.');
  const log = (line: string): void => handle.log(line);
  const context = await openServices(kernelOver(port), handle.clock, log);
  const loop = createMainLoop(context);
  handle.serve(serveGateway(context, loop));
  await queueBootReport(context);
  loop.run().catch((error: unknown) => {
    // Only a kernel that no longer answers ends the loop: the watchdog takes care of it.
    log(`stopped: ${describeError(error)}`);
  });
}
