import type { ResetReason, StageName } from '@sevenfold/formats';
import {
  deliverInterrupts,
  normalWorldHardware,
  plutonHardware,
  runRecovery,
  runRom,
  secureWorldHardware,
  type RomHandover,
} from '@sevenfold/silicon';
import { BoardError, describeFailure } from './board-error.ts';
import { BootLog } from './boot-log.ts';
import type { BootOutcome, VirtualBoard, VirtualBoardOptions } from './board.ts';
import { Compartments } from './compartments.ts';
import { hostClock, settableClock } from './host-clock.ts';
import { inlineLoader } from './inline-loader.ts';
import { processLoader } from './process-loader.ts';
import {
  portTo,
  type DeviceClock,
  type LoadedStage,
  type PortSource,
  type StageLink,
  type StageLoader,
} from './stage-loader.ts';
import { threadLoader } from './thread-loader.ts';

/** Boots in a row that may fail before the board gives up and stops. */
const MOST_FAILED_BOOTS = 8;

/** The stages that every boot starts. */
const BOOT_STAGES = ['pluton', 'monitor', 'kernel', 'services'] as const;

/** Why a run of the device is over: `asleep` is a power-down that its software ordered. */
type RunEnd = 'reset' | 'powerLost' | 'asleep';

/** One run of the device from reset to reset: what it started, and what ends with it. */
interface Run {
  readonly stages: Map<StageName, LoadedStage>;
  readonly compartments: Compartments;
  readonly network: ReturnType<VirtualBoardOptions['network']>;
  /** Why this run is over; null while it goes on. */
  over: RunEnd | null;
  /** Ends the delivery of interrupts to this run's kernel. */
  endInterrupts: () => void;
  /** Resolves when `over` is set. */
  readonly ended: Promise<void>;
  end(why: RunEnd): void;
}

/** Puts a chip on a virtual board. Nothing runs before `powerOn`. */
export function createVirtualBoard(options: VirtualBoardOptions): VirtualBoard {
  return new Board(options);
}

function loaderFor({ wiring, stageWorker }: VirtualBoardOptions): StageLoader {
  switch (wiring) {
    case 'inline':
      return inlineLoader();
    case 'thread':
      return threadLoader(stageWorker);
    case 'process':
      return processLoader(stageWorker);
    default:
      return wiring satisfies never;
  }
}

class Board implements VirtualBoard {
  readonly #options: VirtualBoardOptions;
  readonly #loader: StageLoader;
  readonly #clock: DeviceClock;
  readonly #log = new BootLog();
  readonly #resetListeners = new Set<(reason: ResetReason) => void>();
  #state: VirtualBoard['state'] = 'off';
  #lastOutcome: BootOutcome | null = null;
  #run: Run | null = null;
  #booting: Promise<BootOutcome> | null = null;

