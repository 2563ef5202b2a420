import type { CoreBus } from './access.ts';
import { Blocks, type Block } from './blocks.ts';
import { CodeIndex } from './code-index.ts';
import { CoreFault, WatchedAccess } from './fault.ts';
import { FloatUnit } from './fpu.ts';
import { Handlers, type Op } from './handlers.ts';
import { CoreMemory } from './memory.ts';
import { Mpu } from './mpu.ts';
import { Nvic } from './nvic.ts';
import type { Halt } from './exceptions.ts';
import { Processor } from './processor.ts';
import { offsetOf, STATE_WORDS, TCM, WORD, XIP_OFFSET } from './state.ts';
import { REACH } from './region.ts';
import { SystemControl } from './system-control.ts';
import { SysTick } from './systick.ts';
import { Translator } from './translator.ts';

/** How a core is made. */
export interface CoreOptions {
  readonly bus: CoreBus;
  /** Which engines may run: `interpreter` alone, or hot code as WebAssembly as well (the default). */
  readonly engine?: 'interpreter' | 'jit';
  /** How often a block is interpreted before it is translated. */
  readonly hotAfter?: number;
}

/** Something beside the core that time moves: it is told of time that has passed, and tells when it next matters. */
export interface CoreTimer {
  readonly advance: (now: number) => void;
  /** `Infinity` where nothing will happen by itself. */
  readonly nextEvent: () => number;
}

const HOT_AFTER = 24;
/** So many runs of a block that cannot be translated are not met. */
const NEVER_HOT = -Number.MAX_SAFE_INTEGER;

/**
 * A real-time core: Armv7E-M with FPv4-SP. Time is the number of instructions since it was made (asleep, it is the
 * time that passes); a run from the same state and inputs is the same run, whichever engine runs it.
 */
export class Core {
  readonly memory = new CoreMemory();
  readonly nvic = new Nvic();
  readonly processor: Processor;
  readonly #words: Int32Array;
  readonly #index: CodeIndex;
  readonly #blocks: Blocks;
  readonly #timers: CoreTimer[];
  readonly #mpu = new Mpu();
  readonly #translator: Translator | null;
  readonly #hotAfter: number;
  #now = 0;
  /** Budget at the start of the slice that runs, and which instruction of a block is running. */
  #slice = 0;
  #position = 0;
  #executed = 0;
  #interpreted = 0;
  #end = 0;
  /** Told of every fault before it is taken, while the registers are still those of the instruction at `from`. */
  onFault: ((fault: CoreFault, from: number) => void) | null = null;

  constructor({ bus, engine = 'jit', hotAfter = HOT_AFTER }: CoreOptions) {
    this.#words = this.memory.words;
    this.#index = new CodeIndex(this.memory);
    this.#hotAfter = hotAfter;
    const sysTick = new SysTick(this.nvic);
    this.#timers = [{ advance: (now) => sysTick.advance(now), nextEvent: () => sysTick.nextEvent() }];
    const { memory, nvic } = this;
    const index = this.#index;
    const mpu = this.#mpu;
    const scs = new SystemControl({
      nvic,
      mpu,
      sysTick,
      time: { now: () => this.now },
      ipsr: () => this.processor.status.ipsr,
    });
    this.processor = new Processor({ memory, bus, index, mpu, nvic, scs });
    const fpu = new FloatUnit(memory.words);
    const handlers = new Handlers(memory, { context: this.processor, fpu, slow: this.processor });
    this.#blocks = new Blocks({ handlers, memory, index });
    this.#translator = engine === 'jit' ? new Translator({ memory, index, fpu }) : null;
    this.reset();
  }

  /** Instructions since the core was made, the time asleep included. */
  get now(): number {
    return this.#now + this.#slice - (this.#words[WORD.budget] ?? 0) + this.#position;
  }

  /** Instructions that were executed; sleep does not count. */
  get executed(): number {
    return this.#executed;
  }

  /** Those of them that the interpreter executed. */
  get interpreted(): number {
    return this.#interpreted;
  }

  /** How often hot code has been translated. */
  get translations(): number {
    return this.#translator?.translated ?? 0;
  }

  get halt(): Halt {
    return this.processor.halt;
  }

