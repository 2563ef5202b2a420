import { createHash, createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { concatBytes, fromHex, toHex } from '../bytes.ts';
import { type CborMap, type CborValue, decodeCbor } from '../cbor.ts';
import { decodeSign1, encodeSign1, type Sign1 } from '../cose.ts';
import { decodePsaClaims, encodePsaClaims } from '../psa-token.ts';
import {
  ATTESTATION_CONTEXT,
  attestationChallengeInput,
  decodeAttestRequest,
  encodeAttestReply,
  encodeAttestRequest,
  encodeChallengeReply,
  EXPORTER_LABEL,
} from './attest.ts';
import { DEVICE_CONTENT_TYPES, DEVICE_PATHS } from './endpoints.ts';
import { decodePlanPayload, decodePlanRequest, encodePlanPayload, encodePlanRequest } from './plan.ts';
import { decodeDeviceProblem, encodeDeviceProblem } from './problem.ts';
import { decodeReportBatch, encodeErrorReport, encodeReportBatch, encodeReportReply } from './reports.ts';

const DOCUMENT = readFileSync(join(import.meta.dirname, '../../../../docs/device-protocol.md'), 'utf8');

/** A worked example's bytes by its name. */
function example(name: string): Uint8Array {
  const found = new RegExp(`^\`\`\`hex ${name}\n([0-9a-f\n]+)\`\`\`$`, 'm').exec(DOCUMENT);
  return fromHex((found?.[1] ?? '').replaceAll('\n', ''));
}
const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest());

function isSigned(spki: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  return verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);
}
const again = ({ algorithm, payload, signature, keyId }: Sign1): Uint8Array =>
  encodeSign1({ algorithm, payload, ...(keyId && { keyId }) }).finish(signature);

describe('the worked example of docs/device-protocol.md', () => {
  const client = example('client-spki');
  const update = example('update-spki');
  const challenge = example('challenge');

  it('computes the challenge as the page says', () => {
    expect(toHex(example('client-spki-sha256'))).toBe(toHex(sha256(client)));
    expect(toHex(example('update-spki-sha256'))).toBe(toHex(sha256(update)));
    const input = attestationChallengeInput(example('exporter'), sha256(client), sha256(update));
    expect(input.length).toBe(120);
    expect(toHex(challenge)).toBe(toHex(sha256(input)));
    expect(DOCUMENT).toContain(`\`${EXPORTER_LABEL}\``);
    expect(DOCUMENT).toContain(`"${ATTESTATION_CONTEXT}"`);
  });

  it('attests: token, proofs and device id fit together', () => {
    const request = decodeAttestRequest(example('attest-request'));
    expect(toHex(encodeAttestRequest(request))).toBe(toHex(example('attest-request')));
    expect(request.clientKey.spki).toEqual(client);
    expect(isSigned(client, challenge, request.clientKey.proof)).toBe(true);
    expect(isSigned(update, challenge, request.updateKey.proof)).toBe(true);
    const token = decodeSign1(request.token);
    expect(toHex(again(token))).toBe(toHex(request.token));
    expect(toHex(token.payload)).toBe(toHex(example('claims')));
    expect(isSigned(example('attestation-spki'), token.toBeSigned, token.signature)).toBe(true);
    const claims = decodePsaClaims(token.payload);
    expect(toHex(encodePsaClaims(claims))).toBe(toHex(token.payload));
    expect(claims.nonce).toEqual(challenge);
    const deviceId = sha256(example('attestation-spki'));
    expect(claims.instanceId).toEqual(concatBytes(Uint8Array.of(1), deviceId));
    expect(DOCUMENT).toContain(`\`${toHex(deviceId)}\``);
  });

  it('plans: the plan is signed, for this nonce and this device', () => {
    const request = decodePlanRequest(example('plan-request'));
    expect(toHex(encodePlanRequest(request))).toBe(toHex(example('plan-request')));
    const message = decodeSign1(example('plan'));
    const signer = example('plan-signing-spki');
    expect(message.keyId).toEqual(new Uint8Array(createHash('sha1').update(signer).digest()));
    expect(isSigned(signer, message.toBeSigned, message.signature)).toBe(true);
    const plan = decodePlanPayload(message.payload);
    expect(toHex(encodePlanPayload(plan))).toBe(toHex(message.payload));
    expect(plan.nonce).toEqual(request.nonce);
    expect(plan.deviceId).toBe(toHex(sha256(example('attestation-spki'))));
  });

  it('reports, and refuses', () => {
    const batch = decodeReportBatch(example('report-batch'));
    expect(toHex(encodeReportBatch(batch))).toBe(toHex(example('report-batch')));
    const problem = decodeDeviceProblem(example('problem'));
    expect(toHex(encodeDeviceProblem(problem))).toBe(toHex(example('problem')));
  });
});

