import { FLASH_SECTOR } from '@sevenfold/formats';
import { insecureSeededEntropy, openChip } from '@sevenfold/silicon';
import type { Wiring } from '../stage-loader.ts';
import { copyBits, makeDevice, settled, type ChipBits, type TestDevice } from './device.fixture.ts';
import { randomBits } from './random-bits.fixture.ts';

/** Something that changes flash and fuses, and what must hold wherever power goes meanwhile. */
export interface PowerCutPath {
  readonly name: string;
  readonly before: ChipBits;
  /** Does the whole thing once, from power-on; says what has been acknowledged as soon as it has. */
  run(device: TestDevice, acknowledge: (what: string) => void): Promise<void>;
  /**
   * Powers the device on and names the state that it is in, one of the allowed ones; throws for any other, and if
   * anything acknowledged is lost. The device has been off since the cut.
   */
  judge(device: TestDevice, acknowledged: ReadonlySet<string>): Promise<string>;
}

/** One operation on flash or fuses: the bits before it, what it writes, and what was acknowledged before it. */
interface CutPoint {
  readonly before: ChipBits;
  readonly write:
    | { readonly kind: 'flash'; readonly offset: number; readonly bytes: Uint8Array }
    | { readonly kind: 'fuse'; readonly offset: number; readonly value: number };
  readonly acknowledged: ReadonlySet<string>;
}

/** How one path came through. */
export interface PowerCutFigures {
  readonly name: string;
  /** Operations on flash and fuses. */
  readonly operations: number;
  /** Devices that were cut and booted, with one cut and with two. */
  readonly cases: number;
  readonly secondCuts: number;
  /** States after a clean cut at each operation in turn, and runs of the same one merged. */
  readonly states: readonly string[];
}

/** How deep a sweep goes. */
export interface SweepOptions {
  /** Second cuts in the boot after each first one, at most; default 1. */
  readonly secondCuts?: number;
  /** Second cuts only after each n-th operation; default 1: after all. */
  readonly secondEvery?: number;
  /** Cuts only at each n-th operation; default 1: at all. */
  readonly every?: number;
  /** How the device is wired that boots after the cut; default `inline`. */
  readonly wiring?: Wiring;
}

/** Bits that note every operation on them. Whatever else a device holds is gone with its power. */
function recorded(bits: ChipBits): {
  readonly bits: ChipBits;
  readonly points: CutPoint[];
  acknowledge(what: string): void;
} {
  const points: CutPoint[] = [];
  let acknowledged: ReadonlySet<string> = new Set();
  const own = copyBits(bits);
  const note = (write: CutPoint['write']): void =>
    void points.push({ before: copyBits(own), write, acknowledged });
  return {
    points,
    acknowledge(what) {
      acknowledged = new Set([...acknowledged, what]);
    },
    bits: {
      flash: {
        ...own.flash,
        write(offset, bytes) {
          note({ kind: 'flash', offset, bytes });
          own.flash.write(offset, bytes);
        },
      },
      fuses: {
        ...own.fuses,
        write(offset, value) {
          note({ kind: 'fuse', offset, value });
          own.fuses.write(offset, value);
        },
      },
    },
  };
}

/** The bits that a cut at a point leaves: just before its operation, or in the midst of it. */
function cutAt({ before, write }: CutPoint, kind: 'clean' | 'torn', seed: number): ChipBits {
  const bits = copyBits(before);
  if (kind === 'clean') return bits;
  if (write.kind === 'fuse') {
    const [random = 0] = randomBits(seed)(1);
    const old = bits.fuses.read()[write.offset] ?? 0;
    bits.fuses.write(write.offset, old | (write.value & random));
    return bits;
  }
  // The model's own torn operation: what was written is what it would have come to.
  const chip = openChip({ ...bits, entropy: insecureSeededEntropy('cut') });
  chip.powerOn();
  chip.power.layPlan([{ at: 0, kind: 'torn', seed }]);
  try {
    if (write.bytes.length === FLASH_SECTOR) chip.flash.erase(write.offset, FLASH_SECTOR);
    else chip.flash.program(write.offset, write.bytes);
  } catch {
    // The cut.
  }
  return bits;
}

/**
 * Cuts the power of a device at every operation of a path, once cleanly and once in the midst of it, and again in the
 * boot after that, as often as `secondCuts` says. A cut leaves flash and fuses and nothing else, so each case begins
 * from the bits that the path had written by then; from there on everything is a whole boot.
 */
export async function sweepPowerCuts(
  path: PowerCutPath,
  { secondCuts = 1, secondEvery = 1, every = 1, wiring = 'inline' }: SweepOptions = {},
): Promise<PowerCutFigures> {
  const whole = recorded(path.before);
  const device = makeDevice(whole.bits);
  await path.run(device, (what) => whole.acknowledge(what));
  await settled(device);
  await device.board.powerOff();
  const states: string[] = [];
  let cases = 0;
  let second = 0;
  for (let at = 0; at < whole.points.length; at += every) {
    const point = whole.points[at];
    if (point === undefined) continue;
    for (const kind of ['clean', 'torn'] as const) {
      const bits = cutAt(point, kind, at);
      // Noting each operation costs more than some recoveries: only where it will be cut as well.
      const isCutAgain = secondCuts > 0 && at % secondEvery === 0;
      const recovery = isCutAgain ? recorded(bits) : { bits, points: [] };
      const state = await judged(path, recovery.bits, wiring, point, `${kind} cut at ${at}`);
      cases += 1;
      if (kind === 'clean' && states.at(-1) !== state) states.push(state);
      for (let again = 0; again < Math.min(secondCuts, recovery.points.length); again++) {
        const index = (at + again * 7) % recovery.points.length;
        const next = recovery.points[index];
        if (next === undefined) continue;
        const how = (at + again) % 2 === 0 ? 'torn' : 'clean';
        await judged(
          path,
          cutAt(next, how, at + 1),
          wiring,
          point,
          `${kind} cut at ${at}, ${how} again at ${index}`,
        );
        cases += 1;
        second += 1;
      }
    }
  }
  return { name: path.name, operations: whole.points.length, cases, secondCuts: second, states };
}

async function judged(
  path: PowerCutPath,
  bits: ChipBits,
  wiring: Wiring,
  { acknowledged }: CutPoint,
  what: string,
): Promise<string> {
  const device = makeDevice(bits, wiring);
  try {
    return await path.judge(device, acknowledged);
  } catch (error) {
    const log = device.board.bootLog.join('\n');
    throw new Error(`${path.name}: ${what}: ${error instanceof Error ? error.message : 'unknown'}\n${log}`, {
      cause: error,
    });
  } finally {
    await device.board.powerOff();
  }
}

/** One line of figures for whoever runs the tests. */
export function tellPowerCuts({ name, operations, cases, secondCuts }: PowerCutFigures): void {
  const again = `${secondCuts} of them with a second cut in the boot after the first`;
  process.stdout.write(`power cuts: ${name}: ${operations} operations, ${cases} cases, ${again}\n`);
}