  constructor(options: VirtualBoardOptions) {
    this.#options = options;
    this.#loader = loaderFor(options);
    const crystal = (options.wiring === 'inline' ? options.clock : undefined) ?? hostClock();
    this.#clock = settableClock(crystal);
    // Not the clock that the OS sets: the battery's must not move with it.
    this.chip.attachCrystal(crystal);
    this.chip.power.onCut(() => this.#run?.end('powerLost'));
  }

  get chip(): VirtualBoardOptions['chip'] {
    return this.#options.chip;
  }

  get state(): VirtualBoard['state'] {
    return this.#state;
  }

  get lastOutcome(): BootOutcome | null {
    return this.#lastOutcome;
  }

  get bootLog(): readonly string[] {
    return this.#log.lines;
  }

  onLog(listener: (line: string) => void): () => void {
    return this.#log.onLine(listener);
  }

  onReset(listener: (reason: ResetReason) => void): () => void {
    this.#resetListeners.add(listener);
    return () => this.#resetListeners.delete(listener);
  }

  pinLevel(pin: number): 0 | 1 {
    return this.chip.pins.level(pin);
  }

  onPin(pin: number, listener: (level: 0 | 1, time: number) => void): () => void {
    return this.chip.pins.onChange((changed, level) => {
      if (changed === pin) listener(level, this.chip.pinTime(pin) ?? this.#clock.monotonic());
    });
  }

  drivePin(pin: number, level: 0 | 1): void {
    this.chip.pins.drive(pin, level);
  }

  async holdApps(isHeld: boolean): Promise<void> {
    const kernel = this.#run?.stages.get('kernel');
    if (kernel !== undefined) await this.#run?.compartments.hold(isHeld, kernel);
  }

  readonly gateway = portTo(async (caller, method, args) => {
    if (this.#booting !== null) await this.#booting;
    const services = this.#run?.stages.get('services');
    if (this.#state !== 'running' || services === undefined) {
      throw new BoardError('DeviceNotRunning', `The device is ${this.#state}.`, {
        rule: 'powered on and booted',
      });
    }
    return services.portFor(caller).call(method, ...args);
  }, 'gateway');

  powerOn(): Promise<BootOutcome> {
    return this.#powerOn('PowerOn');
  }

  async wake(): Promise<BootOutcome> {
    if (this.#state === 'asleep') return this.#powerOn('WakePin');
    return this.#lastOutcome ?? { kind: 'powerLost' };
  }

  async #powerOn(reason: 'PowerOn' | 'WakeAlarm' | 'WakePin'): Promise<BootOutcome> {
    this.#alarms += 1;
    // What a cut or a power-down has just ended is torn down first.
    const over = this.#run?.over;
    if (over === 'powerLost' || over === 'asleep') await this.#over;
    if (this.#booting === null && this.#run === null) {
      this.chip.powerOn(reason);
      const { walls } = this.#loader;
      if (walls.length > 0) this.#log.write('BOARD', `a process for each stage, held by ${walls.join('; ')}`);
      this.#boot();
    }
    return this.#booting ?? this.#lastOutcome ?? { kind: 'powerLost' };
  }

  async powerOff(): Promise<void> {
    this.#alarms += 1;
    this.chip.powerOff();
    this.#run?.end('powerLost');
    await this.#booting;
    await this.#over;
    this.#state = 'off';
  }

  async recover(untrustedSet: readonly Uint8Array[]): Promise<BootOutcome> {
    await this.powerOff();
    this.chip.powerOn();
    try {
      await runRecovery(this.chip, untrustedSet, (line) => this.#log.write('ROM', line));
    } catch (error) {
      this.chip.powerOff();
      if (describeFailure(error).problem.code !== 'PowerCut') throw error;
      this.#lastOutcome = { kind: 'powerLost' };
      return this.#lastOutcome;
    }
    this.chip.powerOff();
    return this.powerOn();
  }

  /** Settles when the run that was last begun has been torn down. */
  #over: Promise<void> = Promise.resolve();

  #boot(): void {
    this.#state = 'booting';
    this.#booting = this.#bootUntilSettled().finally(() => {
      this.#booting = null;
    });
  }

  /** Boots, and boots again after each reset, until the device is up, has stopped or lost power. */
  async #bootUntilSettled(): Promise<BootOutcome> {
    let outcome: BootOutcome = { kind: 'powerLost' };
    let isAsleep = false;
    for (let resets = 0; ; resets++) {
      const run = this.#newRun();
      outcome = await this.#bootOnce(run, resets);
      if (outcome.kind === 'running' && run.over === null) break;
      await this.#tearDown(run);
      isAsleep = run.over === 'asleep';
      if (run.over !== 'reset') break;
      if (resets + 1 === MOST_FAILED_BOOTS) {
        const message = `${MOST_FAILED_BOOTS} boots in a row failed`;
        this.#log.write('BOARD', `stopped: BootLoop – ${message}`);
        outcome = { kind: 'stopped', code: 'BootLoop', message };
        break;
      }
    }
    await this.#loader.release();
    if (outcome.kind === 'stopped' && outcome.code !== 'NotManufactured') {
      this.#log.write('BOARD', 'recovery mode: the service port takes a signed recovery set');
    }
    this.#state = outcome.kind !== 'powerLost' ? outcome.kind : isAsleep ? 'asleep' : 'off';
    this.#lastOutcome = outcome;
    return outcome;
  }

