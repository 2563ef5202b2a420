import { fileURLToPath } from 'node:url';

/** The C library, kernel and linker scripts of real-time apps. */
export const REAL_TIME_SDK = fileURLToPath(new URL('../../realtime', import.meta.url));

/** Machine and language: what every part is compiled with. No C library has to be there. */
export const CORE_FLAGS: readonly string[] = [
  '-mcpu=cortex-m4',
  '-mthumb',
  '-mfloat-abi=hard',
  '-mfpu=fpv4-sp-d16',
  '-std=gnu11',
  '-O2',
  '-g',
  '-ffreestanding',
  '-ffunction-sections',
  '-fdata-sections',
  '-fno-common',
  // The library's own memcpy is not to be made into a call of itself.
  '-fno-tree-loop-distribute-patterns',
  '-Wall',
  '-Wextra',
  '-fdiagnostics-plain-output',
];

/** Compiled places are named alike on every machine. */
export const sdkPrefix = `-ffile-prefix-map=${REAL_TIME_SDK}=<sdk>`;
