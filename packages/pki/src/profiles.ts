import { PkiError } from './errors.ts';
import type { KeyCurve } from './keys.ts';

/** Key usages of RFC 5280 §4.2.1.3, by bit number. */
export const KEY_USAGE_BITS = {
  digitalSignature: 0,
  nonRepudiation: 1,
  keyEncipherment: 2,
  dataEncipherment: 3,
  keyAgreement: 4,
  keyCertSign: 5,
  cRLSign: 6,
  encipherOnly: 7,
  decipherOnly: 8,
} as const;
export type KeyUsage = keyof typeof KEY_USAGE_BITS;

/** Extended key usages that this project issues or asks for. */
export const EXTENDED_KEY_USAGES = {
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const;
export type ExtendedKeyUsage = keyof typeof EXTENDED_KEY_USAGES;

/** How long certificates live: calendar years, or whole hours. */
export type Lifetime = { readonly years: number } | { readonly hours: number };

/** One kind of certificate: everything about it that does not differ from one to the next. */
export interface Profile {
  readonly lifetime: Lifetime;
  /** How many CA certificates may follow (RFC 5280 §4.2.1.9); null: an end entity. */
  readonly pathLength: number | null;
  readonly keyUsage: readonly KeyUsage[];
  readonly extendedKeyUsage: readonly ExtendedKeyUsage[];
  /** The curves that its key may be on; the first unless asked otherwise. */
  readonly curves: readonly KeyCurve[];
  /** Whether it carries the attestation data (docs/attestation-extension.md). */
  readonly attestation: boolean;
  /** Whether it names hosts. */
  readonly hostNames: boolean;
}

/** Every certificate begins this long before it is made, for clocks that are slow. */
export const BACKDATE_MS = 5 * 60 * 1000;

const CA = {
  keyUsage: ['keyCertSign', 'cRLSign'],
  extendedKeyUsage: [],
  curves: ['P-256'],
  attestation: false,
  hostNames: false,
} as const;
const END_ENTITY = {
  pathLength: null,
  keyUsage: ['digitalSignature'],
  curves: ['P-256'],
  attestation: false,
  hostNames: false,
} as const;

/** What is issued here, and nothing else is. */
export const PROFILES = {
  root: { ...CA, lifetime: { years: 20 }, pathLength: 2, curves: ['P-256', 'P-384'] },
  intermediate: { ...CA, lifetime: { years: 10 }, pathLength: 1, curves: ['P-256', 'P-384'] },
  tenantCa: { ...CA, lifetime: { years: 2 }, pathLength: 0 },
  updateCa: { ...CA, lifetime: { years: 2 }, pathLength: 0 },
  device: { ...END_ENTITY, lifetime: { hours: 24 }, extendedKeyUsage: ['clientAuth'], attestation: true },
  // Told from a device's client certificate by its issuer: no relying party is ever given the update CA.
  update: { ...END_ENTITY, lifetime: { hours: 24 }, extendedKeyUsage: ['clientAuth'], attestation: true },
  // Its common name is a text that somebody else has chosen, so it must never pass for a client: no
  // `digitalSignature`, without which no TLS library takes it, and a key that nobody keeps.
  proofOfPossession: {
    ...END_ENTITY,
    lifetime: { hours: 1 },
    keyUsage: ['nonRepudiation'],
    extendedKeyUsage: [],
  },
  tlsServer: { ...END_ENTITY, lifetime: { years: 1 }, extendedKeyUsage: ['serverAuth'], hostNames: true },
} as const satisfies Record<string, Profile>;
export type ProfileName = keyof typeof PROFILES;

/** `start` (ms since 1970) plus a lifetime; a year ends on its own date, 29 February on 1 March. */
export function addLifetime(start: number, lifetime: Lifetime): number {
  if ('hours' in lifetime) return start + lifetime.hours * 3_600_000;
  const end = new Date(start);
  end.setUTCFullYear(end.getUTCFullYear() + lifetime.years);
  if (!Number.isFinite(end.getTime()))
    throw new PkiError('BadValidity', 'the certificate would never end', { field: 'notAfter' });
  return end.getTime();
}
