import {
  CborMapReader,
  cborMap,
  decodeCbor,
  encodeCbor,
  equalBytes,
  readArray,
  readBytes,
  readText,
  type CborValue,
} from '@sevenfold/formats';
import type { Judgement } from './attest-decision.ts';
import { readCertificateFields } from './certificate-fields.ts';
import type { Credentials } from './daa.ts';
import { ServicesError, describeError } from './errors.ts';
import type { Kernel, TlsIdentity } from './kernel.ts';

/** Milliseconds between two writes: a service that wants a device attested every second does not wear its flash out. */
const LEAST_INTERVAL = 600_000;
const KEYS = {
  version: 0,
  verdict: 1,
  reasons: 2,
  tenantId: 3,
  updateChain: 4,
  updateTicket: 5,
  clientTenant: 6,
  clientChain: 7,
  clientTicket: 8,
  attestedAt: 9,
  due: 10,
} as const;
const VERSION = 1;
const VERDICTS = [
  'trusted',
  'outdated',
  'revoked',
  'unknown',
] as const satisfies readonly Judgement['verdict'][];
const LIMITS = { maxBytes: 32_000, maxDepth: 4 };
const MOST_CERTIFICATES = 16;
const LARGEST_CERTIFICATE = 16 * 1024;
const LARGEST_TICKET = 1024;

/** What an earlier boot of this very system left: credentials, and the private key that apps may use. */
export interface Restored {
  readonly credentials: Credentials;
  readonly clientKey: Uint8Array | null;
}

/**
 * Keeps certificates over reboots and power-down, and never a key: with them lie Pluton's tickets, from which this
 * very software on this very chip gets the keys back.
 */
export class CredentialCache {
  readonly #kernel: Kernel;
  readonly #clock: { now(): number; monotonic(): number };
  readonly #deviceId: string;
  readonly #log: (line: string) => void;
  #writtenAt: number | null = null;
  #clientTenant: string | null = null;

  constructor(
    kernel: Kernel,
    clock: { now(): number; monotonic(): number },
    deviceId: string,
    log: (line: string) => void,
  ) {
    this.#kernel = kernel;
    this.#clock = clock;
    this.#deviceId = deviceId;
    this.#log = log;
  }

  /** Keeps what an attestation brought. Never rejects: without it the next boot attests anew. */
  async keep(credentials: Credentials): Promise<void> {
    try {
      const tenant = credentials.judgement.client?.tenantId ?? null;
      const now = this.#clock.monotonic();
      if (this.#writtenAt !== null && now - this.#writtenAt < LEAST_INTERVAL) {
        // What is kept still holds, unless the trust that it stands for has gone.
        if (tenant !== this.#clientTenant) await this.forget();
        return;
      }
      this.#writtenAt = now;
      await this.#kernel.credentialsWrite(encode(credentials, this.#clock.now()));
      this.#clientTenant = tenant;
    } catch (error) {
      this.#log(`the certificates are not kept: ${describeError(error)}`);
    }
  }

  /** Drops what is kept. */
  async forget(): Promise<void> {
    this.#clientTenant = null;
    await this.#kernel.credentialsWrite(null);
  }

  /** Null: nothing was kept by this very system, or it has ended. Never rejects. */
  async restore(): Promise<Restored | null> {
    try {
      const kept = await this.#kernel.credentialsRead();
      if (kept === null) return null;
      const restored = await this.#restoreFrom(kept);
      this.#clientTenant = restored.credentials.judgement.client?.tenantId ?? null;
      return restored;
    } catch (error) {
      this.#log(`the kept certificates are of no use: ${describeError(error)}`);
      return null;
    }
  }

  async #restoreFrom(kept: Uint8Array): Promise<Restored> {
    const { judgement, attestedAt, due, tickets } = decode(kept);
    const now = this.#clock.now();
    const update = await this.#identity(judgement.updateChain, tickets.update, now);
    const client =
      judgement.client === null || tickets.client === null
        ? null
        : await this.#identity(judgement.client.chain, tickets.client, now);
    // A clock before the attestation is wrong: what it says of appointments is worth nothing.
    const nextCheck = now < attestedAt ? 0 : Math.max(0, due - now);
    return {
      credentials: { judgement: { ...judgement, nextCheck }, update, tickets },
      clientKey: client?.key ?? null,
    };
  }

