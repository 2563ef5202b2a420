import { X509Certificate } from 'node:crypto';

import {
  decodeAttestReply,
  decodeAttestRequest,
  decodeChallengeReply,
  DEVICE_PATHS,
  fromHex,
  type AttestRequest,
} from '@sevenfold/formats';
import { generateKeyPair, parseCertificate, sha256, signWithPkcs8, verifyChain } from '@sevenfold/pki';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { deviceOfUpdateCertificate } from '../certificates/device-certificates.ts';
import { revokeOsRelease } from '../deployments/os-releases.ts';
import { problemIn } from '../device-port/testing/device-client.fixture.ts';
import {
  openDeviceWorld,
  TestDevice,
  type DeviceWorld,
} from '../device-port/testing/device-world.fixture.ts';
import { FLEET_SCHEDULE } from '../device-port/schedule.ts';
import { updateDevice } from '../registry/devices.ts';
import { claimDevice } from '../registry/claim-device.ts';
import { releaseDevice } from '../registry/release-device.ts';
import { createTenant, updateTenant } from '../registry/tenants.ts';
import { attestDevice } from './attest-device.ts';
import { attestationFor, lastAttestation, lastRefusal } from './attestation-record.ts';
import { attestationHandlers } from './routes.ts';

const DAY = 86_400_000;

let world: DeviceWorld;
let device: TestDevice;
beforeEach(async () => {
  world = await openDeviceWorld();
  device = await world.makeDevice();
  device.running = (await world.publish('26.11.0')).images;
});
afterEach(() => world.close());

describe('a genuine device that runs the current release', () => {
  it('gets both certificates, each for a key of its own', async () => {
    const { reply, client } = await world.certify(device);
    expect(reply).toMatchObject({
      verdict: 'trusted',
      deviceId: device.deviceId,
      tenantId: world.tenantId,
      requiredRelease: null,
    });
    expect(reply.reasons).toEqual(['Every stage is as published in release 26.11.0.']);
    const certificate = new X509Certificate(reply.clientChain?.[0] ?? new Uint8Array());
    const tenantCa = new X509Certificate(reply.clientChain?.[1] ?? new Uint8Array());
    expect(certificate.subject).toBe(`CN=${device.deviceId}`);
    expect(certificate.verify(tenantCa.publicKey)).toBe(true);
    expect(certificate.publicKey.export({ type: 'spki', format: 'der' })).toEqual(Buffer.from(client.spki));
    expect(certificate.validToDate.getTime() - world.service.clock.now()).toBe(24 * 3_600_000);
    expect(tenantCa.subject).toContain(world.tenantId);
  });

  it('has its attestation in both certificates', async () => {
    const { reply } = await world.certify(device);
    for (const leaf of [reply.clientChain?.[0], reply.updateChain[0]]) {
      expect(parseCertificate(leaf ?? new Uint8Array()).attestation).toMatchObject({
        verdict: 'trusted',
        release: '26.11.0',
      });
    }
  });

  it('has a client certificate that its tenant’s CA vouches for, and an update certificate that it does not', async () => {
    const { reply } = await world.certify(device);
    const roots = [(await world.authorities.ensureTenantCa(world.tenantId)).certificate];
    const now = world.service.clock.now();
    const verify = (chain: readonly Uint8Array[]) => {
      const [leaf, ...intermediates] = chain.map((der) => parseCertificate(der));
      if (leaf === undefined) throw new Error('an empty chain');
      return verifyChain({ leaf, intermediates, roots, now, purpose: 'clientAuth' });
    };
    expect(verify(reply.clientChain ?? [])).toHaveLength(2);
    expect(() => verify(reply.updateChain)).toThrow(expect.objectContaining({ code: 'UnknownIssuer' }));
  });

  it('is remembered with its verdict, and why', async () => {
    const { reply } = await world.certify(device);
    const record = await lastAttestation(world.service, device.deviceId);
    expect(record).toMatchObject({
      verdict: 'trusted',
      reasons: reply.reasons,
      format: 'psa',
      release: '26.11.0',
      lifecycle: 'secured',
    });
    expect(record?.components.map((component) => component.status)).toEqual(
      Array.from({ length: 6 }, () => 'current'),
    );
    expect(record?.clientSerial).toBe(parseCertificate(reply.clientChain?.[0] ?? new Uint8Array()).serial);
  });

  it('is told to come back within its certificates’ life', async () => {
    const { reply } = await world.certify(device);
    expect(reply.nextCheck).toBeGreaterThanOrEqual(12 * 3600);
    expect(reply.nextCheck).toBeLessThanOrEqual(16 * 3600);
  });

  it('stays trusted when a newer release of the same security is there', async () => {
    await world.publish('26.12.0');
    const { reply } = await world.certify(device);
    expect(reply.verdict).toBe('trusted');
    expect(reply.reasons).toEqual([
      expect.stringMatching(
        /^Outdated but acceptable until .* UTC; release 26\.12\.0 is ready to be installed\.$/u,
      ),
    ]);
  });

  it('is outdated 30 days after the next release, however many came since', async () => {
    await world.publish('26.12.0');
    world.service.clock.advance(20 * DAY);
    await world.publish('27.1.0');
    world.service.clock.advance(10 * DAY);
    expect((await world.certify(device)).reply.verdict).toBe('trusted');
    world.service.clock.advance(1);
    const { reply } = await world.certify(device);
    expect(reply).toMatchObject({ verdict: 'outdated', clientChain: null, requiredRelease: '27.1.0' });
    expect(reply.reasons[0]).toMatch(/was acceptable until .* and must be updated first\.$/u);
  });

  it('has no such end while what came after it is revoked', async () => {
    await world.publish('26.12.0');
    await revokeOsRelease(world.service, '26.12.0', 'a mistake');
    world.service.clock.advance(40 * DAY);
    expect((await world.certify(device)).reply.reasons).toEqual([
      'Every stage is as published in release 26.11.0.',
    ]);
  });
});

