import { DER_TAG, DerReader } from '@sevenfold/formats';

/** What the device itself must know of a certificate; who issued it is the relying party's question. */
export interface CertificateFields {
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  /** The subject's common name; empty: it has none. */
  readonly commonName: string;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
}

const COMMON_NAME = '2.5.4.3';
const SUBJECT_LIMITS = { maxBytes: 16 * 1024, maxDepth: 16 };

/** Reads the fields out of a certificate (RFC 5280 §4.1); refuses what is not one with FormatError. */
export function readCertificateFields(untrusted: Uint8Array): CertificateFields {
  return DerReader.read(
    untrusted,
    (outer) =>
      outer.sequence((certificate) => {
        const fields = certificate.sequence(readTbs);
        certificate.sequence(skipRest);
        certificate.bitString();
        return fields;
      }),
    SUBJECT_LIMITS,
  );
}

function readTbs(tbs: DerReader): CertificateFields {
  tbs.explicit(0, (version) => version.integer());
  tbs.integer();
  tbs.sequence(skipRest);
  tbs.sequence(skipRest);
  const { notBefore, notAfter } = tbs.sequence((validity) => ({
    notBefore: validity.time(),
    notAfter: validity.time(),
  }));
  const commonName = tbs.sequence(readCommonName);
  const spki = tbs.raw();
  skipRest(tbs);
  return { spki, commonName, notBefore, notAfter };
}

function readCommonName(name: DerReader): string {
  let commonName = '';
  while (!name.done) {
    name.set((relative) => {
      while (!relative.done) {
        relative.sequence((attribute) => {
          const type = attribute.oid();
          if (type !== COMMON_NAME) return skipRest(attribute);
          commonName =
            attribute.peekTag() === DER_TAG.printableString
              ? attribute.printableString()
              : attribute.utf8String();
        });
      }
    });
  }
  return commonName;
}

function skipRest(reader: DerReader): void {
  while (!reader.done) reader.any();
}