/** Keys of a rule's map, as the CDDL of the page has them: those of nested maps left out. */
function keysOf(rule: string): readonly string[] {
  const body = new RegExp(`^${rule} = \\{\n((?:  .*\n)*)\\}`, 'm').exec(DOCUMENT)?.[1] ?? '';
  return [...body.matchAll(/^  (?:\? )?("[^"]+"|-?\d+) =>/gm)].map((match) =>
    (match[1] ?? '').replaceAll('"', ''),
  );
}
const asMap = (value: CborValue | undefined): CborMap => value as CborMap;
const listed = (map: CborMap): readonly string[] => [...map.keys()].map(String);
const sorted = (keys: readonly string[]): readonly string[] => keys.toSorted();

describe('the CDDL of docs/device-protocol.md', () => {
  const guid = '2f074b0f-d99d-4692-82d9-ef93a7d6463c';
  const hash = new Uint8Array(32);
  const request = asMap(
    decodeCbor(encodeAttestRequest({ ...decodeAttestRequest(example('attest-request')), nonce: hash })),
  );
  const reply = encodeAttestReply({
    verdict: 'unknown',
    reasons: [],
    deviceId: toHex(hash),
    tenantId: null,
    updateChain: [hash],
    clientChain: null,
    time: 0,
    nextCheck: 0,
    requiredRelease: null,
  });
  const planRequest = asMap(decodeCbor(example('plan-request')));
  const plan = asMap(decodeCbor(decodeSign1(example('plan')).payload));
  const batch = asMap(decodeCbor(example('report-batch')));
  const [report] = decodeReportBatch(example('report-batch')).reports;
  if (report === undefined) throw new Error('The example has no report.');
  const core = { registers: [], faults: [], stack: new Uint8Array(8) };
  const memory = { stackPointer: null, heapStart: null, size: 0, stack: new Uint8Array(8) };
  const coreReport = asMap(decodeCbor(encodeErrorReport({ ...report, core, memory })));
  const firstOf = (map: CborMap, key: number): CborMap => asMap((map.get(key) as readonly CborValue[])[0]);
  const claims = encodePsaClaims({
    ...decodePsaClaims(example('claims')),
    certificationReference: '1234567890123-12345',
    verificationServiceIndicator: guid,
  });

  const oldClaims = encodePsaClaims({
    ...decodePsaClaims(claims),
    profile: 'PSA_IOT_PROFILE_1',
    bootSeed: new Uint8Array(32),
  });

  it.each<[string, CborMap]>([
    ['psa-claims', asMap(decodeCbor(claims))],
    ['psa-profile-1-claims', new Map([...asMap(decodeCbor(oldClaims)), [-75007, 1]])],
    ['software-component', firstOf(asMap(decodeCbor(claims)), 2399)],
    ['challenge-reply', asMap(decodeCbor(encodeChallengeReply({ nonce: hash, lifetime: 1 })))],
    ['attest-request', request],
    ['proved-key', asMap(request.get(2))],
    ['attest-reply', asMap(decodeCbor(reply))],
    ['plan-request', planRequest],
    ['present-image', firstOf(planRequest, 2)],
    ['plan-payload', plan],
    ['plan-image', firstOf(plan, 6)],
    ['report-batch', batch],
    ['error-report', coreReport],
    ['core-dump', asMap(coreReport.get(13))],
    ['app-memory', asMap(coreReport.get(14))],
    ['frame', firstOf(firstOf(batch, 1), 10)],
    ['report-reply', asMap(decodeCbor(encodeReportReply({ accepted: [] })))],
    ['device-problem', asMap(decodeCbor(example('problem')))],
  ])('has the keys of %s that the code writes', (rule, map) => {
    expect(keysOf(rule).length).toBeGreaterThan(0);
    expect(sorted(keysOf(rule))).toEqual(sorted(listed(map)));
  });

  it('names every path and media type', () => {
    for (const text of [...Object.values(DEVICE_PATHS), ...Object.values(DEVICE_CONTENT_TYPES)])
      expect(DOCUMENT).toContain(text);
  });
});