  /**
   * Steps in order: the leaf is this device's and has not ended; Pluton gives the ticket's key back; it is the key
   * that the leaf certifies. A clock before `notBefore` is no reason to refuse: the certificate is there, so the clock
   * is behind, and whoever is shown the certificate has one of his own.
   */
  async #identity(chain: readonly Uint8Array[], ticket: Uint8Array, now: number): Promise<TlsIdentity> {
    const fields = readCertificateFields(chain[0] ?? new Uint8Array(0));
    if (fields.commonName !== this.#deviceId || now > fields.notAfter)
      throw new ServicesError('CertificateEnded', 'The certificate has ended, or is another device’s.');
    const { keyId, spki } = await this.#kernel.createSessionKey(ticket);
    const key = await this.#kernel.exportSessionKey(keyId);
    if (!equalBytes(spki, fields.spki))
      throw new ServicesError('CertificateEnded', 'The certificate is not for the key of its ticket.');
    return { chain, key };
  }
}

function encode({ judgement, tickets }: Credentials, now: number): Uint8Array {
  const { verdict, reasons, tenantId, updateChain, client, nextCheck } = judgement;
  return encodeCbor(
    cborMap(KEYS, {
      version: VERSION,
      verdict,
      reasons: [...reasons],
      tenantId: tenantId ?? undefined,
      updateChain: [...updateChain],
      updateTicket: tickets.update,
      clientTenant: client?.tenantId,
      clientChain: client === null ? undefined : [...client.chain],
      clientTicket: tickets.client ?? undefined,
      attestedAt: Math.round(now),
      due: Math.round(now + nextCheck),
    }),
  );
}

function decode(kept: Uint8Array): {
  readonly judgement: Judgement;
  readonly attestedAt: number;
  readonly due: number;
  readonly tickets: Credentials['tickets'];
} {
  const reader = new CborMapReader(decodeCbor(kept, LIMITS), KEYS, 'credentials');
  reader.uint('version', { min: VERSION, max: VERSION });
  const said = reader.text('verdict', 16);
  const verdict = VERDICTS.find((known) => known === said);
  if (verdict === undefined)
    throw new ServicesError('BadReply', 'There is no such verdict.', { field: 'verdict' });
  const reasons = readArray(reader.value('reasons'), 'reasons', 64);
  const hasClient = reader.has('clientChain');
  const attestedAt = reader.uint('attestedAt');
  const judgement: Judgement = {
    verdict,
    reasons: reasons.map((reason) => readText(reason, 'reasons', 1024)),
    tenantId: reader.has('tenantId') ? reader.text('tenantId', 64) : null,
    updateChain: chainOf(reader.value('updateChain')),
    client: hasClient
      ? { tenantId: reader.text('clientTenant', 64), chain: chainOf(reader.value('clientChain')) }
      : null,
    time: attestedAt,
    nextCheck: 0,
  };
  const ticket = { min: 1, max: LARGEST_TICKET };
  return {
    judgement,
    attestedAt,
    due: reader.uint('due'),
    tickets: {
      update: reader.bytes('updateTicket', ticket),
      client: hasClient ? reader.bytes('clientTicket', ticket) : null,
    },
  };
}

function chainOf(value: CborValue): readonly Uint8Array[] {
  return readArray(value, 'chain', MOST_CERTIFICATES).map((certificate) =>
    readBytes(certificate, 'chain', { min: 1, max: LARGEST_CERTIFICATE }),
  );
}
