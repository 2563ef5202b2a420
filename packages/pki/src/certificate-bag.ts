import { der, DerReader } from '@sevenfold/formats';

import { parseCertificate, type Certificate } from './certificate.ts';
import { PkiError } from './errors.ts';
import { OID } from './oids.ts';

const MAX_BAG_LENGTH = 64 * 1024;
const MAX_CERTIFICATES = 16;
const VERSION_1 = 1;
const SEQUENCE = 0x30;
const CERTIFICATES_TAG = 0xa0;

/**
 * The certs-only form of PKCS#7 (`.p7b`; RFC 5652 §5, RFC 8551 §3.8): signed data without content and signers, that
 * carries certificates. It proves nothing. They are a SET, so a reader finds their order out by the names in them.
 */
export function encodeCertificateBag(certificates: readonly Uint8Array[]): Uint8Array {
  checkCount(certificates.length);
  // A SET OF in its order (X.690 §11.6), under the tag `[0] IMPLICIT`.
  const set = der.set(...certificates);
  set[0] = CERTIFICATES_TAG;
  const signedData = der.sequence(
    der.integer(VERSION_1),
    der.set(),
    der.sequence(der.oid(OID.data)),
    set,
    der.set(),
  );
  return der.sequence(der.oid(OID.signedData), der.explicit(0, signedData));
}

/** Reads such a bag strictly, each certificate as `parseCertificate` does. Refuses with `BadCertificateBag` and the codes of those. */
export function parseCertificateBag(untrusted: Uint8Array): readonly Certificate[] {
  if (untrusted.length > MAX_BAG_LENGTH)
    throw badBag('it is too large', 'bag', `at most ${MAX_BAG_LENGTH} bytes`);
  return DerReader.read(new Uint8Array(untrusted), (reader) =>
    reader.sequence((content) => {
      if (content.oid() !== OID.signedData)
        throw badBag('it is no signed data', 'contentType', 'RFC 5652 §5.1');
      return content.explicit(0, (inner) => inner.sequence(readSignedData));
    }),
  );
}

function readSignedData(fields: DerReader): readonly Certificate[] {
  if (fields.smallInteger() !== VERSION_1)
    throw badBag('the version is not known', 'version', 'RFC 5652 §5.1: 1');
  fields.set((digests) => {
    if (!digests.done) throw badBag('it names digests', 'digestAlgorithms', 'RFC 8551 §3.8: none');
  });
  fields.sequence((content) => {
    if (content.oid() !== OID.data || !content.done)
      throw badBag('it has a content', 'encapContentInfo', 'RFC 8551 §3.8: absent');
  });
  const certificates: Certificate[] = [];
  fields.explicit(0, (set) => {
    do {
      // Attribute certificates and their like have other tags.
      if (set.peekTag() !== SEQUENCE)
        throw badBag('it holds something else than certificates', 'certificates', 'X.509 alone');
      certificates.push(parseCertificate(set.raw()));
      checkCount(certificates.length);
    } while (!set.done);
  });
  // Revocation lists: there are none here, but others put an empty set there.
  fields.optionalExplicit(1, (lists) => {
    if (!lists.done) throw badBag('it holds revocation lists', 'crls', 'none');
  });
  fields.set((signers) => {
    if (!signers.done) throw badBag('it is signed', 'signerInfos', 'RFC 8551 §3.8: none');
  });
  return certificates;
}

function checkCount(count: number): void {
  if (count === 0 || count > MAX_CERTIFICATES)
    throw badBag('it holds too many certificates or none', 'certificates', `1 … ${MAX_CERTIFICATES}`);
}

function badBag(why: string, field: string, rule: string): PkiError {
  return new PkiError('BadCertificateBag', `This PKCS#7 chain is refused: ${why}.`, { field, rule });
}
