import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import {
  createClient,
  createHttpsTransport,
  createRequestSigner,
  ROUTES,
  type Client,
  type HttpTransport,
  type RequestSigner,
  type Role,
} from '@sevenfold/api';
import {
  CHIP_SKUS,
  encodeUnsignedImagePackage,
  finishImagePackage,
  guidFromRandom,
  IMAGE_TYPES,
  SYSTEM_COMPONENT_IDS,
  SYSTEM_IMAGE_TYPES,
  toHex,
  utf8Encode,
  writeFileSystem,
} from '@sevenfold/formats';
import { generateKeyPair, signWithPkcs8, spkiSha256, thumbprint, type KeyPair } from '@sevenfold/pki';
import { startService, type RunningService } from '@sevenfold/service';
import { keystoreOf } from '../../packages/service/src/images/testing-images.ts';
import { seededEntropy } from '../seeded.ts';
import { HostileDevice, type Measured } from './hostile-device.ts';

/** Somebody with a key of their own, enrolled. */
export interface Person {
  readonly principalId: string;
  readonly key: KeyPair;
  readonly signer: RequestSigner;
  readonly client: Client;
}

/** A tenant with one of everything, and who acts in it. */
export interface Household {
  readonly tenantId: string;
  readonly productId: string;
  readonly deviceGroupId: string;
  readonly imageId: string;
  /** Of the tenant's CA. */
  readonly serial: string;
  readonly administrator: Person;
  /** Claimed, in the group, attested once. */
  readonly device: HostileDevice;
}

/** The real service on loopback, with two tenants in it, and everything that an attacker may bring. */
export interface World {
  readonly service: RunningService;
  readonly transport: HttpTransport;
  readonly administrator: Person;
  readonly own: Household;
  readonly other: Household;
  /** What the release in force measures. */
  readonly release: readonly Measured[];
  /** Tokens and keys that must be nowhere in the log. */
  readonly secrets: string[];
  person(role: Role, tenantId: string | null): Promise<Person>;
  makeDevice(): Promise<HostileDevice>;
  /** Every row and every blob: two that are equal say that nothing was changed between them. */
  state(): unknown;
  log(): string;
  close(): Promise<void>;
}

export const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const entropy = seededEntropy('bad input');
export const newGuid = (): string => guidFromRandom(entropy.random(16));

/** Rows that come whatever becomes of a request: who asked for what, which devices were refused, and the calendar. */
const NOT_STATE: ReadonlySet<string> = new Set(['auditEntries', 'attestationRefusals', 'jobs']);

/** What an application's package is to have. */
export interface AppChanges {
  readonly imageId?: string;
  readonly componentId?: string;
  readonly manifest?: string | Readonly<Record<string, unknown>>;
  readonly code?: string;
}

/** An application's image package, signed by a developer's own key. */
export function appPackage(changes: AppChanges = {}): Uint8Array {
  const componentId = changes.componentId ?? '1689d8b2-c835-2e27-27ad-e894d6d15fa9';
  const manifest =
    typeof changes.manifest === 'string'
      ? changes.manifest
      : JSON.stringify({
          SchemaVersion: 1,
          Name: 'lamp',
          ComponentId: componentId,
          EntryPoint: '/bin/app',
          CmdArgs: [],
          Capabilities: {},
          ...changes.manifest,
        });
  const payload = writeFileSystem([
    { path: '/app_manifest.json', bytes: utf8Encode(manifest) },
    { path: '/bin/app', bytes: utf8Encode(changes.code ?? 'code'), executable: true },
  ]);
  return pack(payload, generateKeyPair(), {
    imageType: IMAGE_TYPES.Applications,
    componentId,
    imageId: changes.imageId ?? newGuid(),
    name: 'lamp',
  });
}

function pack(
  payload: Uint8Array,
  key: KeyPair,
  fields: Omit<Parameters<typeof encodeUnsignedImagePackage>[1], 'buildTime' | 'signerThumbprint'>,
): Uint8Array {
  const unsigned = encodeUnsignedImagePackage(payload, {
    ...fields,
    buildTime: 1_790_000_000,
    signerThumbprint: thumbprint(key.spki),
  });
  return finishImagePackage(unsigned, signWithPkcs8(key.pkcs8, unsigned));
}

type Limits = NonNullable<Parameters<typeof startService>[0]['limits']>;