describe('a genuine device that is not trusted', () => {
  it('gets the update certificate alone when its release is revoked, and is trusted again after the update', async () => {
    const next = await world.publish('26.12.0');
    await revokeOsRelease(world.service, '26.11.0', 'a hole in the kernel');
    const { reply } = await world.certify(device);
    expect(reply).toMatchObject({ verdict: 'revoked', clientChain: null, requiredRelease: '26.12.0' });
    expect(reply.reasons[0]).toContain('belongs to a revoked release: 26.11.0');
    expect(reply.updateChain).toHaveLength(3);
    expect(reply.nextCheck).toBeLessThanOrEqual(600);
    device.running = next.images;
    expect((await world.certify(device)).reply.verdict).toBe('trusted');
  });

  it('is outdated when the current release demands a higher security version', async () => {
    await world.publish('26.12.0', 2);
    const { reply } = await world.certify(device);
    expect(reply).toMatchObject({ verdict: 'outdated', clientChain: null, requiredRelease: '26.12.0' });
    expect(reply.reasons[0]).toContain('security version 1, at least 2');
  });

  it('is told no more reasons than a reply may have, however many unknown components it names', async () => {
    device.running = Array.from({ length: 32 }, (_, index) => {
      const [first] = device.running;
      if (first === undefined) throw new Error('a release has images');
      return { ...first, digest: index.toString(16).padStart(64, '0') };
    });
    const { reply } = await world.certify(device);
    expect(reply.verdict).toBe('unknown');
    expect(reply.reasons).toHaveLength(32);
  });

  it('is unknown when a stage was never published, is missing, or is another one’s image', async () => {
    const [first, ...others] = device.running;
    if (first === undefined) throw new Error('a release has images');
    const verdictOf = async (): Promise<string> => {
      const { reply } = await world.certify(device);
      expect(reply.clientChain).toBeNull();
      return `${reply.verdict}: ${reply.reasons[0] ?? ''}`;
    };
    device.running = [...others, { ...first, digest: 'ab'.repeat(32) }];
    expect(await verdictOf()).toMatch(/^unknown: .*no image that was ever published/u);
    device.running = device.running.filter((image) => image.imageType !== 'NormalWorldKernel');
    expect(await verdictOf()).toBe('unknown: NormalWorldKernel was not measured.');
    device.running = [first, ...others].map((image) =>
      image.imageType === 'Services' ? { ...image, imageType: 'NormalWorldKernel' } : image,
    );
    expect(await verdictOf()).toMatch(/^unknown: /u);
  });

  it('is unknown when it says of a published image what that is not: version, security version or signer', async () => {
    const told = async (change: { readonly version?: string; readonly signerId?: Uint8Array }) => {
      const softwareComponents = device.running.map((image) => ({
        measurementType: image.imageType,
        measurementValue: fromHex(image.digest),
        version: `${image.name};sv=${image.securityVersion}`,
        signerId: world.signerId,
        ...(image.imageType === 'NormalWorldKernel' ? change : {}),
      }));
      const reply = decodeAttestReply((await world.attest(device, { claims: { softwareComponents } })).body);
      return [reply.verdict, reply.clientChain === null, reply.reasons[0]?.split(': ')[1]];
    };
    const name = device.running.find(({ imageType }) => imageType === 'NormalWorldKernel')?.name ?? '';
    expect(await told({})).toEqual(['trusted', false, undefined]);
    expect(await told({ version: `${name};sv=2` })).toEqual([
      'unknown',
      true,
      'its security version is 1, not 2.',
    ]);
    expect(await told({ version: 'kernel 99.1;sv=1' })).toEqual(['unknown', true, `its name is "${name}".`]);
    expect(await told({ signerId: new Uint8Array(32) })).toEqual([
      'unknown',
      true,
      'another key has signed it.',
    ]);
    // Other makers' evidence has versions of another form: the digest and the signer speak for those.
    expect(await told({ version: '1.2.3+tfm' })).toEqual(['trusted', false, undefined]);
  });

  it('after more than two years in a drawer is updated first, under authorities that came meanwhile, and then trusted', async () => {
    const former = (await world.certify(device)).reply;
    for (let month = 1; month <= 26; month++) {
      world.service.clock.advance(30 * DAY);
      await world.authorities.ensureAuthorities();
      if (month % 8 === 0) await world.publish(`27.${month}.0`);
    }
    const latest = await world.publish('28.1.0');
    const context = { ...world.service, authorities: world.authorities, schedule: FLEET_SCHEDULE };
    const exporter = new Uint8Array(32).fill(3);
    // The machine's own TLS has a clock that did not lie in a drawer: the verb is what answers here.
    const attest = () =>
      attestDevice(context, decodeAttestRequest(device.request(exporter).request), () => exporter);
    const first = await attest();
    expect(first).toMatchObject({ verdict: 'outdated', clientChain: null, requiredRelease: '28.1.0' });
    expect(await deviceOfUpdateCertificate(context, first.updateChain[0] ?? null)).toBe(device.deviceId);
    // What the device had before it was put away has ended with everything above it but root and intermediate.
    const ended = former.updateChain[0] ?? null;
    await expect(deviceOfUpdateCertificate(context, ended)).rejects.toMatchObject({
      code: 'UpdateCertificateRequired',
    });
    expect(first.updateChain[1]).not.toEqual(former.updateChain[1]);
    device.running = latest.images;
    const second = await attest();
    expect(second).toMatchObject({ verdict: 'trusted', requiredRelease: null });
    expect(second.clientChain).toHaveLength(3);
    expect(second.clientChain?.[1]).not.toEqual(former.clientChain?.[1]);
  });

  it('is unknown when its chip is open for debugging', async () => {
    const reply = decodeAttestReply(
      (await world.attest(device, { claims: { securityLifecycle: 0x4000 } })).body,
    );
    expect(reply).toMatchObject({ verdict: 'unknown', clientChain: null });
    expect(reply.reasons[0]).toBe('The chip is open for debugging: non-psa-rot-debug.');
  });

  /** As Pluton measures a capability file that is in force. */
  const unlockedFor = async (name: string, measurementType = 'Policy') => {
    const stages = device.running.map((image) => ({
      measurementType: image.imageType,
      measurementValue: fromHex(image.digest),
      version: `${image.name};sv=${image.securityVersion}`,
      signerId: world.signerId,
    }));
    const file = { measurementValue: new Uint8Array(32).fill(9), signerId: new Uint8Array(32) };
    const softwareComponents = [...stages, { ...file, measurementType, version: `${name};sv=0` }];
    return decodeAttestReply((await world.attest(device, { claims: { softwareComponents } })).body);
  };

  it('is trusted while it is unlocked for development or servicing, and everybody can read that it is', async () => {
    const reply = await unlockedFor('capability appDevelopment fieldServicing');
    expect(reply.verdict).toBe('trusted');
    expect(reply.clientChain).not.toBeNull();
    expect(reply.reasons).toEqual([
      expect.stringContaining('unlocked for development'),
      expect.stringContaining('unlocked for servicing'),
      'Every stage is as published in release 26.11.0.',
    ]);
    const record = await lastAttestation(world.service, device.deviceId);
    expect(record?.result.claims.find(({ claim }) => claim === 'configuration')?.tier).toBe('warning');
    expect(record?.components).toHaveLength(device.running.length);
    // Locked again, it is as it was.
    expect((await world.certify(device)).reply.reasons).toEqual([
      'Every stage is as published in release 26.11.0.',
    ]);
  });

  it.each([
    ['capability debugEverything', 'Policy', 'The device is unlocked for something that is not known here'],
    ['capability ', 'Policy', 'The device is unlocked for something that is not known here'],
    ['capability appDevelopment', 'Other', 'is no image that was ever published'],
    ['appDevelopment', 'Policy', 'is no image that was ever published'],
  ])('is unknown when it measured "%s" of type %s', async (name, type, reason) => {
    const reply = await unlockedFor(name, type);
    expect(reply).toMatchObject({ verdict: 'unknown', clientChain: null });
    expect(reply.reasons[0]).toContain(reason);
  });

  it('gets the update certificate alone while nobody has claimed it', async () => {
    const unclaimed = await world.makeDevice(false);
    unclaimed.running = device.running;
    const { reply } = await world.certify(unclaimed);
    expect(reply).toMatchObject({ verdict: 'trusted', tenantId: null, clientChain: null });
    expect(reply.reasons).toContain('No tenant has claimed the device.');
  });
});

