import type { AddressInfo } from 'node:net';

import {
  attestationChallengeInput,
  decodeAttestReply,
  DEVICE_PATHS,
  encodeAttestRequest,
  encodePsaClaims,
  encodeSign1,
  encodeUnsignedImagePackage,
  finishImagePackage,
  fromHex,
  guidFromRandom,
  IMAGE_TYPES,
  PSA_PROFILES,
  SYSTEM_COMPONENT_IDS,
  SYSTEM_IMAGE_TYPES,
  toHex,
  utf8Encode,
  writeFileSystem,
  type AttestReply,
  type AttestRequest,
  type PsaClaims,
  type FileEntry,
} from '@sevenfold/formats';
import {
  generateKeyPair,
  sha256,
  signWithPkcs8,
  spkiSha256,
  thumbprint,
  toPem,
  type KeyPair,
} from '@sevenfold/pki';

import { CertificateAuthorities } from '../../certificates/authorities.ts';
import { makeServerIdentity } from '../../certificates/server-identity.ts';
import { uploadOsImage, type OsImage } from '../../deployments/os-images.ts';
import { createOsRelease, type OsRelease } from '../../deployments/os-releases.ts';
import { registerPlatformKey } from '../../deployments/platform-keys.ts';
import { keystoreOf } from '../../images/testing-images.ts';
import { uploadImage } from '../../images/upload-image.ts';
import type { StoredImage } from '../../images/image.ts';
import { importBatch } from '../../manufacturing/import-batch.ts';
import { registerSiliconMaker } from '../../manufacturing/silicon-makers.ts';
import { claimDevice } from '../../registry/claim-device.ts';
import { createDeviceGroup } from '../../registry/device-groups.ts';
import { createProduct } from '../../registry/products.ts';
import { createTenant } from '../../registry/tenants.ts';
import { openTestService, type TestService } from '../../test-service.ts';
import { createDeviceServer, type DeviceServerLimits } from '../device-server.ts';
import { FLEET_SCHEDULE } from '../schedule.ts';
import {
  connectDevice,
  type ClientIdentity,
  type DeviceConnection,
  type DeviceResponse,
} from './device-client.fixture.ts';

/** The chip SKU of every chip here. */
const CHIP_SKU = 1;

/** What an attestation by a test device may get wrong. */
export interface AttestChange {
  readonly claims?: Partial<PsaClaims>;
  readonly request?: (request: AttestRequest) => AttestRequest;
  readonly signer?: KeyPair;
  readonly challenge?: Uint8Array;
  readonly nonce?: Uint8Array;
  readonly clientKey?: KeyPair;
}

/** A chip with its identity key, which runs a release. */
export class TestDevice {
  readonly identity = generateKeyPair();
  readonly deviceId = toHex(spkiSha256(this.identity.spki));
  running: readonly OsImage[] = [];
  /** SHA-256 of the SPKI of the platform key. */
  readonly signerId: Uint8Array;

  constructor(signerId: Uint8Array) {
    this.signerId = signerId;
  }

  /** The whole request for a connection, right in everything that `change` does not change. */
  request(
    exporter: Uint8Array,
    change: AttestChange = {},
  ): { request: Uint8Array; client: KeyPair; update: KeyPair } {
    const client = change.clientKey ?? generateKeyPair();
    const update = generateKeyPair();
    const binder = change.nonce ?? exporter;
    const challenge =
      change.challenge ??
      sha256(attestationChallengeInput(binder, spkiSha256(client.spki), spkiSha256(update.spki)));
    const prove = ({ spki, pkcs8 }: KeyPair) => ({ spki, proof: signWithPkcs8(pkcs8, challenge) });
    const request: AttestRequest = {
      token: this.token(challenge, change),
      clientKey: prove(client),
      updateKey: prove(update),
      ...(change.nonce === undefined ? {} : { nonce: change.nonce }),
    };
    return { request: encodeAttestRequest(change.request?.(request) ?? request), client, update };
  }

  token(challenge: Uint8Array, change: AttestChange = {}): Uint8Array {
    const payload = encodePsaClaims({
      profile: PSA_PROFILES[0],
      nonce: challenge,
      instanceId: Uint8Array.of(1, ...fromHex(this.deviceId)),
      implementationId: new Uint8Array(32),
      clientId: 1,
      securityLifecycle: 0x3000,
      softwareComponents: this.running.map((image) => ({
        measurementType: image.imageType,
        measurementValue: fromHex(image.digest),
        version: `${image.name};sv=${image.securityVersion}`,
        signerId: this.signerId,
      })),
      ...change.claims,
    });
    const message = encodeSign1({ algorithm: 'ES256', payload });
    return message.finish(signWithPkcs8((change.signer ?? this.identity).pkcs8, message.toBeSigned));
  }
}

/** The device port of the real service on loopback, with a tenant, and chips to knock at it. */
export interface DeviceWorld {
  readonly service: TestService;
  readonly authorities: CertificateAuthorities;
  readonly port: number;
  readonly rootPem: string;
  readonly makerId: string;
  readonly makerKey: KeyPair;
  readonly tenantId: string;
  readonly deviceGroupId: string;
  /** SHA-256 of the SPKI of the key that signs system images. */
  readonly signerId: Uint8Array;
  /** Endorsed, and claimed to the tenant's group unless told otherwise. */
  makeDevice(claimed?: boolean): Promise<TestDevice>;
  publish(name: string, securityVersion?: number): Promise<OsRelease>;
  /** An application image of the tenant. */
  uploadApplication(componentId: string, name?: string): Promise<StoredImage>;
  connect(identity?: ClientIdentity | null): Promise<DeviceConnection>;
  /** Attests over a connection of its own. */
  attest(device: TestDevice, change?: AttestChange): Promise<DeviceResponse>;
  /** Attests, and gives what came of it with the keys. */
  certify(device: TestDevice): Promise<{ reply: AttestReply; client: KeyPair; update: ClientIdentity }>;
  close(): Promise<void>;
}

