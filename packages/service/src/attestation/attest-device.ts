import {
  attestationChallengeInput,
  DEVICE_LIMITS,
  equalBytes,
  toHex,
  type AttestReply,
  type AttestRequest,
  type ProvedKey,
} from '@sevenfold/formats';
import { PublicKey, sha256, spkiSha256 } from '@sevenfold/pki';

import type { CertificateAuthorities } from '../certificates/authorities.ts';
import {
  issueClientCertificate,
  issueUpdateCertificate,
  type IssuedCertificate,
} from '../certificates/device-certificates.ts';
import type { Admission } from '../device-port/admission.ts';
import { appointment, type Schedule } from '../device-port/schedule.ts';
import { findAttester, type Attester } from '../registry/find-attester.ts';
import { requireAmong } from '../registry/tenants.ts';
import type { ServiceContext } from '../service-context.ts';
import { ServiceError } from '../service-error.ts';
import type { Appraisal } from './appraise.ts';
import { appraiseDevice, type KeptAppraisal } from './appraise-device.ts';
import { useNonce } from './challenge.ts';
import type { UnprovenEvidence } from './evidence.ts';
import { decodeEvidence } from './evidence-formats.ts';
import { POLICY_VERSION } from './policy.ts';
import { replaceAttestation, replaceRefusal } from './queries.ts';

/** What attesting stands on. */
export type AttestationContext = Pick<ServiceContext, 'store' | 'clock' | 'entropy'> & {
  readonly authorities: CertificateAuthorities;
  readonly schedule: Schedule;
  /** Turns away whom there is no place for now; absent: whoever comes has one. */
  readonly admission?: Pick<Admission, 'admit'>;
};

/**
 * Device authentication and attestation, as named steps in order. Genuine and trusted: a client and an update
 * certificate. Genuine alone: the update certificate, and the release to reach. Anything else: a refusal
 * (`InvalidEvidence`, `StaleChallenge`, `DeviceNotGenuine`, `DeviceBlocked`, `DeviceReleased`,
 * `ChipNotAllowed`) and nothing;
 * under load `TooManyRequests` with an appointment.
 * `exporter` is the keying material of the connection that the request came over.
 */
export async function attestDevice(
  context: AttestationContext,
  request: AttestRequest,
  exporter: () => Uint8Array,
): Promise<AttestReply> {
  const challenge = await challengeOf(context, request, exporter);
  const evidence = decodeEvidence(request.token);
  const device = await requireGenuine(context, evidence);
  requireFresh(evidence, challenge);
  context.admission?.admit(device.deviceId);
  const keys = {
    client: requireProof('clientKey', request.clientKey, challenge),
    update: requireProof('updateKey', request.updateKey, challenge),
  };
  requireKeysApart(request, device.spki);
  await requireServed(context, device);
  const appraised = await appraiseDevice(context, device, evidence);
  const evidenceDigest = sha256(request.token);
  const certificates = await issueCertificates(context, evidenceDigest, keys, device, appraised.appraisal);
  return settle(context, { evidenceDigest, device, evidence, appraised, certificates });
}

/** What the device had to sign: bound to this connection, or to a nonce that is used up by this. */
async function challengeOf(
  context: AttestationContext,
  request: AttestRequest,
  exporter: () => Uint8Array,
): Promise<Uint8Array> {
  if (request.nonce !== undefined) await useNonce(context, request.nonce);
  const binder = request.nonce ?? exporter();
  return sha256(
    attestationChallengeInput(binder, spkiSha256(request.clientKey.spki), spkiSha256(request.updateKey.spki)),
  );
}

/** A silicon maker vouches for the device's key, and that key signed the evidence. */
async function requireGenuine(context: AttestationContext, evidence: UnprovenEvidence): Promise<Attester> {
  const device = await findAttester(context.store.read, evidence.evidenceName);
  if (device === null) {
    throw new ServiceError('DeviceNotGenuine', 'No silicon maker has endorsed this device.', {
      field: 'token',
      rule: 'the attestation key is endorsed',
    });
  }
  if (!evidence.isSignedBy(device.spki)) {
    throw new ServiceError('InvalidEvidence', 'The evidence is not signed by the device’s attestation key.', {
      field: 'token',
      rule: 'signed by the endorsed key',
    });
  }
  return device;
}

/** Neither replayed nor relayed, and made for exactly these keys. */
function requireFresh(evidence: UnprovenEvidence, challenge: Uint8Array): void {
  if (equalBytes(evidence.challenge, challenge)) return;
  throw new ServiceError(
    'StaleChallenge',
    'The evidence was made for another connection, nonce or other keys.',
    {
      field: 'token.nonce',
      rule: 'the challenge of this request',
    },
  );
}