describe('what people can read of it', () => {
  const read = async (tenantId: string) =>
    attestationHandlers(world.service).deviceAttestation({
      params: { tenantId, deviceId: device.deviceId },
      query: undefined,
      body: undefined,
      caller: null,
      requestId: '',
    });

  it('is an EAR record, claim by claim, with policy and references', async () => {
    await world.publish('26.12.0', 2);
    await world.certify(device);
    const { result, refusal } = await read(world.tenantId);
    expect(refusal).toBeNull();
    expect(result).toMatchObject({
      verdict: 'outdated',
      submods: {
        device: {
          'ear.status': 'warning',
          'ear.trustworthiness-vector': { 'instance-identity': 2, configuration: 2, executables: 32 },
          'ear.appraisal-policy-id': 'tag:sevenfold,2026:policy:4',
        },
      },
      evidence: { format: 'psa', lifecycle: 'secured' },
      reference: { feed: 'Retail on chip SKU 1', release: '26.12.0', policyVersion: 4 },
      requiredRelease: '26.12.0',
      certificates: { client: null, update: expect.any(String) },
    });
    expect(result?.claims.find(({ claim }) => claim === 'executables')?.reasons[0]).toContain(
      'is older than what is accepted now',
    );
    expect(result?.measurements).toHaveLength(6);
  });

  it('is nothing before the first attestation, and nobody else’s business', async () => {
    expect(await read(world.tenantId)).toEqual({ result: null, refusal: null });
    await expect(read('00000000-0000-4000-8000-000000000000')).rejects.toMatchObject({ code: 'NotFound' });
  });
});

