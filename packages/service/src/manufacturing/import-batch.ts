import type { Endorsement, EndorsementFormat } from '@sevenfold/formats';
import { verifySignature } from '@sevenfold/pki';
import type { Kysely } from 'kysely';

import type { ServiceContext } from '../service-context.ts';
import { ServiceError } from '../service-error.ts';
import type { Database } from '../store/database.ts';
import { badBatch, parseEndorsementBatch, type BadLine } from './endorsement-batch.ts';
import {
  insertEndorsement,
  selectEndorsement,
  selectEndorsementByName,
  selectMaker,
  type SiliconMakerRow,
} from './queries.ts';

/** What importing stands on. */
export type ImportContext = Pick<ServiceContext, 'store' | 'clock'>;

/** A batch as its maker sent it: `signature` is r‖s over exactly the bytes of `lines`. */
export interface SignedBatch {
  readonly makerId: string;
  readonly lines: Uint8Array;
  readonly signature: Uint8Array;
  /** JSON Lines unless told. */
  readonly format?: EndorsementFormat;
}

/** How many chips became genuine, and how many were before. */
export interface ImportedBatch {
  readonly imported: number;
  readonly known: number;
}

/**
 * Takes in a maker's batch: all of it or nothing (`InvalidEndorsements` names the bad lines). The same batch again
 * changes nothing. No maker can say anything about a chip that another one has endorsed.
 */
export async function importBatch(context: ImportContext, batch: SignedBatch): Promise<ImportedBatch> {
  const maker = await getMaker(context, batch.makerId);
  if (!verifySignature(maker.spki, batch.lines, batch.signature)) {
    throw new ServiceError('UntrustedSigner', 'The batch is not signed by this silicon maker’s key.', {
      field: 'signature',
      rule: 'ECDSA P-256 with SHA-256 over the lines, 64 bytes r‖s',
    });
  }
  return takeIn(context, maker, parseEndorsementBatch(batch.lines, batch.format ?? 'json-lines'));
}

/** The maker; `NotFound`. */
export async function getMaker(
  { store }: Pick<ServiceContext, 'store'>,
  makerId: string,
): Promise<SiliconMakerRow> {
  const maker = await selectMaker(store.read, makerId);
  if (maker === undefined) {
    throw new ServiceError('NotFound', `There is no silicon maker "${makerId}".`, { field: 'makerId' });
  }
  return maker;
}

/** Writes down what a maker has been proved to say: all of it or nothing. Line n is the n-th endorsement. */
export async function takeIn(
  context: ImportContext,
  maker: SiliconMakerRow,
  endorsements: readonly Endorsement[],
): Promise<ImportedBatch> {
  const now = context.clock.now();
  return context.store.write(async (tx) => {
    const badLines: BadLine[] = [];
    let imported = 0;
    for (const [index, endorsement] of endorsements.entries()) {
      const conflict = await conflictWith(tx, maker, endorsement);
      if (conflict === null) {
        await insertEndorsement(tx, { ...endorsement, makerId: maker.makerId, createdAt: now });
        imported += 1;
      } else if (conflict !== 'known') {
        badLines.push({ line: index + 1, rule: conflict });
      }
    }
    if (badLines.length > 0) throw badBatch(badLines);
    return { imported, known: endorsements.length - imported };
  });
}

/** What was said before that this contradicts; `known` for the same again, null for what is new. */
async function conflictWith(
  tx: Kysely<Database>,
  maker: SiliconMakerRow,
  { deviceId, chipSku, evidenceName }: Endorsement,
): Promise<string | null> {
  const existing = await selectEndorsement(tx, deviceId);
  if (existing === undefined) {
    const holder = await selectEndorsementByName(tx, evidenceName);
    return holder === undefined ? null : 'the evidence name is that of another device';
  }
  if (existing.makerId !== maker.makerId) return 'the device is endorsed by another silicon maker';
  if (existing.chipSku !== chipSku) return `the device is endorsed with chip SKU ${existing.chipSku}`;
  if (existing.evidenceName !== evidenceName) return 'the device is endorsed with another evidence name';
  return 'known';
}
