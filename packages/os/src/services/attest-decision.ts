import { equalBytes, type AttestReply } from '@sevenfold/formats';
import { readCertificateFields } from './certificate-fields.ts';
import { ServicesError } from './errors.ts';
import { renewalTime } from './schedule.ts';

/** An attestation's outcome that fits this device: all times in milliseconds. */
export interface Judgement {
  readonly verdict: AttestReply['verdict'];
  readonly reasons: readonly string[];
  readonly tenantId: string | null;
  /** Leaf first, DER. */
  readonly updateChain: readonly Uint8Array[];
  /** Present only with verdict `trusted`, for a device that belongs to a tenant. */
  readonly client: { readonly tenantId: string; readonly chain: readonly Uint8Array[] } | null;
  /** The service's time, since 1970. */
  readonly time: number;
  /** From now to the next attestation: the service's wish, but never after two thirds of a certificate's life. */
  readonly nextCheck: number;
}

/** What the reply must fit. */
export interface Expectation {
  readonly deviceId: string;
  readonly clientSpki: Uint8Array;
  readonly updateSpki: Uint8Array;
}

function refuse(field: string, rule: string): never {
  throw new ServicesError(
    'BadAttestReply',
    `The service's attestation reply is wrong at ${field}: ${rule}.`,
    {
      field,
      rule,
    },
  );
}

/** Checks that the leaf is for our key, for us and for now; gives when it should be renewed, ms since 1970. */
function checkChain(
  chain: readonly Uint8Array[],
  field: string,
  spki: Uint8Array,
  expected: Expectation,
  time: number,
): number {
  const leaf = chain[0];
  if (leaf === undefined) return refuse(field, 'at least one certificate');
  const fields = readCertificateFields(leaf);
  if (!equalBytes(fields.spki, spki)) refuse(field, "the leaf certifies this device's key");
  if (fields.commonName !== expected.deviceId) refuse(field, "the leaf's common name is this device's id");
  if (time < fields.notBefore || time > fields.notAfter)
    refuse(field, "the leaf is valid at the service's own time");
  return renewalTime(fields.notBefore, fields.notAfter);
}

/** Decides what an attestation reply is worth. Pure; a reply that does not fit is `BadAttestReply`. */
export function judgeAttestReply(reply: AttestReply, expected: Expectation): Judgement {
  if (reply.deviceId !== expected.deviceId) refuse('deviceId', "this device's id");
  const time = reply.time * 1000;
  let renewal = checkChain(reply.updateChain, 'updateChain', expected.updateSpki, expected, time);
  let client: Judgement['client'] = null;
  if (reply.clientChain !== null) {
    if (reply.verdict !== 'trusted') refuse('clientChain', 'only with verdict trusted');
    if (reply.tenantId === null) return refuse('tenantId', 'present with a client certificate');
    renewal = Math.min(
      renewal,
      checkChain(reply.clientChain, 'clientChain', expected.clientSpki, expected, time),
    );
    client = { tenantId: reply.tenantId, chain: reply.clientChain };
  }
  return {
    verdict: reply.verdict,
    reasons: reply.reasons,
    tenantId: reply.tenantId,
    updateChain: reply.updateChain,
    client,
    time,
    nextCheck: Math.max(0, Math.min(reply.nextCheck * 1000, renewal - time)),
  };
}