/** The key to be certified, whose holder signed the challenge with it. */
function requireProof(
  field: 'clientKey' | 'updateKey',
  { spki, proof }: ProvedKey,
  challenge: Uint8Array,
): PublicKey {
  const key = PublicKey.ofSigner(spki, challenge, proof);
  if (key !== null) return key;
  // A key that is none is told from a proof that is none.
  PublicKey.require(spki, `${field}.spki`, ['P-256']);
  throw new ServiceError('InvalidEvidence', 'The device does not prove that it holds the key.', {
    field: `${field}.proof`,
    rule: 'ECDSA P-256 with SHA-256 over the challenge, 64 bytes r‖s',
  });
}

/** An app that may use one key must never be able to act with another. */
function requireKeysApart(request: AttestRequest, identity: Uint8Array): void {
  const { clientKey, updateKey } = request;
  const isApart =
    !equalBytes(clientKey.spki, updateKey.spki) &&
    !equalBytes(clientKey.spki, identity) &&
    !equalBytes(updateKey.spki, identity);
  if (isApart) return;
  throw new ServiceError(
    'InvalidEvidence',
    'Two certificates cannot have one key, nor the key of the chip’s identity.',
    {
      field: 'updateKey.spki',
      rule: 'three different keys',
    },
  );
}

/**
 * Its owner wants it served: neither blocked, nor of a kind that its tenant does not allow. A refusal is kept with the
 * device, which has proved by now who it is, so that people can read why it gets nothing.
 */
async function requireServed(context: AttestationContext, device: Attester): Promise<void> {
  const { deviceId, tenantId, chipSku } = device;
  try {
    if (device.blocked) {
      throw new ServiceError('DeviceBlocked', 'The device’s owner has blocked it.', { rule: 'not blocked' });
    }
    if (device.released) {
      throw new ServiceError('DeviceReleased', 'The device’s owner has given it up.', {
        rule: 'claimed by a tenant again',
      });
    }
    if (tenantId !== null) requireAmong(device.allowedVirtualSkus, chipSku);
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    const { code, message } = error;
    await context.store.write((tx) =>
      replaceRefusal(tx, { deviceId, time: context.clock.now(), code, message }),
    );
    throw error;
  }
}

interface Certificates {
  readonly update: IssuedCertificate;
  readonly client: IssuedCertificate | null;
}

async function issueCertificates(
  context: AttestationContext,
  evidenceDigest: Uint8Array,
  keys: Readonly<Record<'client' | 'update', PublicKey>>,
  device: Attester,
  appraisal: Appraisal,
): Promise<Certificates> {
  const { deviceId, tenantId } = device;
  const { verdict, release } = appraisal;
  const attestation = { verdict, release, evidenceDigest };
  const update = await issueUpdateCertificate(context, { deviceId, publicKey: keys.update, attestation });
  const earnsClient = verdict === 'trusted' && tenantId !== null;
  const client = earnsClient
    ? await issueClientCertificate(context, tenantId, { deviceId, publicKey: keys.client, attestation })
    : null;
  return { update, client };
}

/** All that an attestation came to. */
interface Outcome {
  /** SHA-256 of the evidence as it came. */
  readonly evidenceDigest: Uint8Array;
  readonly device: Attester;
  readonly evidence: UnprovenEvidence;
  readonly appraised: KeptAppraisal;
  readonly certificates: Certificates;
}

/** Keeps the verdict with the device, then tells it. */
async function settle(context: AttestationContext, outcome: Outcome): Promise<AttestReply> {
  const { evidenceDigest, evidence, appraised } = outcome;
  const { update, client } = outcome.certificates;
  const { appraisal } = appraised;
  const { deviceId, tenantId } = outcome.device;
  const { verdict, requiredRelease } = appraisal;
  // Evidence may name more unknown components than a reply has room for reasons; the weightiest come first.
  const reasons = [
    ...appraisal.reasons,
    ...(tenantId === null ? ['No tenant has claimed the device.'] : []),
  ].slice(0, DEVICE_LIMITS.maxReasons);
  const time = context.clock.now();
  const nextCheck = appointment(context, verdict === 'trusted' ? 'attestation' : 'remedy');
  await context.store.writeOne(replaceAttestation, {
    deviceId,
    time,
    verdict,
    reasons: JSON.stringify(reasons),
    format: evidence.format,
    evidenceDigest: toHex(evidenceDigest),
    lifecycle: evidence.lifecycle.text,
    components: appraised.components,
    release: appraisal.release,
    requiredRelease,
    policyVersion: POLICY_VERSION,
    tenantId,
    clientSerial: client?.serial ?? null,
    updateSerial: update.serial,
    nextCheck: time + nextCheck * 1000,
    result: appraised.result,
  });
  return {
    verdict,
    reasons,
    deviceId,
    tenantId,
    updateChain: update.chain,
    clientChain: client?.chain ?? null,
    time: Math.floor(time / 1000),
    nextCheck,
    requiredRelease,
  };
}
