import {
  isBytes,
  parseImagePackage,
  toProblem,
  type Clock,
  type Port,
  type PortValue,
} from '@sevenfold/formats';
import {
  readApplication,
  type Application,
  type HighLevelApplication,
  type RealTimeApplication,
} from './application-image.ts';
import { Compartment, type ApplicationEnd } from './compartments.ts';
import { requireUnclaimed } from './claims.ts';
import type { Connections } from './connections.ts';
import { KernelError } from './errors.ts';
import type { Death, FailureLog } from './failures.ts';
import type { Http2Exchanges } from './http2.ts';
import type { InterCore } from './inter-core/inter-core.ts';
import type { CoreRun, RealTimeCores } from './real-time-cores.ts';
import type { Sockets } from './sockets.ts';
import type { SystemEvents } from './system-events.ts';
import type { Drivers } from './drivers/drivers.ts';
import { deathsInARow, restartDelay } from './restart-policy.ts';
import type { ModuleLimits } from './wasm-module.ts';

/** What the applications run on. */
export interface ApplicationHost {
  readonly monitor: Port;
  readonly hardware: Port;
  readonly clock: Clock;
  readonly log: (line: string) => void;
  readonly drivers: Drivers;
  readonly connections: Connections;
  readonly exchanges: Http2Exchanges;
  readonly sockets: Sockets;
  readonly systemEvents: SystemEvents;
  readonly cores: RealTimeCores;
  readonly interCore: InterCore;
  readonly failures: FailureLog;
  /** The program that runs beside every module. */
  readonly program: Uint8Array;
  readonly limits: ModuleLimits;
  readonly osVersion: string;
}

/** `SIGTERM`, and ms between it and the end of the thread (azure-sphere.md §4.6). */
const SIGTERM = 15;
const GRACE = 500;
/** Ms between looks at a watched app that a debugger holds. */
const HELD_PERIOD = 100;

interface Entry {
  readonly componentId: string;
  application: Application | null;
  /** Where it runs. */
  compartment: Compartment | null;
  core: CoreRun | null;
  state: 'running' | 'backoff' | 'stopped';
  restarts: number;
  deathsInARow: number;
  /** Rises whenever it is installed or removed: what was planned for an earlier one is void then. */
  generation: number;
}

/** Every installed app: starts it, restarts it when it dies, ends it. */
export class Applications {
  readonly #host: ApplicationHost;
  readonly #entries = new Map<string, Entry>();
  readonly #live = new Map<number, Compartment>();
  #nextId = 1;
  #work: Promise<unknown> = Promise.resolve();

  constructor(host: ApplicationHost) {
    this.#host = host;
  }

