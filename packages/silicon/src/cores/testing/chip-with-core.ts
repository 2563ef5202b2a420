import type { BusRegion } from '@sevenfold/formats';
import { openChip, type Chip } from '../../chip.ts';
import { insecureSeededEntropy } from '../../engines.ts';
import { memoryFlash, memoryFuses } from '../../memory-storage.ts';
import { prepareCoresHere, type ChipCore } from '../chip-core.ts';
import { TICKS_PER_SECOND } from '../core-clock.ts';
import type { RealTimeCore } from '../real-time-core.ts';
import { TCM } from '../state.ts';

await prepareCoresHere();

/** Where `halves` begin, and the handler of every exception. */
export const CODE = TCM.base + 0x400;
const HANDLER = CODE + 0x80;

/** Thumb code as bytes. */
export const halves = (...values: readonly number[]): Uint8Array =>
  new Uint8Array(Uint16Array.from(values).buffer);

/** `wfi; b .-2`: asleep whenever nothing interrupts. */
const SLEEP = halves(0xbf30, 0xe7fd);
/**
 * Lists from R5 on for which external line it runs, disables that line at R4 (ICER), so that one that stays up does not
 * interrupt for ever, and counts in R7.
 */
const COUNT = Uint8Array.fromHex('eff30586103e2e60043573099b001f22324001219140e15001377047');
const LIST = TCM.base + 0x2_0000;

/** A chip, one of its cores with a program, and that core's bus as a program has it. */
export interface RunningCore {
  readonly chip: Chip;
  readonly core: ChipCore;
  readonly realTime: RealTimeCore;
  /** Bytes that left the debug UART. */
  readonly output: number[];
  readonly read: (address: number) => number;
  readonly write: (address: number, value: number) => void;
  readonly run: (seconds: number) => void;
  /** Enables interrupt lines in the NVIC, each for one interrupt. */
  readonly enable: (...lines: readonly number[]) => void;
  /** External lines in the order in which the handler ran for them. */
  readonly interrupts: () => readonly number[];
}

/** Starts `code` on a core that has these regions; handlers list which interrupt they ran for. */
export function runningCore(
  options: {
    readonly chip?: Chip;
    readonly index?: number;
    readonly regions?: readonly BusRegion[];
    readonly code?: Uint8Array;
    readonly handler?: Uint8Array;
  } = {},
): RunningCore {
  const { index = 0, regions = [], code = SLEEP, handler = COUNT } = options;
  const chip =
    options.chip ??
    openChip({ flash: memoryFlash(), fuses: memoryFuses(), entropy: insecureSeededEntropy('x') });
  const core = chip.realTimeCores[index];
  if (core === undefined) throw new RangeError(`The chip has no core ${index}.`);
  chip.assignRegions(core.master, regions);
  const vectors = Int32Array.from({ length: 116 }, () => HANDLER | 1);
  vectors[0] = TCM.base + TCM.size;
  vectors[1] = CODE | 1;
  core.clear();
  core.load(TCM.base, new Uint8Array(vectors.buffer));
  core.load(CODE, code);
  core.load(HANDLER, handler);
  core.start();
  const { realTime } = core;
  if (realTime === null) throw new RangeError('Nothing was loaded.');
  realTime.core.setRegister(4, 0xe000_e180);
  realTime.core.setRegister(5, LIST);
  const output: number[] = [];
  core.onDebugByte((byte) => output.push(byte));
  const { processor } = realTime.core;
  return {
    chip,
    core,
    realTime,
    output,
    read: (address) => processor.load(address | 0, 4) >>> 0,
    write: (address, value) => processor.store(address | 0, 4, value | 0),
    run: (seconds) => chip.runRealTimeCores(Math.round(seconds * TICKS_PER_SECOND)),
    enable: (...lines) => {
      for (const line of lines) processor.store((0xe000_e100 + 4 * (line >> 5)) | 0, 4, 1 << (line & 31));
    },
    interrupts: () => {
      const count = realTime.core.register(7);
      const words = new Int32Array(realTime.core.memory.read(LIST, 4 * Math.max(1, count)).buffer);
      return [...words.subarray(0, count)];
    },
  };
}
