import { toHex, evidenceNameOf, type Endorsement } from '@sevenfold/formats';
import {
  parseForeignCertificate,
  PkiError,
  spkiSha256,
  thumbprint,
  verifyChain,
  type Certificate,
} from '@sevenfold/pki';

import type { ServiceContext } from '../service-context.ts';
import { ServiceError } from '../service-error.ts';
import { checkAttestationKey } from './attestation-key.ts';
import { badBatch, type BadLine } from './endorsement-batch.ts';
import { getMaker, takeIn, type ImportContext, type ImportedBatch } from './import-batch.ts';
import { insertRoot, selectRoot, selectRoots, type MakerRootRow } from './queries.ts';

/** Certificates of one chain at most, and chains of one import. */
const MAX_CHAIN = 6;
const MAX_CHAINS = 1000;

/** A root of a silicon maker: chips whose chain ends there are of this SKU. */
export interface MakerRoot {
  readonly makerId: string;
  /** Hex of the SHA-1 of the root's SPKI. */
  readonly thumbprint: string;
  readonly chipSku: number;
  readonly createdAt: number;
}

/**
 * Registers a root of a maker whose chips come with an IDevID (IEEE 802.1AR) or EK certificate. The same again is no
 * error; `AlreadyExists` where the root stands for another maker or SKU.
 */
export async function registerRoot(
  context: ImportContext,
  root: { readonly makerId: string; readonly der: Uint8Array; readonly chipSku: number },
): Promise<MakerRoot> {
  const maker = await getMaker(context, root.makerId);
  const certificate = parseForeignCertificate(root.der);
  if (certificate.basicConstraints?.isCa !== true) {
    throw new ServiceError('InvalidEndorsements', 'This is no certificate authority.', {
      field: 'certificate',
      rule: 'basic constraints with cA (RFC 5280 §4.2.1.9)',
    });
  }
  const row: MakerRootRow = {
    thumbprint: toHex(thumbprint(certificate.spki)),
    makerId: maker.makerId,
    der: certificate.der,
    chipSku: root.chipSku,
    createdAt: context.clock.now(),
  };
  return context.store.write(async (tx) => {
    const known = await selectRoot(tx, row.thumbprint);
    if (known === undefined) await insertRoot(tx, row);
    else if (known.makerId !== row.makerId || known.chipSku !== row.chipSku) {
      throw new ServiceError('AlreadyExists', 'This root is registered for another maker or chip SKU.', {
        field: 'certificate',
        rule: 'one root, one maker, one chip SKU',
      });
    }
    return toRoot(known ?? row);
  });
}

/** The roots of a maker. */
export async function listRoots(
  context: Pick<ServiceContext, 'store'>,
  makerId: string,
): Promise<readonly MakerRoot[]> {
  await getMaker(context, makerId);
  return (await selectRoots(context.store.read, makerId)).map(toRoot);
}

/**
 * Takes in chips by their certificate chains, leaf first, each verified to a root that is registered for the maker
 * (RFC 5280 §6, bounded): all of them or none. Bad chains are told by number, as lines are.
 */
export async function importChains(
  context: ImportContext,
  batch: { readonly makerId: string; readonly chains: readonly (readonly Uint8Array[])[] },
): Promise<ImportedBatch> {
  const maker = await getMaker(context, batch.makerId);
  const rows = await selectRoots(context.store.read, maker.makerId);
  const roots = rows.map((row) => ({ row, certificate: parseForeignCertificate(row.der) }));
  const now = context.clock.now();
  const endorsements: Endorsement[] = [];
  const badLines: BadLine[] = [];
  const seen = new Set<string>();
  if (batch.chains.length === 0 || batch.chains.length > MAX_CHAINS) {
    throw new ServiceError('InvalidEndorsements', 'There must be some chains, and not too many.', {
      field: 'chains',
      rule: `1 to ${MAX_CHAINS}`,
    });
  }
  for (const [index, chain] of batch.chains.entries()) {
    const read = endorsementOf(chain, roots, now);
    if (typeof read === 'string') badLines.push({ line: index + 1, rule: read });
    else if (seen.has(read.deviceId)) badLines.push({ line: index + 1, rule: 'the device is here twice' });
    else {
      seen.add(read.deviceId);
      endorsements.push(read);
    }
  }
  if (badLines.length > 0) throw badBatch(badLines);
  return takeIn(context, maker, endorsements);
}

interface Root {
  readonly row: MakerRootRow;
  readonly certificate: Certificate;
}

/** What a chain says, or what is wrong with it. */
function endorsementOf(
  chain: readonly Uint8Array[],
  roots: readonly Root[],
  now: number,
): Endorsement | string {
  if (chain.length === 0 || chain.length > MAX_CHAIN) return `a chain has 1 to ${MAX_CHAIN} certificates`;
  try {
    const [leaf, ...intermediates] = chain.map((der) => parseForeignCertificate(der));
    if (leaf === undefined) return 'the chain is empty';
    // An authority is no chip: its key could certify others as this very device.
    if (leaf.basicConstraints?.isCa === true) return 'the first certificate is that of an authority';
    const path = verifyChain({
      leaf,
      intermediates,
      roots: roots.map(({ certificate }) => certificate),
      now,
      // An IDevID says what the chip is, not what its key may do in TLS.
      purpose: null,
    });
    const anchor = roots.find(({ certificate }) => certificate === path.at(-1));
    if (anchor === undefined) return 'its root is not registered for this silicon maker';
    const spki = checkAttestationKey(leaf.spki, 'spki');
    const deviceId = toHex(spkiSha256(spki));
    return { deviceId, spki, chipSku: anchor.row.chipSku, evidenceName: evidenceNameOf(deviceId) };
  } catch (error) {
    if (error instanceof PkiError) return `${error.code}: ${error.message}`;
    if (error instanceof Error && 'code' in error && error.name === 'FormatError') {
      return `${String(error.code)}: ${error.message}`;
    }
    throw error;
  }
}

function toRoot({ makerId, thumbprint: name, chipSku, createdAt }: MakerRootRow): MakerRoot {
  return { makerId, thumbprint: name, chipSku, createdAt };
}
