import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type ElfProgram,
  parseElf,
  RUN_RULES,
  utf8Decode,
  utf8Encode,
  type BusRegion,
} from '@sevenfold/formats';
import { openChip, type Chip } from '../../chip.ts';
import { insecureSeededEntropy } from '../../engines.ts';
import { memoryFlash, memoryFuses } from '../../memory-storage.ts';
import { prepareCoresHere, type ChipCore } from '../chip-core.ts';
import { TICKS_PER_SECOND } from '../core-clock.ts';
import type { CoreOptions } from '../core.ts';
import type { RealTimeCore } from '../real-time-core.ts';
import { SYSRAM, TCM } from '../state.ts';

await prepareCoresHere();

const folder = join(import.meta.dirname, '..', 'testdata', 'corpus');
/** Symbol `failure` of the SDK's library: right behind the vector table. */
const FAILURE = { address: TCM.base + 0x200, magic: 0x4c49_4146, words: 29 } as const;
const KINDS = ['', 'fault', 'assert', 'stack', 'interrupt'] as const;

/** A program of `testdata/corpus`, built before from the C file of its name. */
const corpusProgram = (name: string): Uint8Array => readFileSync(join(folder, `${name}.elf`));

/** What a program leaves where it ends itself (`struct failure` of the SDK). */
interface FailureRecord {
  readonly kind: (typeof KINDS)[number];
  /** R0 to R12, SP, LR, PC, xPSR. */
  readonly registers: readonly number[];
  readonly cfsr: number;
  readonly bfar: number;
  readonly text: string;
  readonly line: number;
}

/** A program of the corpus on a core of a chip of its own. */
export class CorpusRun {
  readonly chip: Chip;
  readonly core: ChipCore;
  readonly #program: ElfProgram;
  #output = '';

  /** Its debug port is open. */
  constructor(name: string, engine: NonNullable<CoreOptions['engine']>, regions: readonly BusRegion[] = []) {
    const storage = { flash: memoryFlash(), fuses: memoryFuses(), entropy: insecureSeededEntropy(name) };
    this.chip = openChip({ ...storage, realTimeEngine: engine });
    const core = this.chip.realTimeCores[0];
    if (core === undefined) throw new RangeError('The chip has no real-time core.');
    this.core = core;
    this.chip.bus.firewall.configure(RUN_RULES);
    this.chip.bus.firewall.lock();
    this.chip.assignRegions(core.master, regions);
    this.#program = parseElf(corpusProgram(name));
    this.load();
    core.onDebugByte((byte) => (this.#output += String.fromCharCode(byte)));
  }

  /** What the program has printed. */
  get output(): string {
    return this.#output;
  }

  get realTime(): RealTimeCore {
    if (this.core.realTime === null) throw new RangeError('Nothing was loaded.');
    return this.core.realTime;
  }

  /** Clears the core and loads the program, as the operating system does. */
  load(): this {
    this.core.clear(true);
    for (const { address, bytes } of this.#program.segments) this.core.load(address, bytes);
    return this;
  }

  start(): this {
    this.core.start();
    return this;
  }

  run(seconds: number): this {
    this.chip.runRealTimeCores(Math.round(seconds * TICKS_PER_SECOND));
    return this;
  }

  type(text: string): this {
    this.realTime.debugInput(utf8Encode(text));
    return this;
  }

  /** All that a run may leave behind, to be compared with another run of the same. */
  get digest(): string {
    const { core, time } = this.realTime;
    const hash = createHash('sha256').update(`${time} ${core.now} ${core.executed} ${this.#output}`);
    for (let register = 0; register < 16; register++) hash.update(`${core.register(register)} `);
    for (const { base, size } of [TCM, SYSRAM]) hash.update(core.memory.read(base, size));
    return hash.digest('hex');
  }

  /** The record of a program that has ended itself; null: there is none. */
  get failure(): FailureRecord | null {
    const { memory } = this.realTime.core;
    const bytes = memory.read(FAILURE.address, FAILURE.words * 4);
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, FAILURE.words);
    const word = (index: number): number => words[index] ?? 0;
    if (word(0) !== FAILURE.magic) return null;
    return {
      kind: KINDS[word(1)] ?? '',
      registers: [...words.subarray(4, 21)],
      cfsr: word(21),
      bfar: word(24),
      text: word(27) === 0 ? '' : this.#text(word(27)),
      line: word(28),
    };
  }

  #text(address: number): string {
    const bytes = this.realTime.core.memory.read(address, 64);
    return utf8Decode(bytes.subarray(0, bytes.indexOf(0)));
  }
}