  /** A register as the program sees it: 0 to 12, 13 SP, 14 LR, 15 the next instruction. */
  register(index: number): number {
    return this.#words[index & 15] ?? 0;
  }

  setRegister(index: number, value: number): void {
    this.#words[index & 15] = index === 13 ? value & ~3 : index === 15 ? value & ~1 : value;
  }

  /** Flags and registers as both engines keep them, to compare or to save. */
  get state(): Int32Array {
    return this.memory.words.slice(0, STATE_WORDS);
  }

  /** Starts from the vector table at `vectors`; memory stays. Throws nothing: a bad vector locks the core up. */
  reset(vectors: number = TCM.base): void {
    this.processor.reset(vectors);
  }

  /** Puts bytes into TCM, SYSRAM or XIP and forgets what was made from the code before. Throws `RangeError`. */
  load(address: number, bytes: Uint8Array): void {
    this.memory.write(address, bytes);
    const offset = offsetOf(address);
    // What was made from XIP is not indexed: programs cannot write there.
    if (offset >= XIP_OFFSET) this.forgetCode();
    else if (offset >= 0) this.#index.overwrite(offset, bytes.length, false);
  }

  /** Forgets every decoded and translated instruction. */
  forgetCode(): void {
    this.#index.clear();
    this.#blocks.clear();
    this.#translator?.clear();
  }

  /** From now on time moves this too. */
  addTimer(timer: CoreTimer): void {
    this.#timers.push(timer);
  }

  /** The run that is going on ends behind the instruction that runs. */
  endRun(): void {
    this.#end = this.now;
    this.processor.stop();
  }

