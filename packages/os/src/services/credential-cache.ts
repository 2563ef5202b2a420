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
  clientChain: 6,
  clientTicket: 7,
  attestedAt: 8,
  due: 9,
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

/** What an earlier boot of this very system left: credentials, and the identity that apps may use. */
export interface Restored {
  readonly credentials: Credentials;
  readonly client: TlsIdentity & { readonly tenantId: string };
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
  /** Whose certificate is kept; undefined: not known. */
  #keptFor: string | null | undefined;

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

  /**
   * Keeps what an attestation brought, if it brought a client certificate: a device that is not trusted, or nobody's
   * yet, asks again at its next boot. Never rejects: without what is kept that is all that happens.
   */
  async keep(credentials: Credentials): Promise<void> {
    try {
      const tenant = credentials.judgement.client?.tenantId ?? null;
      const now = this.#clock.monotonic();
      const isEarly = this.#writtenAt !== null && now - this.#writtenAt < LEAST_INTERVAL;
      const bytes = isEarly ? null : encode(credentials, this.#clock.now());
      if (bytes === null) {
        // What is kept still holds, unless the trust that it stands for has gone.
        if (tenant !== this.#keptFor) await this.forget();
        return;
      }
      this.#writtenAt = now;
      await this.#kernel.credentialsWrite(bytes);
      this.#keptFor = tenant;
    } catch (error) {
      this.#log(`the certificates are not kept: ${describeError(error)}`);
    }
  }

  /** Drops what is kept. */
  async forget(): Promise<void> {
    await this.#kernel.credentialsWrite(null);
    this.#keptFor = null;
  }

  /** Null: nothing was kept by this very system, or it has ended. Never rejects. */
  async restore(): Promise<Restored | null> {
    try {
      const kept = await this.#kernel.credentialsRead();
      if (kept === null) return null;
      const restored = await this.#restoreFrom(kept);
      this.#keptFor = restored.client.tenantId;
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
    const client = await this.#identity(judgement.client.chain, tickets.client, now);
    // A clock before the attestation is wrong: what it says of appointments is worth nothing.
    const nextCheck = now < attestedAt ? 0 : Math.max(0, due - now);
    return {
      credentials: { judgement: { ...judgement, nextCheck }, update, tickets },
      client: { ...client, tenantId: judgement.client.tenantId },
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

/** Null: there is no client certificate to keep. */
function encode({ judgement, tickets }: Credentials, now: number): Uint8Array | null {
  const { verdict, reasons, updateChain, client, nextCheck } = judgement;
  if (client === null || tickets.client === null) return null;
  return encodeCbor(
    cborMap(KEYS, {
      version: VERSION,
      verdict,
      reasons: [...reasons],
      tenantId: client.tenantId,
      updateChain: [...updateChain],
      updateTicket: tickets.update,
      clientChain: [...client.chain],
      clientTicket: tickets.client,
      attestedAt: Math.round(now),
      due: Math.round(now + nextCheck),
    }),
  );
}

function decode(kept: Uint8Array) {
  const reader = new CborMapReader(decodeCbor(kept, LIMITS), KEYS, 'credentials');
  reader.uint('version', { min: VERSION, max: VERSION });
  const said = reader.text('verdict', 16);
  const verdict = VERDICTS.find((known) => known === said);
  if (verdict === undefined)
    throw new ServicesError('BadReply', 'There is no such verdict.', { field: 'verdict' });
  const reasons = readArray(reader.value('reasons'), 'reasons', 64);
  const attestedAt = reader.uint('attestedAt');
  const tenantId = reader.text('tenantId', 64);
  const ticket = { min: 1, max: LARGEST_TICKET };
  return {
    judgement: {
      verdict,
      reasons: reasons.map((reason) => readText(reason, 'reasons', 1024)),
      tenantId,
      updateChain: chainOf(reader.value('updateChain')),
      client: { tenantId, chain: chainOf(reader.value('clientChain')) },
      time: attestedAt,
    },
    attestedAt,
    due: reader.uint('due'),
    tickets: {
      update: reader.bytes('updateTicket', ticket),
      client: reader.bytes('clientTicket', ticket),
    },
  };
}

function chainOf(value: CborValue): readonly Uint8Array[] {
  return readArray(value, 'chain', MOST_CERTIFICATES).map((certificate) =>
    readBytes(certificate, 'chain', { min: 1, max: LARGEST_CERTIFICATE }),
  );
}
