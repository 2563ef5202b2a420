import { stagePlugins } from '../../../packages/os/src/board/testing/release.fixture.ts';
import type { Edit } from './attack.ts';
import { withoutPlugin } from './without.ts';

/** Within the world of `run-without.ts`: has the stages of its devices bundled without these lines, too. */
export function takeOut(edits: readonly Edit[]): void {
  stagePlugins.push(withoutPlugin(edits));
}
