import {
  ensureKey,
  issueAndParse,
  parseCertificate,
  type Certificate,
  type CertificateIssuer,
  type NameParts,
} from '@sevenfold/pki';

import type { ServiceContext } from '../service-context.ts';
import { ServiceError } from '../service-error.ts';
import { claimPlace, selectAuthorities, selectAuthority, type AuthorityRow } from './queries.ts';

/** What the authorities stand on. */
export type CertificatesContext = Pick<ServiceContext, 'store' | 'keys' | 'clock' | 'entropy'>;

/** The kinds of authorities and how they hang together: the parent's kind, the name, whether it is followed by others. */
const AUTHORITY_KINDS = {
  root: { parent: null, name: () => 'Sevenfold root', renewed: false },
  intermediate: { parent: 'root', name: () => 'Sevenfold intermediate', renewed: false },
  updateCa: { parent: 'intermediate', name: () => 'Sevenfold update CA', renewed: true },
  tenantCa: {
    parent: 'intermediate',
    name: (tenantId) => `Sevenfold tenant ${tenantId ?? ''}`,
    renewed: true,
  },
} as const satisfies Record<
  string,
  { parent: string | null; name: (tenantId: string | null) => string; renewed: boolean }
>;
export type AuthorityKind = keyof typeof AUTHORITY_KINDS;

/** An authority stops issuing so long before its end that what it issued ends before it. */
const LAST_DAYS_MS = 2 * 24 * 3_600_000;
const ORGANISATION = 'Sevenfold';

/** A certificate authority of this service. */
export interface Authority {
  readonly kind: AuthorityKind;
  readonly tenantId: string | null;
  readonly keyName: string;
  readonly certificate: Certificate;
  readonly issuerSerial: string | null;
}

/**
 * The authorities of the service: root → intermediate → update CA and one CA a tenant, each made when it is first
 * needed, its key in the key store, its certificate in the store. Killed at any point, the next call goes on where
 * this one was.
 */
export class CertificateAuthorities {
  readonly #context: CertificatesContext;
  /** Those that issue now, by kind and tenant: the hot path reads no rows. */
  readonly #issuing = new Map<string, Authority>();
  /** An authority that many ask for at once is made once. */
  readonly #inTheMaking = new Map<string, Promise<Authority>>();

  constructor(context: CertificatesContext) {
    this.#context = context;
  }

  /** Makes those that every service has. */
  async ensureAuthorities(): Promise<void> {
    await this.issuing('updateCa', null);
  }

  /** Makes the tenant's CA, unless it has one that still issues. */
  async ensureTenantCa(tenantId: string): Promise<Authority> {
    return this.issuing('tenantCa', tenantId);
  }

  /** The authority of that kind that issues now. */
  async issuing(kind: AuthorityKind, tenantId: string | null): Promise<Authority> {
    const slot = slotOf(kind, tenantId);
    const known = this.#issuing.get(slot);
    if (known !== undefined && this.#isIssuing(known)) return known;
    const waiting = this.#inTheMaking.get(slot);
    if (waiting !== undefined) return waiting;
    const making = this.#findOrMake(kind, tenantId).finally(() => this.#inTheMaking.delete(slot));
    this.#inTheMaking.set(slot, making);
    const authority = await making;
    this.#issuing.set(slot, authority);
    return authority;
  }

  /** All authorities of that kind whose certificates are valid now: what was issued by any of them counts. */
  async valid(kind: AuthorityKind, tenantId: string | null): Promise<readonly Authority[]> {
    await this.issuing(kind, tenantId);
    const now = this.#context.clock.now();
    const rows = await selectAuthorities(this.#context.store.read, kind, tenantId);
    return rows.filter((row) => row.notAfter >= now).map(toAuthority);
  }

  /** Every authority that the tenant ever had, the newest first. */
  async ofTenant(tenantId: string): Promise<readonly Authority[]> {
    return (await selectAuthorities(this.#context.store.read, 'tenantCa', tenantId)).map(toAuthority);
  }

  /** The certificate of this authority and all above it, root last. */
  async chainOf(authority: Authority): Promise<readonly Certificate[]> {
    const chain = [authority.certificate];
    for (let next = authority.issuerSerial; next !== null;) {
      const row = await selectAuthority(this.#context.store.read, next);
      if (row === undefined)
        throw new ServiceError('NotFound', `There is no certificate "${next}".`, { field: 'serial' });
      chain.push(parseCertificate(row.der));
      next = row.issuerSerial;
    }
    return chain;
  }

  /** Signs as this authority. */
  issuerOf(authority: Authority): CertificateIssuer {
    return {
      certificate: authority.certificate,
      sign: async (message) => this.#context.keys.sign(authority.keyName, message),
    };
  }

  #isIssuing(authority: Authority): boolean {
    const lastMoment =
      authority.certificate.notAfter - (AUTHORITY_KINDS[authority.kind].renewed ? LAST_DAYS_MS : 0);
    return this.#context.clock.now() < lastMoment;
  }

  async #findOrMake(kind: AuthorityKind, tenantId: string | null): Promise<Authority> {
    const rows = await selectAuthorities(this.#context.store.read, kind, tenantId);
    const newest = rows[0] === undefined ? null : toAuthority(rows[0]);
    if (newest !== null && this.#isIssuing(newest)) return newest;
    if (newest !== null && !AUTHORITY_KINDS[kind].renewed) {
      throw new ServiceError(
        'CertificateUnavailable',
        `The ${kind} certificate of this service has expired.`,
        { rule: 'a new one has to be installed' },
      );
    }
    return this.#make(kind, tenantId, rows.length + 1);
  }

  async #make(kind: AuthorityKind, tenantId: string | null, number: number): Promise<Authority> {
    const { clock, entropy, keys, store } = this.#context;
    const { parent, name } = AUTHORITY_KINDS[kind];
    const issuer = parent === null ? null : await this.issuing(parent, null);
    const place = `${slotOf(kind, tenantId)}.${number}`;
    const publicKey = await ensureKey(keys, place);
    const subject: NameParts = [
      ['O', ORGANISATION],
      ['CN', name(tenantId)],
    ];
    const certificate = await issueAndParse(
      kind,
      { subject, publicKey, now: clock.now(), entropy },
      issuer === null
        ? { certificate: null, sign: async (message) => keys.sign(place, message) }
        : this.issuerOf(issuer),
    );
    const row: AuthorityRow = {
      serial: certificate.serial,
      kind,
      tenantId,
      place,
      keyName: place,
      issuerSerial: issuer?.certificate.serial ?? null,
      notBefore: certificate.notBefore,
      notAfter: certificate.notAfter,
      der: certificate.der,
    };
    return toAuthority(await store.write((tx) => claimPlace(tx, row)));
  }
}

/** Also the beginning of the key's name: lower case. */
function slotOf(kind: AuthorityKind, tenantId: string | null): string {
  return [kind.replace('Ca', '-ca'), ...(tenantId === null ? [] : [tenantId])].join('.');
}

function toAuthority(row: AuthorityRow): Authority {
  if (!isAuthorityKind(row.kind))
    throw new Error(`the database holds the unknown authority kind "${row.kind}"`);
  return {
    kind: row.kind,
    tenantId: row.tenantId,
    keyName: row.keyName,
    certificate: parseCertificate(row.der),
    issuerSerial: row.issuerSerial,
  };
}

function isAuthorityKind(word: string): word is AuthorityKind {
  return Object.hasOwn(AUTHORITY_KINDS, word);
}
