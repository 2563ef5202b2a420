import {
  curveOfSpki,
  ensureKey,
  issueAndParse,
  parseCertificate,
  type Certificate,
  type CertificateIssuer,
  type KeyCurve,
  type NameParts,
} from '@sevenfold/pki';

import type { ServiceContext } from '../service-context.ts';
import { ServiceError } from '../service-error.ts';
import {
  activeOf,
  activeUntil,
  NEXT_BEFORE_END_MS,
  nextActiveFrom,
  statusOf,
  type AuthorityStatus,
} from './life-cycle.ts';
import {
  claimPlace,
  revokeAuthority,
  selectAuthorities,
  selectAuthority,
  selectOrphans,
  selectRequest,
  selectTenantsEndingBefore,
  type AuthorityRow,
} from './queries.ts';

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

const ORGANISATION = 'Sevenfold';
/** For so long the hot path believes that nobody else has changed anything. */
const REMEMBERED_MS = 3_600_000;

/** A certificate authority of this service. */
export interface Authority {
  readonly kind: AuthorityKind;
  readonly tenantId: string | null;
  readonly keyName: string;
  readonly certificate: Certificate;
  readonly issuerSerial: string | null;
  /** Moments in ms since 1970. */
  readonly activeFrom: number;
  readonly notAfter: number;
  readonly revokedAt: number | null;
}

/**
 * The authorities of the service: root → intermediate → update CA and CAs of tenants, each made when it is first
 * needed, its key in the key store, its certificate in the store. Killed at any point, the next call goes on where
 * this one was.
 */
export class CertificateAuthorities {
  readonly #context: CertificatesContext;
  /** Those that issue now, by kind and tenant, with what stands above them: the hot path reads no rows. */
  readonly #issuing = new Map<string, { readonly authority: Authority; readonly until: number }>();
  readonly #chains = new Map<string, readonly Certificate[]>();
  /** An authority that many ask for at once is made once. */
  readonly #inTheMaking = new Map<string, Promise<Authority>>();

  constructor(context: CertificatesContext) {
    this.#context = context;
  }

