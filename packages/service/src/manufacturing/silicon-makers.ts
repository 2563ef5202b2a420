import { equalBytes, guidFromRandom } from '@sevenfold/formats';
import { checkP256Spki } from '@sevenfold/pki';

import type { ServiceContext } from '../service-context.ts';
import { ServiceError } from '../service-error.ts';
import { insertMaker, selectMakerByName, selectMakers, type SiliconMakerRow } from './queries.ts';

/** Who makes chips, and the key that signs its endorsements. */
export type SiliconMaker = SiliconMakerRow;

/** What the verbs of this file stand on. */
export type SiliconMakersContext = Pick<ServiceContext, 'store' | 'clock' | 'entropy'>;

/**
 * Registers a silicon maker by its ECDSA P-256 key; from now on its batches are taken. The same maker again is no
 * error. `AlreadyExists` for a name that stands for another key.
 */
export async function registerSiliconMaker(
  context: SiliconMakersContext,
  maker: { readonly name: string; readonly spki: Uint8Array },
): Promise<SiliconMaker> {
  const row: SiliconMakerRow = {
    makerId: guidFromRandom(context.entropy.random(16)),
    name: maker.name,
    spki: checkP256Spki(maker.spki, 'spki'),
    createdAt: context.clock.now(),
  };
  return context.store.write(async (tx) => {
    const known = await selectMakerByName(tx, maker.name);
    if (known === undefined) {
      await insertMaker(tx, row);
      return row;
    }
    if (equalBytes(known.spki, row.spki)) return known;
    throw new ServiceError(
      'AlreadyExists',
      `There is a silicon maker "${maker.name}" with another key already.`,
      {
        field: 'name',
        rule: 'a maker’s key never changes',
      },
    );
  });
}

/** All silicon makers, by name. */
export async function listSiliconMakers(
  context: Pick<SiliconMakersContext, 'store'>,
): Promise<readonly SiliconMaker[]> {
  return selectMakers(context.store.read);
}
