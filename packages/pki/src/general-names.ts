import { DerReader, toHex } from '@sevenfold/formats';

import { PkiError } from './errors.ts';
import { readName, type DistinguishedName } from './name.ts';

/** A name of RFC 5280 §4.2.1.6. Addresses are hex; kinds that nothing here can compare are told by their tag alone. */
export type GeneralName =
  | { readonly kind: 'dns' | 'email' | 'uri'; readonly value: string }
  | { readonly kind: 'ip'; readonly value: string }
  | { readonly kind: 'directory'; readonly value: DistinguishedName }
  | { readonly kind: 'other'; readonly value: string };

const TAG = { email: 0x81, dns: 0x82, directory: 0xa4, uri: 0x86, ip: 0x87 } as const;
const MAX_TEXT = 253;
const MAX_URI = 1024;
const DNS_NAME = /^[A-Za-z0-9*_-]+(?:\.[A-Za-z0-9_-]+)*$/u;

/** The octets that a name of kind `ip` may have: an address in certificates, address and mask in constraints. */
export type AddressForm = 'address' | 'subtree';

/** Reads the next `GeneralName`; `field` is the extension that it stands in. */
export function readGeneralName(reader: DerReader, field: string, form: AddressForm): GeneralName {
  const { tag, content } = reader.any();
  switch (tag) {
    case TAG.dns:
      return { kind: 'dns', value: readDnsName(content, field, form) };
    case TAG.ip: {
      const lengths = form === 'address' ? [4, 16] : [8, 32];
      if (!lengths.includes(content.length))
        throw badName('an IP address has a wrong length', field, `${lengths.join(' or ')} bytes`);
      return { kind: 'ip', value: toHex(content) };
    }
    case TAG.email:
      return { kind: 'email', value: readAscii(content, field, MAX_TEXT) };
    case TAG.uri:
      return { kind: 'uri', value: readAscii(content, field, MAX_URI) };
    case TAG.directory:
      return { kind: 'directory', value: DerReader.read(content, (inner) => readName(inner, field)) };
    default:
      return { kind: 'other', value: tag.toString(16) };
  }
}

function readDnsName(content: Uint8Array, field: string, form: AddressForm): string {
  const name = readAscii(content, field, MAX_TEXT);
  // RFC 5280 §4.2.1.10: the empty name is a subtree, of everything.
  if (form === 'subtree' && name === '') return name;
  if (!DNS_NAME.test(name)) throw badName('a DNS name is not one', field, 'RFC 5280 §4.2.1.6');
  return name;
}

function readAscii(content: Uint8Array, field: string, most: number): string {
  if (content.length > most || content.some((octet) => octet < 0x20 || octet > 0x7e))
    throw badName('a name is too long or not printable ASCII', field, `at most ${most} characters`);
  return String.fromCharCode(...content);
}

function badName(message: string, field: string, rule: string): PkiError {
  return new PkiError('BadExtension', message, { field, rule });
}