/** Starts it all, with the service's own patience unless `limits` say otherwise. */
export async function openWorld(limits: Limits = {}): Promise<World> {
  const dataDir = mkdtempSync(join(tmpdir(), 'sevenfold-bad-input-'));
  const many = { burst: 100_000, perSecond: 1000 };
  const service = await startService({
    dataDir,
    limits: { refusals: many, requests: many, ...limits },
  });
  const { transport, close } = createHttpsTransport({ tlsRootPem: service.tlsRootPem });
  const secrets: string[] = [];

  const clientOf = (signer: RequestSigner | null): Client =>
    createClient({ baseUrl: service.peopleUrl, transport, signer });
  const enrol = async (token: string): Promise<Person> => {
    const key = generateKeyPair();
    secrets.push(token, base64(key.pkcs8).slice(-40));
    const body = { token, name: 'Somebody', publicKey: base64(key.spki) };
    const { principalId } = await clientOf(null).call(ROUTES.enrol, { body });
    const signer = createRequestSigner(principalId, (message) =>
      Promise.resolve(signWithPkcs8(key.pkcs8, message)),
    );
    return { principalId, key, signer, client: clientOf(signer) };
  };
  const administrator = await enrol(service.administratorToken ?? '');
  const admin = administrator.client;
  const person = async (role: Role, tenantId: string | null): Promise<Person> =>
    enrol((await admin.call(ROUTES.invite, { body: { role, tenantId } })).token);

  const platform = generateKeyPair();
  await admin.call(ROUTES.createPlatformKey, { body: { spki: base64(platform.spki) } });
  const release: Measured[] = [];
  const imageIds: string[] = [];
  for (const type of SYSTEM_IMAGE_TYPES) {
    const stage = { path: '/bin/stage.js', bytes: utf8Encode(type) };
    const payload = writeFileSystem([type === 'TrustedKeystore' ? keystoreOf(platform.spki) : stage]);
    const name = type.toLowerCase();
    const body = pack(payload, platform, {
      imageType: IMAGE_TYPES[type],
      componentId: SYSTEM_COMPONENT_IDS[type],
      imageId: newGuid(),
      name,
      securityVersion: { version: 1, chipSku: CHIP_SKUS['SF-V1'] },
    });
    const { imageId, digest } = await admin.call(ROUTES.uploadOsImage, { body });
    imageIds.push(imageId);
    release.push({ imageType: type, name, digest, signerId: toHex(spkiSha256(platform.spki)) });
  }
  await admin.call(ROUTES.createOsRelease, {
    body: { name: '26.11.0', feed: 'Retail', chipSku: CHIP_SKUS['SF-V1'], imageIds },
  });

  const maker = generateKeyPair();
  const { makerId } = await admin.call(ROUTES.createSiliconMaker, {
    body: { name: 'Seven Silicon', spki: base64(maker.spki) },
  });
  const makeDevice = async (): Promise<HostileDevice> => {
    const identity = generateKeyPair();
    const deviceId = toHex(spkiSha256(identity.spki));
    const line = { deviceId, spki: base64(identity.spki), chipSku: CHIP_SKUS['SF-V1'] };
    const batch = `${JSON.stringify(line)}\n`;
    const signature = base64(signWithPkcs8(maker.pkcs8, utf8Encode(batch)));
    await admin.call(ROUTES.importEndorsements, { body: { makerId, batch, signature } });
    return new HostileDevice(service, identity, release);
  };
  const settle = async (name: string): Promise<Household> => {
    const { tenantId } = await admin.call(ROUTES.createTenant, {
      body: { name, allowedVirtualSkus: ['SF-V1'] },
    });
    const params = { tenantId };
    const { productId } = await admin.call(ROUTES.createProduct, { params, body: { name: 'Lamp' } });
    const { deviceGroupId } = await admin.call(ROUTES.createDeviceGroup, {
      params,
      body: { productId, name: 'Field' },
    });
    const { imageId } = await admin.call(ROUTES.uploadImage, { params, body: appPackage() });
    await admin.call(ROUTES.createDeployment, {
      params: { tenantId, deviceGroupId },
      body: { imageIds: [imageId] },
    });
    const certificates = await admin.call(ROUTES.certificates, { params });
    const device = await makeDevice();
    await admin.call(ROUTES.claimDevice, { params, body: { deviceId: device.deviceId, deviceGroupId } });
    await device.certify();
    return {
      tenantId,
      productId,
      deviceGroupId,
      imageId,
      serial: certificates.items[0]?.serial ?? '',
      administrator: await person('Administrator', tenantId),
      device,
    };
  };

  return {
    service,
    transport,
    administrator,
    own: await settle('Contoso'),
    other: await settle('Fabrikam'),
    release,
    secrets,
    person,
    makeDevice,
    state: () => readState(dataDir),
    log: () => readFileSync(join(dataDir, 'service.log'), 'utf8'),
    async close() {
      close();
      await service.close();
      rmSync(dataDir, { recursive: true });
    },
  };
}

function readState(dataDir: string): unknown {
  using database = new DatabaseSync(join(dataDir, 'service.sqlite'), { readOnly: true });
  const tables = database
    .prepare("select name from sqlite_master where type = 'table' order by name")
    .all()
    .map(({ name }) => String(name))
    .filter((name) => !NOT_STATE.has(name));
  const rows = tables.map((name) => [name, database.prepare(`select * from "${name}"`).all()]);
  const blobs = readdirSync(join(dataDir, 'blobs'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const bytes = readFileSync(join(entry.parentPath, entry.name));
      return `${entry.name} ${createHash('sha256').update(bytes).digest('hex')}`;
    })
    .sort();
  return { rows, blobs };
}
