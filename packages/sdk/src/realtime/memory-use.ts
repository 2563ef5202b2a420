import { CORE_MEMORIES, type ElfSegment } from '@sevenfold/formats';

/** How much of one of a core's memories a program takes. */
export interface MemoryUse {
  readonly memory: keyof typeof CORE_MEMORIES;
  /** Bytes that come out of the image. */
  readonly loaded: number;
  /** Bytes that are zero at the start. */
  readonly zeroed: number;
  readonly size: number;
}

/** Sums up the segments of a program; memories that it leaves alone are not named. */
export function memoryUse(segments: readonly ElfSegment[]): readonly MemoryUse[] {
  return (['tcm', 'sysram', 'xip'] as const).flatMap((memory): readonly MemoryUse[] => {
    const { base, size } = CORE_MEMORIES[memory];
    const here = segments.filter(({ address }) => address >= base && address < base + size);
    const loaded = here.reduce((sum, { bytes }) => sum + bytes.length, 0);
    const all = here.reduce((sum, segment) => sum + segment.size, 0);
    return all === 0 ? [] : [{ memory, loaded, zeroed: all - loaded, size }];
  });
}

/** For people: `tcm 7572 of 196608 bytes (3.9 %)`. */
export const formatMemoryUse = ({ memory, loaded, zeroed, size }: MemoryUse): string =>
  `${memory} ${loaded + zeroed} of ${size} bytes (${(((loaded + zeroed) * 100) / size).toFixed(1)} %)`;
