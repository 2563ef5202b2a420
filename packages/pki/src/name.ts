import { der, DER_TAG, DerReader } from '@sevenfold/formats';

import { PkiError } from './errors.ts';
import { NAME_ATTRIBUTES, type NameAttribute } from './oids.ts';

/** A subject or issuer. Two names are the same if their DER is: stricter than RFC 5280 §7.1, and never looser. */
export interface DistinguishedName {
  readonly der: Uint8Array;
  /** In order; `type` is the short form where there is one, else the dotted OID. */
  readonly attributes: readonly NameValue[];
  /** The same, set by set. */
  readonly relativeNames: readonly (readonly NameValue[])[];
}

interface NameValue {
  readonly type: string;
  readonly value: string;
}

/** A name to be written: attributes in order. */
export type NameParts = readonly (readonly [NameAttribute, string])[];

const MAX_ATTRIBUTES = 16;
/** ub-common-name and its like (RFC 5280 appendix A.1); foreign names may be longer, ours may not. */
const MAX_OWN_VALUE = 64;
const MAX_VALUE = 256;

/** The DER of a name, one attribute a set, values as UTF8String, C as PrintableString. */
export function encodeName(parts: NameParts): Uint8Array {
  return der.sequence(
    ...parts.map(([type, value]) => {
      if (value.length === 0 || value.length > MAX_OWN_VALUE) {
        throw new PkiError('BadName', `${type} is empty or too long`, {
          field: type,
          rule: `1 … ${MAX_OWN_VALUE} characters`,
        });
      }
      const text =
        type === 'C' || type === 'serialNumber' ? der.printableString(value) : der.utf8String(value);
      return der.set(der.sequence(der.oid(NAME_ATTRIBUTES[type]), text));
    }),
  );
}

/** Reads the next element as a name. */
export function readName(reader: DerReader, field: string): DistinguishedName {
  const raw = reader.raw().slice();
  const relativeNames: (readonly NameValue[])[] = [];
  let count = 0;
  DerReader.read(raw, (outer) =>
    outer.sequence((sets) => {
      while (!sets.done) {
        sets.set((set) => {
          const attributes: NameValue[] = [];
          // RFC 5280 §4.1.2.4: at least one attribute in each set.
          do attributes.push(readAttribute(set, field));
          while (!set.done);
          relativeNames.push(attributes);
          count += attributes.length;
        });
        if (count > MAX_ATTRIBUTES) {
          throw new PkiError('BadName', 'the name has too many attributes', {
            field,
            rule: `at most ${MAX_ATTRIBUTES}`,
          });
        }
      }
    }),
  );
  return { der: raw, attributes: relativeNames.flat(), relativeNames };
}

/** The one common name; null where there is none or more than one. */
export function commonName(name: DistinguishedName): string | null {
  const names = name.attributes.filter((attribute) => attribute.type === 'CN');
  return names.length === 1 ? (names[0]?.value ?? null) : null;
}

/** The name for people: `CN=…, O=…`. */
export function nameText(name: DistinguishedName): string {
  return name.attributes
    .map(({ type, value }) => `${type}=${value.replaceAll(/\p{C}/gu, '\uFFFD')}`)
    .join(', ');
}

function readAttribute(reader: DerReader, field: string): NameValue {
  return reader.sequence((pair) => {
    const oid = pair.oid();
    const value = readText(pair, field);
    if (value.length === 0 || value.length > MAX_VALUE || value.includes('\0')) {
      throw new PkiError('BadName', 'an attribute of the name is empty, too long, or holds a zero', {
        field,
        rule: `1 … ${MAX_VALUE} characters`,
      });
    }
    const type = Object.entries(NAME_ATTRIBUTES).find(([, known]) => known === oid)?.[0] ?? oid;
    return { type, value };
  });
}

function readText(reader: DerReader, field: string): string {
  const tag = reader.peekTag() ?? 0;
  switch (tag) {
    case DER_TAG.utf8String:
      return reader.utf8String();
    case DER_TAG.printableString:
      return reader.printableString();
    case DER_TAG.ia5String:
      return reader.ia5String();
    default:
      throw new PkiError('BadName', 'an attribute of the name is in an obsolete string type', {
        field,
        rule: 'UTF8String, PrintableString or IA5String',
      });
  }
}
