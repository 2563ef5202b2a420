import { generateKeyPairSync, createHash, sign, type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import {
  CHIP_SKUS,
  IMAGE_TYPES,
  SECOND_SIGNATURE_LENGTH,
  SYSTEM_COMPONENT_IDS,
  SYSTEM_IMAGE_FILES,
  SYSTEM_IMAGE_TYPES,
  encodeCertStore,
  encodeKeystore,
  encodeUnsignedImagePackage,
  finishImagePackage,
  guidFromRandom,
  imageUse,
  parseImagePackage,
  signedBytesOf,
  rootKeyBytes,
  successionStatement,
  utf8Encode,
  writeFileSystem,
  type FileEntry,
  type ImageFields,
  type ImageTypeName,
  type KeySuccession,
  type SystemImageTypeName,
} from '@sevenfold/formats';
import type { ProvisionImage } from '@sevenfold/silicon';

/** A signing key of the tests. */
export interface TestKey {
  readonly privateKey: KeyObject;
  readonly spki: Uint8Array;
  readonly thumbprint: Uint8Array;
  /** ML-DSA-65, for second signatures. */
  readonly second: { readonly privateKey: KeyObject; readonly spki: Uint8Array };
}

/** A key that no keystore knows yet. */
export function makeKey(): TestKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = Uint8Array.from(publicKey.export({ format: 'der', type: 'spki' }));
  const second = generateKeyPairSync('ml-dsa-65');
  return {
    privateKey,
    spki,
    thumbprint: Uint8Array.from(createHash('sha1').update(spki).digest()),
    second: {
      privateKey: second.privateKey,
      spki: Uint8Array.from(second.publicKey.export({ format: 'der', type: 'spki' })),
    },
  };
}

export const sha256 = (bytes: Uint8Array): Uint8Array =>
  Uint8Array.from(createHash('sha256').update(bytes).digest());

