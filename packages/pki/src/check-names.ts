import { fromHex } from '@sevenfold/formats';

import type { Certificate } from './certificate.ts';
import { PkiError } from './errors.ts';
import type { GeneralName } from './general-names.ts';
import type { NameConstraints } from './name-constraints.ts';
import type { DistinguishedName } from './name.ts';
import { OID } from './oids.ts';

/**
 * Holds every name of `certificate` against the constraints of one authority above it (RFC 5280 §6.1.3 (b), (c)):
 * each is outside all excluded subtrees and, where subtrees of its kind are permitted, inside one of them. A name that
 * cannot be compared is refused where its kind is constrained. Refuses with `NameNotPermitted`.
 */
export function checkNames(certificate: Certificate, constraints: NameConstraints): void {
  for (const name of namesOf(certificate)) {
    if (constraints.excluded.some((subtree) => subtree.kind === name.kind && isWithin(name, subtree, true)))
      throw notPermitted(certificate, name, 'an authority above excludes it');
    const permitted = constraints.permitted.filter((subtree) => subtree.kind === name.kind);
    if (permitted.length > 0 && !permitted.some((subtree) => isWithin(name, subtree, false)))
      throw notPermitted(certificate, name, 'no authority above permits it');
  }
}

/** The subject, the alternative names and, where there are none, e-mail addresses in the subject. */
function namesOf(certificate: Certificate): readonly GeneralName[] {
  const { subject, alternativeNames } = certificate;
  const inSubject: GeneralName[] =
    subject.attributes.length === 0 ? [] : [{ kind: 'directory', value: subject }];
  if (alternativeNames !== null) return [...inSubject, ...alternativeNames.all];
  const addresses = subject.attributes.filter(({ type }) => type === OID.emailAddress);
  return [...inSubject, ...addresses.map(({ value }) => ({ kind: 'email' as const, value }))];
}

/** `asExcluded`: in doubt it is within; otherwise in doubt it is not. */
function isWithin(name: GeneralName, subtree: GeneralName, asExcluded: boolean): boolean {
  if (name.kind === 'directory' && subtree.kind === 'directory')
    return isDirectoryWithin(name.value, subtree.value);
  if (name.kind === 'ip' && subtree.kind === 'ip')
    return isAddressWithin(fromHex(name.value), fromHex(subtree.value));
  if (name.kind === 'dns' && subtree.kind === 'dns')
    return isDnsWithin(name.value.toLowerCase(), subtree.value.toLowerCase(), asExcluded);
  if (name.kind === 'email' && subtree.kind === 'email')
    return isEmailWithin(name.value, subtree.value, asExcluded);
  if (name.kind === 'uri' && subtree.kind === 'uri')
    return isUriWithin(name.value, subtree.value.toLowerCase(), asExcluded);
  return asExcluded;
}

/** The host itself or any name below it. A wildcard is within if one of the hosts it stands for is excluded. */
function isDnsWithin(name: string, subtree: string, asExcluded: boolean): boolean {
  const isBelow = (host: string): boolean =>
    subtree === '' || host === subtree || host.endsWith(`.${subtree}`);
  if (!name.startsWith('*')) return isBelow(name);
  if (!name.startsWith('*.')) return asExcluded;
  const parent = name.slice(2);
  if (isBelow(parent)) return true;
  return asExcluded && subtree.endsWith(`.${parent}`);
}

function isAddressWithin(address: Uint8Array, subtree: Uint8Array): boolean {
  const { length } = address;
  if (subtree.length !== 2 * length) return false;
  return address.every(
    (octet, index) => (((subtree[index] ?? 0) ^ octet) & (subtree[length + index] ?? 0)) === 0,
  );
}

/** One mailbox (`a@host`), all of a host (`host`), or all below a domain (`.domain`). */
function isEmailWithin(name: string, subtree: string, asExcluded: boolean): boolean {
  const at = name.lastIndexOf('@');
  if (at <= 0 || at === name.length - 1) return asExcluded;
  if (subtree.includes('@')) {
    const boundary = subtree.lastIndexOf('@');
    // The local part is compared as it stands (RFC 5280 §7.5), but to exclude, letter case is no way around.
    const fold = (local: string): string => (asExcluded ? local.toLowerCase() : local);
    return (
      fold(name.slice(0, at)) === fold(subtree.slice(0, boundary)) &&
      name.slice(at).toLowerCase() === subtree.slice(boundary).toLowerCase()
    );
  }
  return isHostWithin(name.slice(at + 1).toLowerCase(), subtree.toLowerCase());
}

/** The host of a URI with an authority; others, addresses, and hosts behind a user’s name cannot be compared. */
function isUriWithin(uri: string, subtree: string, asExcluded: boolean): boolean {
  const host = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/([^/?#@:[\]]+)(?::[0-9]*)?(?:[/?#]|$)/u
    .exec(uri)?.[1]
    ?.toLowerCase();
  if (host === undefined || /^[0-9.]+$/u.test(host)) return asExcluded;
  return isHostWithin(host, subtree);
}

function isHostWithin(host: string, subtree: string): boolean {
  return subtree.startsWith('.') ? host.endsWith(subtree) : subtree === '' || host === subtree;
}

/** Whether the name begins with all of the subtree's relative names (RFC 5280 §7.1). */
function isDirectoryWithin(name: DistinguishedName, subtree: DistinguishedName): boolean {
  return subtree.relativeNames.every((wanted, index) => {
    const found = name.relativeNames[index];
    return found !== undefined && comparable(found) === comparable(wanted);
  });
}

/** Without regard to letter case, width and runs of spaces: two writings of a name must not be two names here. */
function comparable(relativeName: DistinguishedName['relativeNames'][number]): string {
  const values = relativeName.map(({ type, value }) =>
    JSON.stringify([type, value.normalize('NFKC').toLowerCase().trim().replaceAll(/\s+/gu, ' ')]),
  );
  return values.toSorted((one, other) => (one < other ? -1 : 1)).join();
}

function notPermitted(certificate: Certificate, name: GeneralName, why: string): PkiError {
  return new PkiError('NameNotPermitted', `A name of kind ${name.kind} is refused: ${why}.`, {
    field: `certificate ${certificate.serial}`,
    rule: 'RFC 5280 §6.1.3 (b), (c)',
  });
}
