import { der, DerReader } from '@sevenfold/formats';

import { decodeAttestationData, type AttestationData } from './attestation-data.ts';
import { PkiError } from './errors.ts';
import { readGeneralName, type GeneralName } from './general-names.ts';
import { readNameConstraints, type NameConstraints } from './name-constraints.ts';
import { OID } from './oids.ts';
import { KEY_USAGE_BITS, type KeyUsage } from './profiles.ts';

/** The extensions of a certificate that are understood here; null where one is absent. */
export interface Extensions {
  readonly basicConstraints: { readonly isCa: boolean; readonly pathLength: number | null } | null;
  readonly keyUsage: readonly KeyUsage[] | null;
  /** Dotted OIDs. */
  readonly extendedKeyUsage: readonly string[] | null;
  readonly subjectKeyId: Uint8Array | null;
  readonly authorityKeyId: Uint8Array | null;
  /** DNS names as they stand, IP addresses in hex; `all` holds every name. */
  readonly alternativeNames: {
    readonly dns: readonly string[];
    readonly ip: readonly string[];
    readonly all: readonly GeneralName[];
  } | null;
  readonly nameConstraints: NameConstraints | null;
  readonly attestation: AttestationData | null;
  /** Dotted OIDs of critical extensions that are not understood. */
  readonly unprocessed: readonly string[];
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

const MAX_EXTENSIONS = 32;
const MAX_ENTRIES = 64;
const MAX_PATH_LENGTH = 255;

/** One extension as it is written (RFC 5280 §4.2); `critical` FALSE is the default and therefore left out. */
export function encodeExtension(oid: string, critical: boolean, value: Uint8Array): Uint8Array {
  return der.sequence(der.oid(oid), ...(critical ? [der.boolean(true)] : []), der.octetString(value));
}

/** Reads `Extensions`: each at most once (RFC 5280 §4.2). */
export function readExtensions(reader: DerReader): Extensions {
  const found: Mutable<Extensions> = {
    basicConstraints: null,
    keyUsage: null,
    extendedKeyUsage: null,
    subjectKeyId: null,
    authorityKeyId: null,
    alternativeNames: null,
    nameConstraints: null,
    attestation: null,
    unprocessed: [],
  };
  const seen = new Set<string>();
  reader.sequence((list) => {
    do {
      list.sequence((extension) => {
        const oid = extension.oid();
        if (seen.has(oid))
          throw new PkiError('DuplicateExtension', `the extension ${oid} stands twice`, {
            field: oid,
            rule: 'RFC 5280 §4.2',
          });
        seen.add(oid);
        if (seen.size > MAX_EXTENSIONS)
          throw badExtension('there are too many extensions', 'extensions', `at most ${MAX_EXTENSIONS}`);
        const critical = readCritical(extension, oid);
        readValue(found, oid, critical, extension.octetString());
      });
    } while (!list.done);
  });
  if (found.nameConstraints !== null && found.basicConstraints?.isCa !== true)
    throw badExtension('name constraints of no authority', OID.nameConstraints, 'RFC 5280 §4.2.1.10');
  return found;
}

function readCritical(reader: DerReader, oid: string): boolean {
  const critical = reader.optional(0x01, (flag) => flag.boolean());
  if (critical === false)
    throw badExtension('a default is written out', oid, 'X.690 §11.5: critical FALSE is left out');
  return critical ?? false;
}

function readValue(found: Mutable<Extensions>, oid: string, critical: boolean, value: Uint8Array): void {
  switch (oid) {
    case OID.basicConstraints:
      found.basicConstraints = DerReader.read(value, readBasicConstraints);
      break;
    case OID.keyUsage:
      found.keyUsage = DerReader.read(value, readKeyUsage);
      break;
    case OID.extendedKeyUsage:
      found.extendedKeyUsage = DerReader.read(value, readExtendedKeyUsage);
      break;
    case OID.subjectKeyIdentifier:
      found.subjectKeyId = DerReader.read(value, (reader) => readKeyId(reader.octetString(), oid));
      break;
    case OID.authorityKeyIdentifier:
      found.authorityKeyId = DerReader.read(value, readAuthorityKeyId);
      break;
    case OID.subjectAlternativeName:
      found.alternativeNames = DerReader.read(value, readAlternativeNames);
      break;
    case OID.attestation:
      found.attestation = decodeAttestationData(value);
      break;
    case OID.nameConstraints:
      // Critical or not: to ignore a constraint would be to lift it.
      found.nameConstraints = DerReader.read(value, readNameConstraints);
      break;
    default:
      if (critical) found.unprocessed = [...found.unprocessed, oid];
  }
}

/** RFC 5280 §4.2.1.9. */
function readBasicConstraints(reader: DerReader): Extensions['basicConstraints'] {
  return reader.sequence((fields) => {
    const isCa = fields.optional(0x01, (flag) => flag.boolean());
    if (isCa === false)
      throw badExtension(
        'a default is written out',
        OID.basicConstraints,
        'X.690 §11.5: cA FALSE is left out',
      );
    const pathLength = fields.done ? null : fields.smallInteger(MAX_PATH_LENGTH);
    if (pathLength !== null && isCa === null) {
      throw badExtension('a path length without cA', OID.basicConstraints, 'RFC 5280 §4.2.1.9');
    }
    return { isCa: isCa ?? false, pathLength };
  });
}

/** RFC 5280 §4.2.1.3: at least one bit, none that has no name. */
function readKeyUsage(reader: DerReader): readonly KeyUsage[] {
  const usages = reader.namedBits().map((bit) => KEY_USAGES.find(([, number]) => number === bit)?.[0]);
  if (usages.length === 0) throw badExtension('no key usage is set', OID.keyUsage, 'RFC 5280 §4.2.1.3');
  return usages.map((usage) => {
    if (usage === undefined) throw badExtension('a key usage is not known', OID.keyUsage, 'bits 0 … 8');
    return usage;
  });
}

// The keys of a constant object are its keys.
const KEY_USAGES = Object.entries(KEY_USAGE_BITS) as readonly (readonly [KeyUsage, number])[];

/** RFC 5280 §4.2.1.12. */
function readExtendedKeyUsage(reader: DerReader): readonly string[] {
  return reader.sequence((list) => {
    const purposes: string[] = [];
    do purposes.push(list.oid());
    while (!list.done);
    if (purposes.length > MAX_ENTRIES)
      throw badExtension('too many purposes', OID.extendedKeyUsage, `at most ${MAX_ENTRIES}`);
    return purposes;
  });
}

/** RFC 5280 §4.2.1.1: the key id counts; issuer and serial number may stand beside it. */
function readAuthorityKeyId(reader: DerReader): Uint8Array | null {
  return reader.sequence((fields) => {
    const keyId = fields.optionalImplicit(0);
    while (!fields.done) fields.any();
    return keyId === null ? null : readKeyId(keyId, OID.authorityKeyIdentifier);
  });
}

function readKeyId(bytes: Uint8Array, oid: string): Uint8Array {
  if (bytes.length === 0 || bytes.length > MAX_ENTRIES)
    throw badExtension('a key id has a wrong length', oid, `1 … ${MAX_ENTRIES} bytes`);
  return bytes.slice();
}

/** RFC 5280 §4.2.1.6: at least one name. */
function readAlternativeNames(reader: DerReader): NonNullable<Extensions['alternativeNames']> {
  const all: GeneralName[] = [];
  reader.sequence((names) => {
    do {
      all.push(readGeneralName(names, OID.subjectAlternativeName, 'address'));
      if (all.length > MAX_ENTRIES)
        throw badExtension('too many names', OID.subjectAlternativeName, `at most ${MAX_ENTRIES}`);
    } while (!names.done);
  });
  const ofKind = (kind: 'dns' | 'ip'): readonly string[] =>
    all.flatMap((name) => (name.kind === kind ? [name.value] : []));
  return { dns: ofKind('dns'), ip: ofKind('ip'), all };
}

function badExtension(message: string, field: string, rule: string): PkiError {
  return new PkiError('BadExtension', message, { field, rule });
}