export function signWith({ privateKey }: TestKey, message: Uint8Array): Uint8Array {
  return Uint8Array.from(sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' }));
}

/** The keys of a device family: root, platform (system images), service (apps, plans, capabilities), developer. */
export const keys = {
  root: makeKey(),
  platform: makeKey(),
  service: makeKey(),
  developer: makeKey(),
  stranger: makeKey(),
};
export const rootKeyHash = sha256(keys.root.spki);
/** What is fused where the root has a second key as well. */
export const bothRootKeysHash = sha256(
  rootKeyBytes({ rootSpki: keys.root.spki, secondRootSpki: keys.root.second.spki }),
);

/** What a keystore lists of a key that was rotated: one hands over to the other, unless somebody else signs it. */
export function succession(from: TestKey, next: TestKey, signatureBy: TestKey = from): KeySuccession {
  const to = sha256(next.spki);
  return { from: from.spki, to, signature: signWith(signatureBy, successionStatement(to)) };
}

/** What a keystore lists to revoke an image. */
export const revocationOf = (imagePackage: Uint8Array): Uint8Array =>
  sha256(signedBytesOf(parseImagePackage(imagePackage)));

/** ML-DSA-65 by the second half of a key. */
function signTwiceWith({ second }: TestKey, message: Uint8Array): Uint8Array {
  return Uint8Array.from(sign(null, message, second.privateKey));
}

let nextImage = 1;

/** What may differ from a proper image. */
export interface ImageVariant {
  readonly signer?: TestKey;
  /** Signs with this key while naming `signer`. */
  readonly signatureBy?: TestKey;
  readonly imageType?: number;
  readonly componentId?: string;
  readonly securityVersion?: number;
  readonly chipSku?: number;
  /** Adds a second signature, by this key, over what it makes of the bytes that it should be over. */
  readonly second?: { readonly by?: TestKey; readonly over?: (signed: Uint8Array) => Uint8Array };
  /** Any other fields. */
  readonly fields?: Partial<ImageFields>;
}

/** An image package of any type, signed as it should be unless a variant says otherwise. */
export function makeImage(
  type: ImageTypeName,
  name: string,
  files: readonly FileEntry[],
  variant: ImageVariant = {},
): Uint8Array {
  const isApp = type === 'Applications';
  const properSigner = type === 'TrustedKeystore' ? keys.root : isApp ? keys.service : keys.platform;
  const signer = variant.signer ?? properSigner;
  const { second } = variant;
  const id = new Uint8Array(16);
  new DataView(id.buffer).setUint32(0, nextImage++);
  const unsigned = encodeUnsignedImagePackage(writeFileSystem(files), {
    imageType: variant.imageType ?? IMAGE_TYPES[type],
    componentId:
      variant.componentId ?? (isApp ? APP_COMPONENT : SYSTEM_COMPONENT_IDS[type as SystemImageTypeName]),
    imageId: guidFromRandom(id),
    name,
    buildTime: 1_790_000_000,
    signerThumbprint: signer.thumbprint,
    ...(isApp && variant.securityVersion === undefined
      ? {}
      : {
          securityVersion: {
            version: variant.securityVersion ?? 1,
            chipSku: variant.chipSku ?? CHIP_SKUS['SF-V1'],
          },
        }),
    ...(second && { secondSignature: new Uint8Array(SECOND_SIGNATURE_LENGTH) }),
    ...variant.fields,
  });
  const { by = signer, over = (signed: Uint8Array) => signed } = second ?? {};
  return finishImagePackage(
    unsigned,
    signWith(variant.signatureBy ?? signer, unsigned),
    second && signTwiceWith(by, over(unsigned)),
  );
}

export const APP_COMPONENT = '11111111-2222-4333-8444-555555555555';

/** An app image of `size` bytes of content. */
export function makeApp(name: string, size = 5000, variant: ImageVariant = {}): Uint8Array {
  const content = new Uint8Array(size).map((_, index) => (index * 7 + name.length) & 0xff);
  return makeImage('Applications', name, [{ path: '/bin/app', bytes: content, executable: true }], variant);
}

const bundles = new Map<string, Promise<Uint8Array>>();
/** What the stages are bundled with: `test/attacks` takes defences out of them here. */
export const stagePlugins: Plugin[] = [];

/** A stage bundled from the real sources. */
function bundleStage(stage: 'pluton' | 'monitor'): Promise<Uint8Array> {
  let bundle = bundles.get(stage);
  if (bundle === undefined) {
    bundle = build({
      entryPoints: [join(import.meta.dirname, '../..', stage, 'main.ts')],
      bundle: true,
      format: 'iife',
      globalName: 'stage',
      target: 'es2024',
      platform: 'neutral',
      minify: true,
      plugins: stagePlugins,
      write: false,
    }).then(({ outputFiles }) => Uint8Array.from(outputFiles[0]?.contents ?? []));
    bundles.set(stage, bundle);
  }
  return bundle;
}

/** The smallest kernel: passes what the services ask on to the monitor, or to its hardware with `hw.`. */
const KERNEL = `globalThis.stage = { async start(h) {
  h.serve(async (caller, method, args) => caller !== 'services' && caller !== 'hardware' ? [caller, method]
    : caller === 'hardware' ? (h.log(method + ' ' + args.join(' ')), null)
    : method.startsWith('hw.') ? h.ports.hardware.call(method.slice(3), ...args) : h.ports.monitor.call(method, ...args));
  await h.ports.monitor.call('watchdogKick', 600000);
  await h.ports.hardware.call('startStage', 'services', await h.ports.monitor.call('loadServices'));
} };`;
/** The smallest services: the gateway's calls go straight on to the kernel. */
const SERVICES = `globalThis.stage = { async start(h) {
  h.serve(async (caller, method, args) => h.ports.kernel.call(method, ...args));
} };`;
const COMPARTMENT = `globalThis.stage = { async start(h) { await h.ports.kernel.call('hello'); } };`;

/** How a test release differs from the plain one. */
export interface ReleaseVariant {
  readonly version?: string;
  readonly securityVersion?: number;
  /** Sources in place of the small ones above. */
  readonly kernel?: string;
  readonly services?: string;
  readonly platformKeys?: readonly (Omit<TestKey, 'second'> & Partial<TestKey>)[];
  readonly revoked?: readonly Uint8Array[];
  readonly keystoreVersion?: number;
  readonly successions?: readonly KeySuccession[];
  readonly monitor?: string;
  readonly root?: TestKey;
  /** Root and platform have second keys, and sign twice. */
  readonly twice?: boolean;
}

/** One image of a release. */
export async function makeSystemImage(
  type: SystemImageTypeName,
  {
    version = '1.0.0',
    securityVersion = 1,
    kernel = KERNEL,
    services = SERVICES,
    platformKeys,
    revoked,
    keystoreVersion = securityVersion,
    successions,
    monitor,
    root = keys.root,
    twice = false,
  }: ReleaseVariant = {},
  variant: ImageVariant = {},
): Promise<Uint8Array> {
  const files = async (): Promise<FileEntry[]> => {
    const bundle = (bytes: Uint8Array): FileEntry => ({ path: SYSTEM_IMAGE_FILES.bundle, bytes });
    switch (type) {
      case 'TrustedKeystore': {
        const systemUses = SYSTEM_IMAGE_TYPES.filter((name) => name !== 'TrustedKeystore').map((name) =>
          imageUse(IMAGE_TYPES[name]),
        );
        const bytes = encodeKeystore({
          version: keystoreVersion,
          rootSpki: root.spki,
          ...(twice && { secondRootSpki: root.second.spki }),
          keys: [
            ...(platformKeys ?? [keys.platform]).map(({ spki, thumbprint, second }) => ({
              spki,
              thumbprint,
              uses: systemUses,
              ...(twice && second && { secondSpki: second.spki }),
            })),
            {
              spki: keys.service.spki,
              thumbprint: keys.service.thumbprint,
              uses: [imageUse(IMAGE_TYPES.Applications), 'plan', 'capability'],
            },
            {
              spki: keys.developer.spki,
              thumbprint: keys.developer.thumbprint,
              uses: ['development'],
            },
          ],
          revokedImageDigests: revoked ?? [],
          ...(successions && { successions }),
        });
        return [{ path: SYSTEM_IMAGE_FILES.keystore, bytes }];
      }
      case 'UpdateCertStore': {
        const bytes = encodeCertStore({
          endpoints: [{ host: '127.0.0.1', port: 1, serverName: 'service.test' }],
          tlsRoots: [Uint8Array.of(0x30, 0x00)],
        });
        return [{ path: SYSTEM_IMAGE_FILES.certStore, bytes }];
      }
      case 'PlutonRuntime':
        return [bundle(await bundleStage('pluton'))];
      case 'SecurityMonitor':
        return [bundle(monitor === undefined ? await bundleStage('monitor') : utf8Encode(monitor))];
      case 'NormalWorldKernel':
        return [
          bundle(utf8Encode(kernel)),
          { path: SYSTEM_IMAGE_FILES.compartment, bytes: utf8Encode(COMPARTMENT) },
        ];
      case 'Services':
        return [bundle(utf8Encode(services))];
      default:
        return type satisfies never;
    }
  };
  const label = {
    TrustedKeystore: 'keystore',
    PlutonRuntime: 'pluton',
    SecurityMonitor: 'monitor',
    UpdateCertStore: 'certstore',
    NormalWorldKernel: 'kernel',
    Services: 'services',
  };
  return makeImage(type, `${label[type]} ${version}`, await files(), {
    securityVersion: type === 'TrustedKeystore' ? keystoreVersion : securityVersion,
    ...(twice && { second: {} }),
    ...variant,
  });
}

/** All images of a release. */
export function makeRelease(variant: ReleaseVariant = {}): Promise<ProvisionImage[]> {
  return Promise.all(
    SYSTEM_IMAGE_TYPES.map(async (type) => ({ type, package: await makeSystemImage(type, variant) })),
  );
}
