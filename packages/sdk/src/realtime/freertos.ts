import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { SdkError } from '../errors.ts';

/** Parts of a FreeRTOS kernel, from its folder: what an app may need, and the port for a Cortex-M4F. */
const PARTS = ['tasks.c', 'queue.c', 'list.c', 'timers.c', 'event_groups.c', 'stream_buffer.c'] as const;
const PORT = 'portable/GCC/ARM_CM4F';
const HEAP = 'portable/MemMang/heap_4.c';

/** Sources and header folders of a FreeRTOS kernel, as absolute paths. */
export interface FreeRtos {
  readonly folder: string;
  readonly sources: readonly string[];
  readonly headers: readonly string[];
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** Finds a kernel in a folder, or in `FreeRTOS/Source` or `Source` below it. Throws `ProjectIncomplete`. */
export async function findFreeRtos(folder: string): Promise<FreeRtos> {
  for (const below of folder === '' ? [] : ['', 'Source', 'FreeRTOS/Source']) {
    const root = join(folder, below);
    const needed = [...PARTS.slice(0, 3), join(PORT, 'port.c'), HEAP].map((path) => join(root, path));
    if (!(await Promise.all(needed.map(isThere))).every(Boolean)) continue;
    const sources: string[] = [];
    for (const path of [...PARTS, join(PORT, 'port.c'), HEAP]) {
      // Older kernels lack some of the rest.
      if (await isThere(join(root, path))) sources.push(join(root, path));
    }
    return { folder: root, sources, headers: [join(root, 'include'), join(root, PORT)] };
  }
  throw new SdkError(
    'ProjectIncomplete',
    `There is no FreeRTOS kernel in ${folder === '' ? 'a folder that is not named' : folder}.`,
    {
      field: 'freertos',
      rule: `--freertos PATH, a folder with tasks.c and ${PORT}/port.c`,
    },
  );
}
