import { BRANCH } from './branch.ts';
import { DATA_PROCESSING } from './data-processing.ts';
import { FLOAT } from './float.ts';
import { MEMORY } from './memory.ts';
import { MULTIPLY } from './multiply.ts';
import type { Row } from './row.ts';
import { SATURATE } from './saturate.ts';

/** Every encoding that the core knows. Where two rows fit, the first that accepts wins. */
export const ROWS: readonly Row[] = [
  ...BRANCH,
  ...DATA_PROCESSING,
  ...MEMORY,
  ...MULTIPLY,
  ...SATURATE,
  ...FLOAT,
];
