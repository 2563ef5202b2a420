import { verifySignature } from '@sevenfold/pki';

import type { ServiceContext } from '../service-context.ts';
import { ServiceError } from '../service-error.ts';
import { badBatch, parseEndorsementBatch, type BadLine } from './endorsement-batch.ts';
import { insertEndorsement, selectEndorsement, selectMaker } from './queries.ts';

/** What importing stands on. */
export type ImportContext = Pick<ServiceContext, 'store' | 'clock'>;

/** A batch as its maker sent it: `signature` is r‖s over exactly the bytes of `lines`. */
export interface SignedBatch {
  readonly makerId: string;
  readonly lines: Uint8Array;
  readonly signature: Uint8Array;
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
  const maker = await selectMaker(context.store.read, batch.makerId);
  if (maker === undefined) {
    throw new ServiceError('NotFound', `There is no silicon maker "${batch.makerId}".`, { field: 'makerId' });
  }
  if (!verifySignature(maker.spki, batch.lines, batch.signature)) {
    throw new ServiceError('UntrustedSigner', 'The batch is not signed by this silicon maker’s key.', {
      field: 'signature',
      rule: 'ECDSA P-256 with SHA-256 over the lines, 64 bytes r‖s',
    });
  }
  const endorsements = parseEndorsementBatch(batch.lines);
  const now = context.clock.now();
  return context.store.write(async (tx) => {
    const badLines: BadLine[] = [];
    let imported = 0;
    for (const [index, endorsement] of endorsements.entries()) {
      const existing = await selectEndorsement(tx, endorsement.deviceId);
      if (existing === undefined) {
        await insertEndorsement(tx, { ...endorsement, makerId: maker.makerId, createdAt: now });
        imported += 1;
      } else if (existing.makerId !== maker.makerId) {
        badLines.push({ line: index + 1, rule: 'the device is endorsed by another silicon maker' });
      } else if (existing.chipSku !== endorsement.chipSku) {
        badLines.push({ line: index + 1, rule: `the device is endorsed with chip SKU ${existing.chipSku}` });
      }
    }
    if (badLines.length > 0) throw badBatch(badLines);
    return { imported, known: endorsements.length - imported };
  });
}
