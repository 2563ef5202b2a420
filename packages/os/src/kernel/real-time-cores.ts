import {
  INTERRUPT_LINES,
  isBytes,
  MAILBOX_REGIONS,
  MAILBOX_REGISTERS,
  registerAddress,
  type Clock,
  type Port,
  type PortValue,
} from '@sevenfold/formats';
import type { RealTimeApplication } from './application-image.ts';
import type { ApplicationEnd } from './compartments.ts';
import { numberOf, operation, type DriverBus } from './drivers/bus.ts';
import { KernelError } from './errors.ts';
import type { InterCore } from './inter-core/inter-core.ts';
import { describeFailure } from './core-failure.ts';

/** One run of an app on a real-time core. */
export interface CoreRun {
  readonly application: RealTimeApplication;
  readonly core: number;
  /** Monotonic ms. */
  readonly startedAt: number;
}

/** What the real-time cores are reached over. */
export interface RealTimeHost {
  readonly monitor: Port;
  readonly bus: DriverBus;
  readonly clock: Clock;
  readonly interCore: InterCore;
}

/** Real-time apps while they run: the monitor starts and stops them, the core's mailbox tells what becomes of them. */
export class RealTimeCores {
  readonly #host: RealTimeHost;
  readonly #runs = new Map<number, CoreRun>();

  constructor(host: RealTimeHost) {
    this.#host = host;
  }

  /** Rejects with what the monitor refuses it for, `NoCoreAvailable` among that. */
  async start(application: RealTimeApplication): Promise<CoreRun> {
    const { clock, interCore } = this.#host;
    const { core } = await this.#ask(application, 'start');
    const run: CoreRun = { application, core: Number(core), startedAt: clock.monotonic() };
    this.#runs.set(run.core, run);
    await interCore.started(application.componentId, run.core);
    return run;
  }

  async stop(run: CoreRun): Promise<void> {
    this.#runs.delete(run.core);
    this.#host.interCore.stopped(run.application.componentId);
    await this.#ask(run.application, 'stop');
  }

  /** Comes round after interrupts: gives the runs that have failed, and how. */
  async interrupted(
    lines: readonly number[],
  ): Promise<readonly { readonly run: CoreRun; readonly end: ApplicationEnd }[]> {
    const failed: { run: CoreRun; end: ApplicationEnd }[] = [];
    for (const [core, region] of MAILBOX_REGIONS.entries()) {
      if (!lines.includes(INTERRUPT_LINES.mailbox + core)) continue;
      await this.#host.interCore.signalled(core);
      const run = this.#runs.get(core);
      // It may have failed before the monitor's answer to its start came here: then this is told again.
      if (run === undefined) continue;
      const event = registerAddress(region, MAILBOX_REGISTERS.CORE_EVENT);
      const [happened] = await this.#host.bus.run([operation.read(event), operation.write(event, 1)]);
      if (numberOf(happened) === 0) continue;
      const { failure } = await this.#ask(run.application, 'status');
      if (failure === null || failure === undefined || this.#runs.get(core) !== run) continue;
      this.#runs.delete(core);
      failed.push({ run, end: describeFailure(failure) });
    }
    return failed;
  }

  async #ask(
    { componentId }: RealTimeApplication,
    action: 'start' | 'stop' | 'status',
  ): Promise<{ readonly [key: string]: PortValue }> {
    const status = await this.#host.monitor.call('realTimeApp', componentId, action);
    if (typeof status !== 'object' || status === null || Array.isArray(status) || isBytes(status))
      throw new KernelError('BadReply', 'The monitor gave no status of the core.');
    // A record of a port: what is neither null, an array nor bytes.
    return status as { readonly [key: string]: PortValue };
  }
}