  /**
   * Makes those that every service has, certifies anew what stood under an intermediate that was taken back, and makes
   * the next CA of each tenant whose time has come. To be called now and then.
   */
  async ensureAuthorities(): Promise<void> {
    await this.issuing('intermediate', null);
    await this.#certifyOrphans();
    await this.issuing('updateCa', null);
    const soon = this.#context.clock.now() + NEXT_BEFORE_END_MS;
    const failures: unknown[] = [];
    for (const tenantId of await selectTenantsEndingBefore(this.#context.store.read, soon)) {
      // One tenant's failure must not keep the others from their next CA.
      await this.ensureTenantCa(tenantId).catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }

  /** The tenant's CA that issues, made where there is none; and the next one where its time has come. */
  async ensureTenantCa(tenantId: string): Promise<Authority> {
    const active = await this.issuing('tenantCa', tenantId);
    const all = await this.ofTenant(tenantId);
    const activeFrom = nextActiveFrom(all, this.#context.clock.now());
    if (activeFrom !== null) {
      await this.#make('tenantCa', tenantId, all.length + 1, activeFrom);
      this.#issuing.delete(slotOf('tenantCa', tenantId));
    }
    return active;
  }

  /** The authority of that kind that issues now. */
  async issuing(kind: AuthorityKind, tenantId: string | null): Promise<Authority> {
    const slot = slotOf(kind, tenantId);
    const known = this.#issuing.get(slot);
    if (known !== undefined && this.#context.clock.now() < known.until) return known.authority;
    const waiting = this.#inTheMaking.get(slot);
    if (waiting !== undefined) return waiting;
    const making = this.#findOrMake(kind, tenantId).finally(() => this.#inTheMaking.delete(slot));
    this.#inTheMaking.set(slot, making);
    return making;
  }

  /** All of that kind that were not taken back and have not ended, those that do not issue yet among them. */
  async valid(kind: AuthorityKind, tenantId: string | null): Promise<readonly Authority[]> {
    await this.issuing(kind, tenantId);
    const now = this.#context.clock.now();
    const rows = await selectAuthorities(this.#context.store.read, kind, tenantId);
    return rows.filter((row) => row.notAfter >= now && row.revokedAt === null).map(toAuthority);
  }

  /** Every authority that the tenant ever had, the newest first. */
  async ofTenant(tenantId: string): Promise<readonly (Authority & { readonly status: AuthorityStatus })[]> {
    const all = (await selectAuthorities(this.#context.store.read, 'tenantCa', tenantId)).map(toAuthority);
    const now = this.#context.clock.now();
    return all.map((authority) => ({ ...authority, status: statusOf(authority, all, now) }));
  }

  /** That CA of the tenant. Refuses one of another tenant, or none, with `NotFound`. */
  async ofTenantBySerial(
    tenantId: string,
    serial: string,
  ): Promise<Authority & { readonly status: AuthorityStatus }> {
    const wanted = (await this.ofTenant(tenantId)).find(({ certificate }) => certificate.serial === serial);
    if (wanted !== undefined) return wanted;
    throw new ServiceError('NotFound', `There is no certificate "${serial}".`, { field: 'serial' });
  }

  /** The certificate of this authority and all above it, root last. */
  async chainOf(authority: Authority): Promise<readonly Certificate[]> {
    const known = this.#chains.get(authority.certificate.serial);
    if (known !== undefined) return known;
    const chain = [authority.certificate];
    for (let next = authority.issuerSerial; next !== null;) {
      const row = await selectAuthority(this.#context.store.read, next);
      if (row === undefined)
        throw new ServiceError('NotFound', `There is no certificate "${next}".`, { field: 'serial' });
      chain.push(parseCertificate(row.der));
      next = row.issuerSerial;
    }
    this.#chains.set(authority.certificate.serial, chain);
    return chain;
  }

  /** Signs as this authority. */
  issuerOf(authority: Authority): CertificateIssuer {
    return {
      certificate: authority.certificate,
      sign: (message) => this.#context.keys.sign(authority.keyName, message),
    };
  }

  /** Takes a tenant's CA back; where it was the one that issued, another one does from now on. */
  async revokeTenantCa(tenantId: string, serial: string): Promise<Authority> {
    await this.ofTenantBySerial(tenantId, serial);
    await this.#context.store.write((tx) => revokeAuthority(tx, serial, this.#context.clock.now()));
    this.forget();
    return this.issuing('tenantCa', tenantId);
  }

  /**
   * Makes root and intermediate on that curve where there are none yet, so that everything later finds them.
   * Refuses with `AlreadyExists` when there are.
   */
  async makeRoot(curve: KeyCurve): Promise<Authority> {
    await this.#refuseSecondRoot();
    await this.#make('root', null, 1, this.#context.clock.now(), curve);
    return this.issuing('intermediate', null);
  }

  /**
   * Puts a new intermediate with a new key in place of the one that issues. `compromised`: the former is taken back,
   * and what it has certified is certified anew: same keys, same names, so nobody who registered them notices.
   */
  async replaceIntermediate(serial: string, compromised: boolean): Promise<Authority> {
    const { clock, store } = this.#context;
    const former = await this.issuing('intermediate', null);
    if (former.certificate.serial !== serial) {
      throw new ServiceError('Conflict', `The intermediate that issues is not "${serial}".`, {
        field: 'serial',
        rule: `it is ${former.certificate.serial}`,
      });
    }
    const rows = await selectAuthorities(store.read, 'intermediate', null);
    const made = await this.#make('intermediate', null, rows.length + 1, clock.now());
    if (compromised) await store.write((tx) => revokeAuthority(tx, serial, clock.now()));
    this.forget();
    await this.#certifyOrphans();
    return made;
  }

  /** Reads everything anew: after somebody else has changed it. */
  forget(): void {
    this.#issuing.clear();
    this.#chains.clear();
  }

  async #refuseSecondRoot(): Promise<void> {
    const rows = await selectAuthorities(this.#context.store.read, 'root', null);
    if (rows.length > 0) throw new ServiceError('AlreadyExists', 'This service has a root already.');
    if ((await selectRequest(this.#context.store.read)) !== undefined) throw answerMissing();
  }

  async #findOrMake(kind: AuthorityKind, tenantId: string | null): Promise<Authority> {
    const now = this.#context.clock.now();
    const all = (await selectAuthorities(this.#context.store.read, kind, tenantId)).map(toAuthority);
    const { renewed } = AUTHORITY_KINDS[kind];
    const active = renewed ? activeOf(all, now) : (all.find((one) => isInForce(one, now)) ?? null);
    if (active === null && all.length > 0 && !renewed && !(await this.#isRootHere(kind))) {
      throw new ServiceError(
        'CertificateUnavailable',
        `The ${kind} certificate of this service has expired.`,
        { rule: 'a new one has to be installed' },
      );
    }
    const authority = active ?? (await this.#make(kind, tenantId, all.length + 1, now));
    const until = renewed ? activeUntil([...all, authority], now) : authority.notAfter;
    this.#issuing.set(slotOf(kind, tenantId), {
      authority,
      until: Math.min(until, now + REMEMBERED_MS),
    });
    return authority;
  }

  /** A service that was off for years makes its next intermediate itself where it has the key to. */
  async #isRootHere(kind: AuthorityKind): Promise<boolean> {
    if (kind !== 'intermediate') return false;
    const root = await this.issuing('root', null);
    return (await this.#context.keys.public(root.keyName)) !== null;
  }

  async #make(
    kind: AuthorityKind,
    tenantId: string | null,
    number: number,
    activeFrom: number,
    wantedCurve?: KeyCurve,
  ): Promise<Authority> {
    const { keys, store } = this.#context;
    const { parent } = AUTHORITY_KINDS[kind];
    if (parent === null && (await selectRequest(store.read)) !== undefined) throw answerMissing();
    const issuer = parent === null ? null : await this.issuing(parent, null);
    if (issuer !== null && (await keys.public(issuer.keyName)) === null) {
      throw new ServiceError('CertificateUnavailable', 'The root of this service lives elsewhere.', {
        rule: 'ask it for an intermediate: `sevenfold pki init --offline-root`, `pki sign`, `pki import`',
      });
    }
    // An intermediate is as strong as its root; all below is P-256.
    const rootCurve =
      kind === 'intermediate' && issuer !== null ? curveOfSpki(issuer.certificate.spki) : null;
    const place = `${slotOf(kind, tenantId)}.${number}`;
    const publicKey = await ensureKey(keys, place, wantedCurve ?? rootCurve ?? 'P-256');
    return this.#certify({ kind, tenantId, keyName: place, activeFrom }, place, publicKey, issuer);
  }

  async #certify(
    what: Pick<Authority, 'kind' | 'tenantId' | 'keyName' | 'activeFrom'>,
    place: string,
    publicKey: Uint8Array,
    issuer: Authority | null,
  ): Promise<Authority> {
    const { clock, entropy, keys, store } = this.#context;
    const certificate = await issueAndParse(
      what.kind,
      { subject: authorityName(what.kind, what.tenantId), publicKey, now: clock.now(), entropy },
      issuer === null
        ? { certificate: null, sign: async (message) => keys.sign(what.keyName, message) }
        : this.issuerOf(issuer),
    );
    const row = authorityRow(what, place, certificate, issuer?.certificate.serial ?? null);
    return toAuthority(await store.write((tx) => claimPlace(tx, row)));
  }

  /** What stands under an authority that was taken back: its key is its own, so it gets another certificate. */
  async #certifyOrphans(): Promise<void> {
    const { clock, keys, store } = this.#context;
    for (const row of await selectOrphans(store.read, clock.now())) {
      const orphan = toAuthority(row);
      const publicKey = await keys.public(orphan.keyName);
      const { parent } = AUTHORITY_KINDS[orphan.kind];
      if (publicKey === null || parent === null) continue;
      const issuer = await this.issuing(parent, null);
      await this.#certify(orphan, `${row.place}.again-${issuer.certificate.serial}`, publicKey, issuer);
      await store.write((tx) => revokeAuthority(tx, row.serial, clock.now()));
      this.forget();
    }
  }
}

/** The subject of an authority. */
export function authorityName(kind: AuthorityKind, tenantId: string | null): NameParts {
  return [
    ['O', ORGANISATION],
    ['CN', AUTHORITY_KINDS[kind].name(tenantId)],
  ];
}

/** An authority as a row. */
export function authorityRow(
  what: Pick<Authority, 'kind' | 'tenantId' | 'keyName' | 'activeFrom'>,
  place: string,
  certificate: Certificate,
  issuerSerial: string | null,
): AuthorityRow {
  return {
    serial: certificate.serial,
    kind: what.kind,
    tenantId: what.tenantId,
    place,
    keyName: what.keyName,
    issuerSerial,
    notBefore: certificate.notBefore,
    notAfter: certificate.notAfter,
    der: certificate.der,
    activeFrom: what.activeFrom,
    revokedAt: null,
  };
}

function isInForce(authority: Authority, now: number): boolean {
  return authority.revokedAt === null && now < authority.notAfter;
}

function answerMissing(): ServiceError {
  return new ServiceError('CertificateUnavailable', 'The root of this service has not answered yet.', {
    rule: 'import its answer: `sevenfold pki import`',
  });
}

/** Also the beginning of the key's name: lower case. */
function slotOf(kind: AuthorityKind, tenantId: string | null): string {
  const word = kind === 'tenantCa' ? 'tenant-ca' : kind === 'updateCa' ? 'update-ca' : kind;
  return tenantId === null ? word : `${word}.${tenantId}`;
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
    activeFrom: row.activeFrom,
    notAfter: row.notAfter,
    revokedAt: row.revokedAt,
  };
}

function isAuthorityKind(word: string): word is AuthorityKind {
  return Object.hasOwn(AUTHORITY_KINDS, word);
}
