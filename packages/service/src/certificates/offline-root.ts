import { equalBytes } from '@sevenfold/formats';
import {
  encodeSigningRequest,
  ensureKey,
  isSignedBy,
  verifyChain,
  type Certificate,
  type KeyCurve,
} from '@sevenfold/pki';

import { ServiceError } from '../service-error.ts';
import {
  authorityName,
  authorityRow,
  type CertificateAuthorities,
  type CertificatesContext,
} from './authorities.ts';
import {
  claimPlace,
  deleteRequest,
  insertRequest,
  revokeAuthority,
  selectAuthorities,
  selectRequest,
} from './queries.ts';

type OfflineContext = CertificatesContext & { readonly authorities: CertificateAuthorities };

/**
 * The request (PKCS#10, DER) for an intermediate of this service, to be carried to a root that lives elsewhere. Its
 * key is made here and stays here. Asking again gives a request for the same key until the answer is imported.
 * Refuses with `Conflict` where the root lives here.
 */
export async function requestIntermediate(context: OfflineContext, curve: KeyCurve): Promise<Uint8Array> {
  const { clock, keys, store } = context;
  const [root] = await selectAuthorities(store.read, 'root', null);
  if (root !== undefined && (await keys.public(root.keyName)) !== null) {
    throw new ServiceError('Conflict', 'The root of this service lives here: nobody has to be asked.');
  }
  const waiting = await selectRequest(store.read);
  const number = (await selectAuthorities(store.read, 'intermediate', null)).length + 1;
  const place = waiting ?? `intermediate.${number}`;
  // First the note, then the key: from now on no root is made here.
  await store.write((tx) => insertRequest(tx, place, clock.now()));
  const spki = await ensureKey(keys, place, curve);
  return encodeSigningRequest(authorityName('intermediate', null), spki, async (message) =>
    keys.sign(place, message),
  );
}

/**
 * Takes the answer of the root: its own certificate and the intermediate's, in any order. The root of the first answer
 * is this service's root for good. `compromised`: the former intermediate is taken back. Refuses with `Conflict` what
 * answers no request, and with the codes of `verifyChain` what the root has not certified.
 */
export async function importAnswer(
  context: OfflineContext,
  answer: readonly Certificate[],
  compromised: boolean,
): Promise<Certificate> {
  const { authorities, clock, keys, store } = context;
  const place = await selectRequest(store.read);
  const spki = place === undefined ? null : await keys.public(place);
  if (place === undefined || spki === null) throw notAnAnswer('no request waits for an answer', 'answer');
  const intermediate = answer.find((one) => equalBytes(one.spki, spki));
  if (intermediate === undefined) throw notAnAnswer('it is for another key', 'intermediate');
  const root = rootOf(answer);
  const [known] = await selectAuthorities(store.read, 'root', null);
  if (known !== undefined && known.serial !== root.serial)
    throw notAnAnswer('it comes from another root', 'root', `root ${known.serial}`);
  verifyChain({ leaf: intermediate, intermediates: [], roots: [root], now: clock.now(), purpose: null });
  checkIntermediate(intermediate);
  const [former] = await selectAuthorities(store.read, 'intermediate', null);
  const now = clock.now();
  const authority = { tenantId: null, activeFrom: now } as const;
  await store.write(async (tx) => {
    if (known === undefined)
      await claimPlace(
        tx,
        authorityRow({ ...authority, kind: 'root', keyName: OFFLINE }, 'root.1', root, null),
      );
    const row = { ...authority, kind: 'intermediate', keyName: place } as const;
    await claimPlace(tx, authorityRow(row, place, intermediate, root.serial));
    if (compromised && former !== undefined) await revokeAuthority(tx, former.serial, now);
    await deleteRequest(tx, place);
  });
  authorities.forget();
  await authorities.ensureAuthorities();
  return intermediate;
}

/** Where the root's key would be: no store has a key of this name unless the root was made here. */
const OFFLINE = 'root.1';

function rootOf(answer: readonly Certificate[]): Certificate {
  const root = answer.find(
    (one) => equalBytes(one.subject.der, one.issuer.der) && one.basicConstraints?.isCa === true,
  );
  if (root === undefined || !isSignedBy(root, root))
    throw notAnAnswer('the root’s own certificate is not in it', 'root');
  return root;
}

/** It has to be what the profile says, or nothing could be issued below it. */
function checkIntermediate({ basicConstraints, keyUsage }: Certificate): void {
  const isAuthority = basicConstraints?.isCa === true && keyUsage?.includes('keyCertSign') === true;
  if (!isAuthority || (basicConstraints.pathLength !== null && basicConstraints.pathLength < 1))
    throw notAnAnswer('it is not for an authority with authorities below it', 'intermediate');
}

function notAnAnswer(why: string, field: string, rule?: string): ServiceError {
  return new ServiceError('Conflict', `This answer is refused: ${why}.`, {
    field,
    ...(rule === undefined ? {} : { rule }),
  });
}