describe('an attestation that is refused', () => {
  const refusalOf = async (...args: Parameters<DeviceWorld['attest']>) =>
    problemIn(await world.attest(...args));

  it('comes from a chip that nobody endorsed', async () => {
    const stranger = new TestDevice(world.signerId);
    stranger.running = device.running;
    expect(await refusalOf(stranger)).toMatchObject({ code: 'DeviceNotGenuine', field: 'token' });
  });

  it('claims another device’s identity', async () => {
    expect(await refusalOf(device, { signer: generateKeyPair() })).toMatchObject({
      code: 'InvalidEvidence',
      field: 'token',
    });
  });

  it('comes from a device that its owner has blocked', async () => {
    await updateDevice(world.service, world.tenantId, device.deviceId, { blocked: true });
    expect(await refusalOf(device)).toMatchObject({ status: 403, code: 'DeviceBlocked' });
    await updateDevice(world.service, world.tenantId, device.deviceId, { blocked: false });
    expect((await world.attest(device)).status).toBe(200);
  });

  it('comes from a device that its owner has given up, until a tenant claims it again', async () => {
    await world.certify(device);
    await releaseDevice(world.service, world.tenantId, device.deviceId);
    expect(await refusalOf(device)).toMatchObject({ status: 403, code: 'DeviceReleased' });
    await expect(releaseDevice(world.service, world.tenantId, device.deviceId)).rejects.toMatchObject({
      code: 'NotFound',
    });
    const authorities = world.authorities;
    const next = await createTenant({ ...world.service, authorities }, 'Next owner', {
      allowedVirtualSkus: ['SF-V1'],
    });
    await claimDevice(world.service, next.tenantId, { deviceId: device.deviceId });
    // What was found while it was another one's is not the next owner's to read.
    expect(await attestationFor(world.service, next.tenantId, device.deviceId)).toBeNull();
    expect((await world.certify(device)).reply.tenantId).toBe(next.tenantId);
  });

  it('comes from a virtual chip whose tenant allows none any more', async () => {
    const settings = { allowedVirtualSkus: [] };
    await updateTenant(world.service, world.tenantId, settings);
    expect(await refusalOf(device)).toMatchObject({ status: 403, code: 'ChipNotAllowed' });
    await updateTenant(world.service, world.tenantId, { allowedVirtualSkus: ['SF-V1'] });
    expect((await world.attest(device)).status).toBe(200);
  });

  it('is kept with a device that had proved itself, until it is admitted again', async () => {
    await updateDevice(world.service, world.tenantId, device.deviceId, { blocked: true });
    await refusalOf(device, { signer: generateKeyPair() });
    expect(await lastRefusal(world.service, device.deviceId)).toBeNull();
    await refusalOf(device);
    expect(await lastRefusal(world.service, device.deviceId)).toMatchObject({ code: 'DeviceBlocked' });
    await updateDevice(world.service, world.tenantId, device.deviceId, { blocked: false });
    world.service.clock.advance(1000);
    await world.certify(device);
    expect(await lastRefusal(world.service, device.deviceId)).toBeNull();
  });

  it('is of no kind that is known here', async () => {
    const problem = await refusalOf(device, {
      request: (request) => ({ ...request, token: Uint8Array.of(0xff, 0x54, 0x43, 0x47, 0x80, 0x18) }),
    });
    expect(problem).toMatchObject({ code: 'InvalidEvidence', field: 'token', rule: 'one of psa' });
  });

  it('is relayed from another connection', async () => {
    const [one, other] = [await world.connect(), await world.connect()];
    const { request } = device.request(one.exporter());
    expect(problemIn(await other.post(DEVICE_PATHS.attest, request))).toMatchObject({
      code: 'StaleChallenge',
      field: 'token.nonce',
    });
    expect((await one.post(DEVICE_PATHS.attest, request)).status).toBe(200);
    one.close();
    other.close();
  });

  it('has other keys than the evidence was made for', async () => {
    const other = generateKeyPair();
    const swapped = (request: AttestRequest): AttestRequest => ({
      ...request,
      clientKey: { spki: other.spki, proof: signWithPkcs8(other.pkcs8, sha256(new Uint8Array(1))) },
    });
    expect(await refusalOf(device, { request: swapped })).toMatchObject({ code: 'StaleChallenge' });
  });

  it('does not prove that the device holds the keys', async () => {
    const unproved = await refusalOf(device, {
      request: (request) => ({
        ...request,
        updateKey: { ...request.updateKey, proof: request.clientKey.proof },
      }),
    });
    expect(unproved).toMatchObject({ code: 'InvalidEvidence', field: 'updateKey.proof' });
  });

  it('wants the chip’s identity key certified', async () => {
    expect(await refusalOf(device, { clientKey: device.identity })).toMatchObject({
      code: 'InvalidEvidence',
      rule: 'three different keys',
    });
  });

  it('leaves no trace in the device’s record', async () => {
    await refusalOf(device, { signer: generateKeyPair() });
    expect(await lastAttestation(world.service, device.deviceId)).toBeNull();
  });
});

describe('a client whose TLS has no exporter', () => {
  const fetchNonce = async (): Promise<Uint8Array> => {
    const connection = await world.connect();
    const response = await connection.request('POST', DEVICE_PATHS.challenge);
    connection.close();
    expect(response.status).toBe(200);
    return decodeChallengeReply(response.body).nonce;
  };

  it('attests with a nonce of the service, once', async () => {
    const nonce = await fetchNonce();
    expect((await world.attest(device, { nonce })).status).toBe(200);
    expect(problemIn(await world.attest(device, { nonce }))).toMatchObject({
      code: 'StaleChallenge',
      field: 'nonce',
    });
  });

  it('has 60 seconds', async () => {
    const nonce = await fetchNonce();
    world.service.clock.advance(60_001);
    expect(problemIn(await world.attest(device, { nonce }))).toMatchObject({
      code: 'StaleChallenge',
      rule: 'used once, within 60 s',
    });
  });

  it('cannot make up a nonce', async () => {
    const nonce = world.service.entropy.random(32);
    expect(problemIn(await world.attest(device, { nonce }))).toMatchObject({ code: 'StaleChallenge' });
  });
});