  /** The compartment of a caller such as `compartment:7`; null when it has been ended. */
  find(caller: string): Compartment | null {
    const [, id] = /^compartment:(\d{1,15})$/.exec(caller) ?? [];
    return id === undefined ? null : (this.#live.get(Number(id)) ?? null);
  }

  /** Whether the kernel looks after an app already. */
  knows(componentId: string): boolean {
    return this.#entries.has(componentId);
  }

  /** (Re)starts an app from its installed image. An image that may not run is reported, and rejects. */
  install(componentId: string): Promise<void> {
    return this.#inTurn(async () => {
      const entry = await this.#prepare(componentId);
      if (entry.application !== null) await this.#launch(entry, entry.application);
    });
  }

  /** Starts what is installed when the device comes up: real-time apps first, so that others find them there. */
  installAll(componentIds: readonly string[]): Promise<void> {
    return this.#inTurn(async () => {
      const prepared: Entry[] = [];
      // Installed anew while the others waited: it runs.
      for (const componentId of componentIds.filter((id) => !this.knows(id))) {
        try {
          prepared.push(await this.#prepare(componentId));
        } catch (error) {
          // An app that may not run keeps no other from running.
          this.#host.log(`app ${componentId} did not start: ${toProblem(error).message}`);
        }
      }
      for (const kind of ['realTime', 'highLevel'] as const)
        for (const entry of prepared)
          if (entry.application?.kind === kind) await this.#launch(entry, entry.application);
    });
  }

  /** An entry for what is installed now, with nothing of it running. */
  async #prepare(componentId: string): Promise<Entry> {
    const entry = this.#entries.get(componentId) ?? {
      componentId,
      application: null,
      compartment: null,
      core: null,
      state: 'stopped',
      restarts: 0,
      deathsInARow: 0,
      generation: 0,
    };
    this.#entries.set(componentId, entry);
    await this.#reset(entry);
    this.#host.interCore.removed(componentId);
    entry.application = await this.#load(componentId);
    if (entry.application.kind === 'realTime') this.#host.interCore.installed(entry.application);
    return entry;
  }

  async #load(componentId: string): Promise<Application> {
    const { monitor, limits, failures, log } = this.#host;
    const packageBytes = await monitor.call('loadApplication', componentId);
    if (!isBytes(packageBytes)) throw new KernelError('BadReply', 'The monitor gave no package.');
    const image = parseImagePackage(packageBytes);
    try {
      const application = readApplication(image, componentId, limits);
      const installed = [...this.#entries.values()].flatMap((entry) => entry.application ?? []);
      requireUnclaimed(application, installed);
      return application;
    } catch (error) {
      const { code, message } = toProblem(error);
      const { imageId, name } = image.fields;
      log(`app ${name} refused: ${code}: ${message}`);
      const end = { kind: 'trap', trap: `refused: ${code}`, frames: [] } as const;
      await failures.append({ application: { componentId, imageId, name }, end, uptime: 0, log: [message] });
      throw error;
    }
  }

  /** Ends an app that is installed no more. Its mutable file goes with it: nobody else could ever read it. */
  remove(componentId: string): Promise<void> {
    return this.#inTurn(async () => {
      const entry = this.#entries.get(componentId);
      if (entry === undefined) throw new KernelError('NoSuchApplication', `There is no app ${componentId}.`);
      this.#entries.delete(componentId);
      await this.#reset(entry);
      this.#host.interCore.removed(componentId);
      await this.#host.monitor.call('mutableWrite', componentId, null);
    });
  }

  /** As `appList` has it. */
  async list(): Promise<PortValue> {
    return Promise.all(
      [...this.#entries.values()].map(async (entry) => {
        const { componentId, application, compartment, core, state, restarts } = entry;
        const startedAt = (compartment ?? core)?.startedAt;
        return {
          componentId,
          imageId: application?.imageId ?? '',
          name: application?.name ?? '',
          state,
          restarts,
          uptime: startedAt === undefined ? 0 : Math.round(this.#host.clock.monotonic() - startedAt),
          cpuTime: compartment === null ? null : await this.#cpuTime(compartment),
        };
      }),
    );
  }

  async #cpuTime(compartment: Compartment): Promise<number | null> {
    const time = await this.#host.hardware.call('compartmentCpuTime', compartment.id);
    return typeof time === 'number' ? Math.round(time) : null;
  }

  /** A compartment said how its app ended, or could not be started. From here on its calls are refused. */
  async ended(compartment: Compartment, end: ApplicationEnd): Promise<void> {
    if (this.#live.get(compartment.id) !== compartment) return;
    this.#live.delete(compartment.id);
    compartment.leave();
    const uptime = this.#host.clock.monotonic() - compartment.startedAt;
    await this.#inTurn(() => this.#bury(compartment, end, uptime));
  }

  async #bury(compartment: Compartment, end: ApplicationEnd, uptime: number): Promise<void> {
    const { application, lines } = compartment;
    this.#tell(application, end);
    await this.#end(compartment);
    // It was asked to: that is no failure.
    if (compartment.isTerminating) return;
    await this.#record({ application, end, uptime, log: lines });
    const entry = this.#entries.get(application.componentId);
    if (entry === undefined || entry.compartment !== compartment) return;
    entry.compartment = null;
    this.#restart(entry, application, uptime);
  }

  /** Real-time cores signalled: what they sent is delivered, and those that failed are buried. */
  async interrupted(lines: readonly number[]): Promise<void> {
    try {
      for (const { run, end } of await this.#host.cores.interrupted(lines)) {
        const uptime = this.#host.clock.monotonic() - run.startedAt;
        void this.#inTurn(() => this.#buryCore(run, end, uptime));
      }
    } catch (error) {
      // Interrupts of everybody else go on.
      this.#host.log(`while looking at real-time cores: ${toProblem(error).message}`);
    }
  }

  async #buryCore(run: CoreRun, end: ApplicationEnd, uptime: number): Promise<void> {
    const { application } = run;
    this.#tell(application, end);
    await this.#stopCore(run);
    await this.#record({ application, end, uptime, log: [] });
    const entry = this.#entries.get(application.componentId);
    if (entry === undefined || entry.core !== run) return;
    entry.core = null;
    this.#restart(entry, application, uptime);
  }

  async #stopCore(run: CoreRun): Promise<void> {
    try {
      await this.#host.cores.stop(run);
    } catch (error) {
      this.#host.log(`while ending app ${run.application.name}: ${toProblem(error).message}`);
    }
  }

  #tell({ name }: Application, end: ApplicationEnd): void {
    this.#host.log(
      `app ${name} ${end.kind === 'exit' ? `exited with ${end.exitCode}` : `trapped: ${end.trap}`}`,
    );
  }

  async #record(death: Death): Promise<void> {
    const { failures, log } = this.#host;
    try {
      await failures.append(death);
    } catch (error) {
      log(`the death of app ${death.application.name} could not be recorded: ${toProblem(error).message}`);
    }
  }

  #restart(entry: Entry, application: Application, uptime: number): void {
    entry.state = 'backoff';
    entry.deathsInARow = deathsInARow(entry.deathsInARow, uptime);
    const delay = restartDelay(entry.deathsInARow);
    this.#host.log(`app ${application.name} restarts in ${delay} ms`);
    void this.#restartLater(entry, application, delay);
  }

  async #restartLater(entry: Entry, application: Application, delay: number): Promise<void> {
    const { generation } = entry;
    await this.#host.clock.sleep(delay);
    await this.#inTurn(async () => {
      if (entry.generation !== generation) return;
      entry.restarts += 1;
      await this.#launch(entry, application);
    });
  }

  async #launch(entry: Entry, application: Application): Promise<void> {
    if (application.kind === 'realTime') await this.#launchCore(entry, application);
    else await this.#launchCompartment(entry, application);
  }

  async #launchCore(entry: Entry, application: RealTimeApplication): Promise<void> {
    const { cores, log } = this.#host;
    entry.state = 'running';
    try {
      entry.core = await cores.start(application);
      log(`app ${application.name} (${application.imageId.slice(0, 8)}) started on core ${entry.core.core}`);
    } catch (error) {
      const { code, message } = toProblem(error);
      const end = { kind: 'trap', trap: `not started: ${code}`, frames: [] } as const;
      this.#tell(application, end);
      await this.#record({ application, end, uptime: 0, log: [message] });
      this.#restart(entry, application, 0);
    }
  }

  async #launchCompartment(entry: Entry, application: HighLevelApplication): Promise<void> {
    const { hardware, clock, log, program } = this.#host;
    const compartment = new Compartment(this.#nextId, application, clock.monotonic());
    this.#nextId += 1;
    this.#live.set(compartment.id, compartment);
    entry.compartment = compartment;
    entry.state = 'running';
    try {
      await hardware.call('startCompartment', compartment.id, program, application.module, {
        args: application.options.args,
        entryPoint: application.options.entryPoint,
        files: application.options.files.map((file) => ({ ...file })),
        mutableQuota: application.options.mutableQuota,
        osVersion: this.#host.osVersion,
      });
      log(`app ${application.name} (${application.imageId.slice(0, 8)}) started`);
    } catch (error) {
      const trap = `not started: ${toProblem(error).message}`.slice(0, 256);
      // In its turn, after what is done here.
      void this.ended(compartment, { kind: 'trap', trap, frames: [] });
    }
  }

  /** Ends what runs of an entry and voids what was planned for it. */
  async #reset(entry: Entry): Promise<void> {
    entry.generation += 1;
    entry.restarts = 0;
    entry.deathsInARow = 0;
    entry.state = 'stopped';
    entry.application = null;
    const { compartment, core } = entry;
    entry.compartment = null;
    entry.core = null;
    if (core !== null) await this.#stopCore(core);
    if (compartment === null) return;
    await this.#terminate(compartment);
    await this.#end(compartment);
  }

  /** SIGTERM to an app that handles it, and a moment to put its things in order. */
  async #terminate(compartment: Compartment): Promise<void> {
    compartment.isTerminating = true;
    if (!compartment.handlesSignals || !this.#live.has(compartment.id)) return;
    compartment.events.push({ kind: 'signal', signal: SIGTERM });
    await Promise.race([compartment.gone, this.#host.clock.sleep(GRACE)]);
  }

  /** Ends all apps, before the device restarts. None comes back. */
  stopAll(): Promise<void> {
    return this.#inTurn(async () => {
      await Promise.all([...this.#entries.values()].map((entry) => this.#reset(entry)));
    });
  }

  /** Watches a compartment that asked for it: once it is overdue it is ended like one that trapped. */
  async watch(compartment: Compartment, milliseconds: number): Promise<void> {
    const { clock } = this.#host;
    const wasWatched = compartment.watchdogDue !== null;
    compartment.watchdogDue = milliseconds === 0 ? null : clock.monotonic() + milliseconds;
    if (wasWatched) return;
    while (compartment.watchdogDue !== null && this.#live.has(compartment.id)) {
      // What a debugger holds cannot say that it is alive: what was left then, is left when it is let go.
      const left = compartment.watchdogDue - (compartment.heldSince ?? clock.monotonic());
      if (compartment.heldSince !== null) {
        await clock.sleep(Math.max(left, HELD_PERIOD));
        continue;
      }
      if (left <= 0) return this.ended(compartment, { kind: 'trap', trap: 'watchdog', frames: [] });
      await clock.sleep(left);
    }
  }

  /** A debugger holds a compartment's thread, or has let it go. */
  hold(compartment: Compartment, isHeld: boolean): void {
    const now = this.#host.clock.monotonic();
    if (!isHeld && compartment.heldSince !== null && compartment.watchdogDue !== null)
      compartment.watchdogDue += now - compartment.heldSince;
    compartment.heldSince = isHeld ? (compartment.heldSince ?? now) : null;
  }

  async #end(compartment: Compartment): Promise<void> {
    // From here on its calls are refused: nothing new can be opened while what is open is closed.
    this.#live.delete(compartment.id);
    compartment.isEnded = true;
    compartment.leave();
    this.#host.systemEvents.forget(compartment);
    this.#host.interCore.release(compartment);
    const { hardware, drivers, connections, exchanges, sockets, log } = this.#host;
    for (const step of [
      () => hardware.call('stopCompartment', compartment.id),
      () => drivers.release(compartment),
      () => exchanges.release(compartment),
      () => connections.release(compartment),
      () => sockets.release(compartment),
    ]) {
      try {
        await step();
      } catch (error) {
        // Its thread has ended by itself, or never began.
        if (toProblem(error).code === 'NoSuchCompartment') continue;
        log(`while ending app ${compartment.application.name}: ${toProblem(error).message}`);
      }
    }
  }

  /** One change at a time: an install never meets a restart half way. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#work.then(work);
    this.#work = result.catch(() => undefined);
    return result;
  }
}
