import { SiliconError } from '../../errors.ts';
import { Core, type CoreOptions } from '../core.ts';
import { TCM } from '../state.ts';

/** Where the code of `coreWith` lies. */
export const CODE: number = TCM.base + 0x400;

/** Both engines, the translator from the first run of a block on. */
export const ENGINES = [{ engine: 'interpreter' }, { engine: 'jit', hotAfter: 0 }] as const;

const refuse = (): never => {
  throw new SiliconError('BusFault', 'Nothing is there.');
};

/** 32-bit words as they lie in memory. */
export const words = (...values: readonly number[]): Uint8Array =>
  new Uint8Array(Int32Array.from(values).buffer);

/** A core with SP at the end of TCM, code at `CODE` and every exception's handler where `handlers` says. */
export function coreWith(
  code: Uint8Array,
  options: Omit<CoreOptions, 'bus'>,
  parts: { handlers?: Readonly<Record<number, number>>; bus?: CoreOptions['bus'] } = {},
): Core {
  const { handlers = {}, bus = { read: refuse, write: refuse } } = parts;
  const core = new Core({ ...options, bus });
  const vectors = Array.from({ length: 116 }, (_, number) => handlers[number] ?? CODE | 1);
  vectors[0] = TCM.base + TCM.size;
  vectors[1] = CODE | 1;
  core.load(TCM.base, words(...vectors));
  core.load(CODE, code);
  core.reset();
  return core;
}