  /** When a timer next does something by itself; `Infinity`: never. */
  nextEvent(): number {
    let next = Infinity;
    for (const timer of this.#timers) next = Math.min(next, timer.nextEvent());
    return next;
  }

  /** An external interrupt line goes up or down. */
  setLine(line: number, isUp: boolean): void {
    // Peripherals say their level whenever they are asked anything: only a change can interrupt.
    if (this.nvic.setLevel(line, isUp)) this.processor.stop();
  }

  /**
   * Lets time pass: up to `instructions`, of which a sleeping core skips what is idle. Answers how much time has
   * passed: less only where the core is locked up or at a breakpoint, or sleeps with nothing that could wake it.
   */
  run(instructions: number): number {
    const start = this.#now;
    this.#end = start + instructions;
    while (this.#now < this.#end) {
      for (const timer of this.#timers) timer.advance(this.#now);
      // What a timer did may have ended the run.
      if (this.#now >= this.#end) break;
      const { processor } = this;
      if (processor.halt === 'sleeping') {
        if (processor.canWake()) processor.halt = null;
        else {
          const wake = this.nextEvent();
          if (wake === Infinity) {
            // Only the outside can end this: it is told that the whole time was slept through.
            this.#now = this.#end;
            break;
          }
          // Time goes on even where a timer asks for a moment that has passed.
          this.#now = Math.min(this.#end, Math.max(wake, this.#now + 1));
          continue;
        }
      }
      if (processor.halt !== null) break;
      processor.exceptions.takePending();
      if (this.halt !== null || processor.scs.isResetRequested) break;
      this.#runSlice(Math.max(1, Math.min(this.#end, this.nextEvent()) - this.#now));
      if (processor.scs.isResetRequested) break;
    }
    return this.#now - start;
  }

  /** Runs until the budget is used up or something asks to stop. */
  #runSlice(budget: number): void {
    const words = this.#words;
    this.#slice = budget;
    words[WORD.budget] = budget;
    words[WORD.stop] = 0;
    while ((words[WORD.budget] ?? 0) > 0 && words[WORD.stop] === 0) {
      const isBlockStart = words[WORD.it] === 0 && words[WORD.thumb] === 1;
      if (!isBlockStart) {
        this.#step();
        continue;
      }
      const translator = this.processor.isPlain ? this.#translator : null;
      const isInterpreted = translator?.run() === 'interpret';
      if ((words[WORD.budget] ?? 0) <= 0) break;
      if (isInterpreted) this.#step();
      else this.#runBlock(translator);
    }
    const executed = budget - (words[WORD.budget] ?? 0);
    this.#now += executed;
    this.#executed += executed;
    this.#slice = 0;
    words[WORD.budget] = 0;
  }

  /** `translator`: what the block may be given to; none while the MPU looks at every access. */
  #runBlock(translator: Translator | null): void {
    const words = this.#words;
    const address = words[15] ?? 0;
    const block = this.#fetch(address);
    if (block === null) return;
    if (translator === null) {
      if (!this.processor.canFetchAll(address, block.next)) {
        this.#step();
        return;
      }
    } else if (block.heat >= translator.threshold(this.#hotAfter)) {
      const functionOffset = this.#blocks.functionBefore(block.offset, REACH);
      const calls = translator.translate(address, block.offset, functionOffset);
      // Its translation may be given up one day: then it is to become hot again.
      block.heat = calls === null ? NEVER_HOT : 0;
      this.#blocks.noteFunctions(calls ?? []);
      return;
    }
    const { ops } = block;
    const budget = words[WORD.budget] ?? 0;
    const count = Math.min(ops.length, budget);
    let index = 0;
    words[15] = block.next;
    try {
      for (; index < count; index++) {
        this.#position = index;
        const op = ops[index] as Op;
        op.run(op);
        if (words[WORD.stop] !== 0) {
          this.#leave(ops, index);
          return;
        }
      }
      if (count < ops.length) this.#leave(ops, count - 1);
      else {
        if (block.nextIt !== 0) words[WORD.it] = block.nextIt;
        words[WORD.budget] = budget - count;
        this.#interpreted += count;
        this.#position = 0;
        block.heat++;
      }
    } catch (error) {
      words[WORD.budget] = budget - index;
      this.#interpreted += index;
      this.#position = 0;
      this.#fail(error, ops[index]);
    }
  }

  /** Stops behind instruction `index` of a block. */
  #leave(ops: readonly Op[], index: number): void {
    const words = this.#words;
    const op = ops[index] as Op;
    // A breakpoint that the core halts at has not been executed.
    const done = this.halt === 'breakpoint' ? index : index + 1;
    words[WORD.budget] = (words[WORD.budget] ?? 0) - done;
    this.#interpreted += done;
    this.#position = 0;
    // An instruction that ends a block has set these itself.
    if (!op.instruction.ends) {
      words[15] = op.next;
      words[WORD.it] = op.nextIt;
    }
  }

  /** One instruction by itself: inside an IT block, where not all of a block may be fetched, behind translated code. */
  #step(): void {
    const words = this.#words;
    const address = words[15] ?? 0;
    const it = words[WORD.it] ?? 0;
    let op: Op | null = null;
    try {
      if (words[WORD.thumb] === 0) throw new CoreFault('INVSTATE');
      this.processor.checkFetch(address);
      // Known instructions are kept as the beginnings of blocks, outside IT.
      op = it === 0 ? (this.#blocks.get(address)?.ops[0] ?? null) : this.#blocks.single(address, it);
      if (op === null) throw new CoreFault('IBUSERR');
      words[15] = op.next;
      words[WORD.it] = op.nextIt;
      op.run(op);
      if (this.halt !== 'breakpoint') {
        words[WORD.budget] = (words[WORD.budget] ?? 0) - 1;
        this.#interpreted++;
      }
    } catch (error) {
      words[WORD.it] = it;
      this.#fail(error, op);
    }
  }

  #fetch(address: number): Block | null {
    try {
      this.processor.checkFetch(address);
      const block = this.#blocks.get(address);
      if (block === null) throw new CoreFault('IBUSERR');
      return block;
    } catch (error) {
      this.#fail(error, null);
      return null;
    }
  }

  /** A fault of the guest is an exception of the core; anything else is a fault of ours. */
  #fail(error: unknown, op: Op | null | undefined): void {
    const words = this.#words;
    const from = op ? (op.pc - 4) | 0 : (words[15] ?? 0);
    if (op) words[WORD.it] = op.it;
    if (error instanceof WatchedAccess) {
      words[15] = from;
      this.processor.holdForDebugger();
      return;
    }
    if (!(error instanceof CoreFault)) throw error;
    this.onFault?.(error, from);
    this.processor.exceptions.takeFault(error, from);
  }
}
