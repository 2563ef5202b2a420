import {
  CHIP_SKUS,
  encodeUnsignedImagePackage,
  finishImagePackage,
  IMAGE_TYPES,
  imageUse,
  SYSTEM_COMPONENT_IDS,
  SYSTEM_IMAGE_FILES,
  SYSTEM_IMAGE_TYPES,
  utf8Encode,
  writeFileSystem,
} from '@sevenfold/formats';
import {
  buildOsRelease,
  bundleStageWorker,
  manufactureInMemory,
  runDevice,
  type OsRelease,
  type VirtualDevice,
} from '@sevenfold/device';
import { generateKeyPair, signWithPkcs8, thumbprint } from '@sevenfold/pki';

/** A key that signs OS and apps of the bench. */
export interface BenchSigner {
  readonly spki: Uint8Array;
  readonly thumbprint: Uint8Array;
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/** A fresh key. */
export function makeSigner(): BenchSigner {
  const { spki, pkcs8 } = generateKeyPair();
  return {
    spki,
    thumbprint: thumbprint(spki),
    sign: (message) => Promise.resolve(signWithPkcs8(pkcs8, message)),
  };
}

/** Services that do nothing by themselves: what the gateway is asked goes on to the kernel. */
const SERVICES = `globalThis.stage = { async start(h) {
  h.serve((caller, method, args) => h.ports.kernel.call(method, ...args));
} };`;

async function servicesPackage(signer: BenchSigner): Promise<Uint8Array> {
  const bundle = { path: SYSTEM_IMAGE_FILES.bundle, bytes: utf8Encode(SERVICES) };
  const unsigned = encodeUnsignedImagePackage(writeFileSystem([bundle]), {
    imageType: IMAGE_TYPES.Services,
    componentId: SYSTEM_COMPONENT_IDS.Services,
    imageId: '0c9b8e2a-4f6d-4b1e-8a35-7d2c6e1f0aff',
    name: 'services 26.11.0',
    buildTime: 0,
    signerThumbprint: signer.thumbprint,
    securityVersion: { version: 1, chipSku: CHIP_SKUS['SF-V1'] },
  });
  return finishImagePackage(unsigned, await signer.sign(unsigned));
}

/**
 * Today's OS, signed by one key, which may sign apps too. Its services are replaced by a few lines that hand the
 * kernel to the gateway, so that the bench can install and remove apps.
 */
export async function buildRelease(signer: BenchSigner): Promise<OsRelease> {
  const services = await servicesPackage(signer);
  const release = await buildOsRelease({
    version: '26.11.0',
    root: makeSigner(),
    platform: signer,
    keystore: {
      version: 1,
      keys: [
        {
          spki: signer.spki,
          uses: [
            ...SYSTEM_IMAGE_TYPES.map((type) => `image:${type}`),
            imageUse(IMAGE_TYPES.Applications),
            'plan',
          ],
        },
      ],
    },
    certStore: {
      endpoints: [{ host: 'devices.example', port: 7443, serverName: 'devices.example' }],
      tlsRoots: [Uint8Array.of(0x30, 0)],
    },
  });
  const images = release.images.map((image) =>
    image.type === 'Services' ? { ...image, package: services } : image,
  );
  return { ...release, images };
}

/** A virtual device with threads, the apps (at most four) installed in its flash, off. Nothing answers its network. */
export async function deviceWith(
  release: OsRelease,
  packages: readonly Uint8Array[],
): Promise<VirtualDevice> {
  const { chip, info } = manufactureInMemory({
    images: release.images,
    applications: packages,
    rootKeyHash: release.rootKeyHash,
  });
  return runDevice(chip, info, {
    wiring: 'thread',
    network: { resolve: () => null },
    stageWorker: await bundleStageWorker(),
  });
}

/** Resolves with the first line of the device's log that matches, and when it came (ms, `performance.now`). */
export function lineOf(
  device: VirtualDevice,
  pattern: RegExp,
  milliseconds = 60_000,
): Promise<{ readonly match: RegExpExecArray; readonly at: number }> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      end();
      reject(new Error(`No line ${String(pattern)} came:\n${device.bootLog.slice(-20).join('\n')}`));
    }, milliseconds);
    const end = device.onLog((line) => {
      const match = pattern.exec(line);
      if (match === null) return;
      clearTimeout(timer);
      end();
      resolve({ match, at: performance.now() });
    });
  });
}
