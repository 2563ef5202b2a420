import type { StageHandle } from '@sevenfold/formats';
import { describeError } from './errors.ts';
import { serveGateway } from './gateway.ts';
import { kernelOver } from './kernel.ts';
import { createMainLoop } from './main-loop.ts';
import { confirmByRule, openServices, queueBootReport, restoreCredentials } from './round.ts';

/** Ms between the end of the main loop and the restart that is its only cure. */
const RESTART_AFTER = 60_000;

/** Starts the OS services: resolves when the gateway answers; the first round follows at once. */
export async function start(handle: StageHandle): Promise<void> {
  const port = handle.ports['kernel'];
  if (port === undefined) throw new Error('The services stage needs the kernel port.');
  const log = (line: string): void => handle.log(line);
  const context = await openServices(kernelOver(port), handle.clock, log);
  const loop = createMainLoop(context);
  handle.serve(serveGateway(context, loop));
  await queueBootReport(context);
  await restoreCredentials(context);
  confirmByRule(context).catch((error: unknown) => log(`not confirmed: ${describeError(error)}`));
  loop.run().catch(async (error: unknown) => {
    // Only layers below that no longer answer end the loop. Without it nothing is updated any more: begin again.
    log(`stopped: ${describeError(error)}`);
    await handle.clock.sleep(RESTART_AFTER);
    // If that is refused as well, the layers below are about to be reset by the watchdog.
    await context.kernel.restart().catch(() => {});
  });
}