  #newRun(): Run {
    const { promise, resolve } = Promise.withResolvers<void>();
    const run: Run = {
      stages: new Map(),
      compartments: new Compartments(this.#loader, this.#clock, this.#log),
      network: this.#options.network(),
      over: null,
      endInterrupts: () => {},
      ended: promise,
      end(why) {
        run.endInterrupts();
        // Power lost in the midst of a reset is power lost.
        if (run.over === null || why === 'powerLost') run.over = why;
        resolve();
      },
    };
    this.#run = run;
    return run;
  }

  async #bootOnce(run: Run, resets: number): Promise<BootOutcome> {
    try {
      this.#loader.prepare(BOOT_STAGES);
      const rom = await runRom(this.chip, (line) => this.#log.write('ROM', line));
      if (rom.kind === 'stopped') {
        // On trial there are other attempts, and at last the fallback with which it did boot.
        if (rom.selection?.trial === true) this.#reset(run, 'NoBootableImage');
        return { kind: 'stopped', code: rom.code, message: rom.message };
      }
      const { handover } = rom;
      const up = this.#startPluton(run, handover, rom.handover.bundle);
      // A reset or a power cut leaves the stages waiting for ever: the boot ends with the run.
      await Promise.race([up, run.ended]);
      if (run.over === null) {
        this.#watchRun(run);
        return { kind: 'running', config: handover.selection.config, resets };
      }
      up.catch(() => {});
    } catch (error) {
      const { problem, detail } = describeFailure(error);
      if (run.over === null && problem.code === 'PowerCut') run.end('powerLost');
      if (run.over === null) {
        this.#log.write('BOARD', `boot failed: ${problem.code} – ${detail ?? problem.message}`);
        // A trial has more attempts, and then a fallback; anything else would fail the same way again.
        if (!this.#isTrial) return { kind: 'stopped', code: problem.code, message: problem.message };
        this.#reset(run, problem.code === 'BusFault' ? 'BusFault' : 'StageFailed');
      }
    }
    return { kind: 'powerLost' };
  }

  #isTrial = false;

  async #startPluton(run: Run, handover: RomHandover, bundle: Uint8Array): Promise<void> {
    this.#isTrial = handover.selection.trial;
    await this.#start(run, 'pluton', bundle, {
      hardware: portTo(
        plutonHardware(this.chip, handover, (next) => this.#startMonitor(run, handover, next)),
        'pluton',
      ),
    });
  }

  async #startMonitor(run: Run, handover: RomHandover, bundle: Uint8Array): Promise<void> {
    const hardware = secureWorldHardware(this.chip, handover, {
      clock: this.#clock,
      reset: (reason) => this.#reset(run, reason),
      startStage: (next) => this.#startKernel(run, next),
    });
    await this.#start(run, 'monitor', bundle, {
      hardware: portTo(hardware, 'monitor'),
      pluton: this.#linkTo(run, 'pluton', 'monitor'),
    });
  }

  async #startKernel(run: Run, bundle: Uint8Array): Promise<void> {
    const hardware = normalWorldHardware(this.chip, {
      clock: this.#clock,
      network: (method, args) => run.network.handle(method, args),
      setTime: (milliseconds) => this.#clock.set(milliseconds),
      startStage: (next) =>
        this.#start(run, 'services', next, { kernel: this.#linkTo(run, 'kernel', 'services') }),
      startCompartment: (id, program, module, options) => {
        const kernel = run.stages.get('kernel');
        if (kernel === undefined)
          throw new BoardError('NotServing', 'There is no kernel for this compartment.');
        return run.compartments.start({ id, program, module, options }, kernel);
      },
      stopCompartment: (id) => run.compartments.stop(id),
      compartmentCpuTime: (id) => run.compartments.cpuTime(id),
    });
    run.endInterrupts = deliverInterrupts(this.chip, this.#clock, async (lines) => {
      const { stage, caller } = this.#linkTo(run, 'kernel', 'hardware');
      await stage.portFor(caller).call('interrupt', [...lines]);
    });
    await this.#start(run, 'kernel', bundle, {
      hardware: portTo(hardware, 'kernel'),
      monitor: this.#linkTo(run, 'monitor', 'kernel'),
    });
  }

  /** A port to a stage of this run that serves already: the ones below start first. */
  #linkTo(run: Run, name: StageName, caller: string): StageLink {
    const stage = run.stages.get(name);
    if (stage === undefined) throw new BoardError('NotServing', `The stage ${name} is not up.`);
    return { stage, caller };
  }

  async #start(
    run: Run,
    stage: StageName,
    bundle: Uint8Array,
    ports: Readonly<Record<string, PortSource>>,
  ): Promise<void> {
    if (run.over !== null || run.stages.has(stage)) {
      throw new BoardError('StageRefused', `The stage ${stage} cannot be started now.`, {
        rule: 'once after reset',
      });
    }
    const starting = this.#loader.start(
      {
        stage,
        bundle,
        ports,
        clock: this.#clock,
        log: (line) => {
          if (run.over === null) this.#log.write(stage.toUpperCase(), line);
        },
        onEnd: (reason) => {
          if (run.over !== null) return;
          this.#log.write('BOARD', `${stage} ended by itself (${reason}): resetting`);
          this.#reset(run, 'StageDied');
        },
      },
      (loaded) => run.stages.set(stage, loaded),
    );
    await starting.catch((error: unknown) => {
      run.stages.delete(stage);
      const { problem, detail } = describeFailure(error);
      if (detail !== null && run.over === null)
        this.#log.write('BOARD', `internal error of ${stage}: ${detail}`);
      if (problem.code !== 'Internal') throw error;
      throw new BoardError('StageFailed', `the stage ${stage} did not come up`);
    });
  }

  /** Pulls the reset line. Flash and fuses are all that the next boot finds. */
  #reset(run: Run, reason: ResetReason): void {
    if (run.over !== null || run !== this.#run) return;
    const { armedSeconds } = this.chip.powerUnit;
    if (reason === 'Restart' && armedSeconds !== null) {
      this.#sleep(run, armedSeconds);
      return;
    }
    this.#log.write('BOARD', `reset: ${reason}`);
    run.end('reset');
    this.chip.reset(reason);
    for (const listener of this.#resetListeners) listener(reason);
  }

  /** Counts alarms that were set or overtaken: an alarm that is not the newest wakes nobody. */
  #alarms = 0;

  /** Everything off but the battery's clock, which wakes the device. */
  #sleep(run: Run, seconds: number): void {
    this.#log.write('BOARD', `power-down: wake alarm in ${seconds} s`);
    this.chip.powerOff();
    run.end('asleep');
    this.#alarms += 1;
    const alarm = this.#alarms;
    void this.#clock.sleep(seconds * 1000).then(() => {
      if (alarm === this.#alarms) void this.#powerOn('WakeAlarm');
    });
  }

  /** Once the device is up: what ends its run tears it down, and a reset boots it again. */
  #watchRun(run: Run): void {
    this.#over = run.ended.then(async () => {
      this.#state = run.over === 'reset' ? 'booting' : run.over === 'asleep' ? 'asleep' : 'off';
      if (run.over === 'reset') {
        this.#booting = this.#tearDown(run)
          .then(() => this.#bootUntilSettled())
          .finally(() => {
            this.#booting = null;
          });
        return;
      }
      await this.#tearDown(run);
    });
  }

  async #tearDown(run: Run): Promise<void> {
    if (this.#run === run) this.#run = null;
    await run.compartments.stopAll();
    // From the top down, so that nobody hears of a layer below that has gone.
    await Promise.all([...run.stages.values()].toReversed().map((stage) => stage.stop()));
    await run.network.close();
  }
}