/** Starts it. */
export async function openDeviceWorld(limits: Partial<DeviceServerLimits> = {}): Promise<DeviceWorld> {
  const service = await openTestService();
  // TLS itself knows no clock but the machine's: certificates must be valid there, too.
  service.clock.advance(Math.floor(Date.now() / 1000) * 1000 - service.clock.now());
  const authorities = new CertificateAuthorities(service);
  await authorities.ensureAuthorities();
  const tls = await makeServerIdentity({ ...service, authorities }, ['localhost', '127.0.0.1']);
  const app = createDeviceServer({
    context: service,
    authorities,
    schedule: FLEET_SCHEDULE,
    tls: { key: tls.keyPem, cert: tls.certificatePem },
    limits,
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  // A listening TCP server has a port.
  const { port } = app.server.address() as AddressInfo;
  const rootPem = toPem('CERTIFICATE', (await authorities.issuing('root', null)).certificate.der);

  const makerKey = generateKeyPair();
  const { makerId } = await registerSiliconMaker(service, { name: 'Test silicon', spki: makerKey.spki });
  const platformKey = generateKeyPair();
  await registerPlatformKey(service, platformKey.spki);
  const signerId = spkiSha256(platformKey.spki);
  const { tenantId } = await createTenant({ ...service, authorities }, 'Test tenant', {
    allowedVirtualSkus: ['SF-V1'],
  });
  const { productId } = await createProduct(service, tenantId, { name: 'Lamp' });
  const { deviceGroupId } = await createDeviceGroup(service, tenantId, { productId, name: 'Production' });

  const pack = (
    fields: { type: keyof typeof IMAGE_TYPES; componentId: string; name: string; securityVersion?: number },
    files: readonly FileEntry[],
  ): Uint8Array => {
    const unsigned = encodeUnsignedImagePackage(writeFileSystem(files), {
      imageType: IMAGE_TYPES[fields.type],
      componentId: fields.componentId,
      imageId: guidFromRandom(service.entropy.random(16)),
      name: fields.name,
      buildTime: Math.floor(service.clock.now() / 1000),
      signerThumbprint: thumbprint(platformKey.spki),
      ...(fields.securityVersion === undefined
        ? {}
        : { securityVersion: { version: fields.securityVersion, chipSku: CHIP_SKU } }),
    });
    return finishImagePackage(unsigned, signWithPkcs8(platformKey.pkcs8, unsigned));
  };

  const world: DeviceWorld = {
    service,
    authorities,
    port,
    rootPem,
    makerId,
    makerKey,
    tenantId,
    deviceGroupId,
    signerId,
    async makeDevice(claimed = true) {
      const device = new TestDevice(signerId);
      const spki = Buffer.from(device.identity.spki).toString('base64');
      const lines = utf8Encode(`${JSON.stringify({ deviceId: device.deviceId, spki, chipSku: CHIP_SKU })}\n`);
      await importBatch(service, { makerId, lines, signature: signWithPkcs8(makerKey.pkcs8, lines) });
      if (claimed) await claimDevice(service, tenantId, { deviceId: device.deviceId, deviceGroupId });
      return device;
    },
    async publish(name, securityVersion = 1) {
      const imageIds: string[] = [];
      for (const type of SYSTEM_IMAGE_TYPES) {
        const fields = {
          type,
          componentId: SYSTEM_COMPONENT_IDS[type],
          name: `${type} ${name}`.slice(-31),
          securityVersion,
        };
        const image = await uploadOsImage(
          service,
          pack(fields, [
            type === 'TrustedKeystore'
              ? keystoreOf(platformKey.spki)
              : { path: '/bin/stage.js', bytes: utf8Encode(`${type} ${name}`) },
          ]),
        );
        imageIds.push(image.imageId);
      }
      return createOsRelease(service, { name, feed: 'Retail', chipSku: CHIP_SKU, imageIds });
    },
    async uploadApplication(componentId, name = 'Blink') {
      const manifest = {
        SchemaVersion: 1,
        Name: name,
        ComponentId: componentId,
        EntryPoint: '/bin/app',
        CmdArgs: [],
        Capabilities: {},
        ApplicationType: 'Default',
      };
      const files = [
        { path: '/app_manifest.json', bytes: utf8Encode(JSON.stringify(manifest)) },
        { path: '/bin/app', bytes: service.entropy.random(1000), executable: true },
      ];
      return uploadImage(service, tenantId, pack({ type: 'Applications', componentId, name }, files));
    },
    connect: async (identity = null) => connectDevice(port, rootPem, identity),
    async attest(device, change = {}) {
      const connection = await world.connect();
      const { request } = device.request(connection.exporter(), change);
      const response = await connection.post(DEVICE_PATHS.attest, request);
      connection.close();
      return response;
    },
    async certify(device) {
      const connection = await world.connect();
      const { request, client, update } = device.request(connection.exporter());
      const response = await connection.post(DEVICE_PATHS.attest, request);
      connection.close();
      if (response.status !== 200) throw new Error(`attesting was refused with ${response.status}`);
      const reply = decodeAttestReply(response.body);
      return { reply, client, update: { chain: reply.updateChain, pkcs8: update.pkcs8 } };
    },
    async close() {
      await app.close();
      await service.close();
    },
  };
  return world;
}
