import { COMPARTMENT_HARDWARE_CALLS, FLASH_MAP, serveCalls, type PortValue } from '@sevenfold/formats';
import { BoardError } from './board-error.ts';
import type { BootLog } from './boot-log.ts';
import { portTo, type DeviceClock, type LoadedStage, type StageLoader } from './stage-loader.ts';

/** What the kernel wants to run in a compartment. */
export interface CompartmentStart {
  readonly id: number;
  /** The bundle of the compartment's program. */
  readonly program: Uint8Array;
  /** The app's WebAssembly module. */
  readonly module: Uint8Array;
  readonly options: PortValue;
}

/** One for each app that there may be. */
const MOST_COMPARTMENTS = FLASH_MAP.applications.most;

/** The compartments of one run of the device. */
export class Compartments {
  readonly #loader: StageLoader;
  readonly #clock: DeviceClock;
  readonly #log: BootLog;
  readonly #running = new Map<number, LoadedStage>();

  constructor(loader: StageLoader, clock: DeviceClock, log: BootLog) {
    this.#loader = loader;
    this.#clock = clock;
    this.#log = log;
  }

  /** Resolves when the program's `start` resolved. Its calls reach the kernel as `compartment:<id>`. */
  async start({ id, program, module, options }: CompartmentStart, kernel: LoadedStage): Promise<void> {
    if (this.#running.has(id))
      throw new BoardError('CompartmentExists', `There is a compartment ${id} already.`);
    if (this.#running.size >= MOST_COMPARTMENTS) {
      throw new BoardError('TooManyCompartments', `At most ${MOST_COMPARTMENTS} compartments may run.`);
    }
    const ended = (reason: string): void => {
      this.#running.delete(id);
      // Who else would tell the kernel? It stops what is left of it like any other compartment.
      void kernel
        .portFor('hardware')
        .call('compartmentEnded', id, reason)
        .catch(() => {});
    };
    const hardware = serveCalls(COMPARTMENT_HARDWARE_CALLS, () => true, {
      module: () => ({ module, options }),
    });
    try {
      await this.#loader.start(
        {
          stage: 'compartment',
          bundle: program,
          ports: {
            kernel: { stage: kernel, caller: `compartment:${id}` },
            hardware: portTo(hardware, `compartment:${id}`),
          },
          clock: this.#clock,
          log: (line) => this.#log.write(`COMPARTMENT ${id}`, line),
          onEnd: ended,
        },
        (loaded) => this.#running.set(id, loaded),
      );
    } catch (error) {
      this.#running.delete(id);
      throw error;
    }
  }

  /** Ends a compartment's thread, whatever it does. */
  async stop(id: number): Promise<void> {
    const compartment = this.#running.get(id);
    if (compartment === undefined)
      throw new BoardError('NoSuchCompartment', `There is no compartment ${id}.`);
    this.#running.delete(id);
    await compartment.stop();
  }

  /** Ms of processor time that a compartment has used; null where it shares a thread with others, or is gone. */
  async cpuTime(id: number): Promise<number | null> {
    const compartment = this.#running.get(id);
    if (compartment === undefined) return null;
    // Its thread may end while it is asked: there is nothing more to be counted then.
    return compartment.cpuTime().catch(() => null);
  }

  /** Tells the kernel that a debugger holds all compartments' threads, or has let them go. */
  async hold(isHeld: boolean, kernel: LoadedStage): Promise<void> {
    const port = kernel.portFor('hardware');
    await Promise.all([...this.#running.keys()].map((id) => port.call('compartmentHeld', id, isHeld)));
  }

  async stopAll(): Promise<void> {
    const all = [...this.#running.values()];
    this.#running.clear();
    await Promise.all(all.map((compartment) => compartment.stop()));
  }
}
