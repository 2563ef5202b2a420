import {
  CHIP_SKUS,
  FLASH_MAP,
  IMAGE_TYPES,
  SECOND_SIGNATURE_LENGTH,
  STAGE_ABI,
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
  slotCapacity,
  toHex,
  writeFileSystem,
  type CertStore,
  type ChipSkuName,
  type FileEntry,
  type ImageFields,
  type KeySuccession,
  type SystemImageTypeName,
  type TrustedKeystore,
} from '@sevenfold/formats';
import { sha256, thumbprint } from '@sevenfold/pki';
import { DeviceError } from './errors.ts';
import { bundleStage, withBundler } from './stage-bundle.ts';

/** A key that signs, wherever it is kept. */
export interface ReleaseSigner {
  /** SubjectPublicKeyInfo, DER, ECDSA P-256. */
  readonly spki: Uint8Array;
  /** r‖s (64 bytes) over SHA-256 of `message`. */
  sign(message: Uint8Array): Promise<Uint8Array>;
  /** Its ML-DSA-65 key: makes the second signature of images, for chips that want one. */
  readonly second?: {
    /** SubjectPublicKeyInfo, DER. */
    readonly spki: Uint8Array;
    sign(message: Uint8Array): Promise<Uint8Array>;
  };
}

/** What an OS release is built from. */
export interface OsReleaseOptions {
  /** Such as `26.11.0`: two to four numbers. */
  readonly version: string;
  /** The kernel's version where it differs: only the kernel's image is then new. Names the release. */
  readonly kernelVersion?: string;
  readonly chipSku?: ChipSkuName;
  /** Devices refuse images below the version that their fuses say; default 1. Of all images but the keystore. */
  readonly securityVersion?: number;
  /** Signs every image but the keystore. */
  readonly platform: ReleaseSigner;
  /** The root key whose hash is fused: signs the keystore. */
  readonly root: ReleaseSigner;
  readonly keystore: {
    readonly version: number;
    readonly keys: readonly {
      readonly spki: Uint8Array;
      readonly uses: readonly string[];
      readonly secondSpki?: Uint8Array;
    }[];
    readonly revokedImageDigests?: readonly Uint8Array[];
    readonly successions?: readonly KeySuccession[];
  };
  readonly certStore: CertStore;
  /**
   * The package of an image that was built and signed before, by its image id; null: there is none. Signatures
   * differ from one to the next, so this is how two releases come to share what did not change.
   */
  readonly existing?: (imageId: string) => Promise<Uint8Array | null>;
}

/** One image of a release. */
export interface ReleaseImage {
  readonly type: SystemImageTypeName;
  readonly componentId: string;
  readonly imageId: string;
  readonly name: string;
  /** SHA-256 of the whole package: what is measured and what the service refers to. */
  readonly digest: Uint8Array;
  readonly package: Uint8Array;
}

/** An OS release: one image of each system type, in boot order. */
export interface OsRelease {
  readonly name: string;
  readonly chipSku: ChipSkuName;
  readonly images: readonly ReleaseImage[];
  /** SHA-256 of `rootKeyBytes`: what is fused. */
  readonly rootKeyHash: Uint8Array;
}

interface Content {
  readonly name: string;
  readonly files: readonly FileEntry[];
}

const VERSION_FORM = /^\d{1,5}(\.\d{1,5}){1,3}$/;
/** Packages say no time: the same sources are the same image, whenever they are built. */
const BUILD_TIME = 0;

/** Builds, packs and signs an OS release from this repository's own sources. */
export async function buildOsRelease(options: OsReleaseOptions): Promise<OsRelease> {
  const { version, kernelVersion = version, chipSku = 'SF-V1' } = options;
  for (const [field, text] of Object.entries({ version, kernelVersion })) {
    if (!VERSION_FORM.test(text)) {
      const rule = 'two to four numbers with dots between';
      throw new DeviceError('ReleaseInvalid', `${text} is no version: ${rule}.`, { field, rule });
    }
  }
  requireSigner(options);
  const contents = await withBundler(() => makeContents(options, version, kernelVersion));
  const images: ReleaseImage[] = [];
  for (const imageType of SYSTEM_IMAGE_TYPES) {
    images.push(await packImage(imageType, contents[imageType], options, CHIP_SKUS[chipSku]));
  }
  return { name: kernelVersion, chipSku, images, rootKeyHash: sha256(rootKeyBytes(rootOf(options))) };
}

/** No device boots an image whose signer its keystore does not have for that type. */
function requireSigner({ platform, keystore }: OsReleaseOptions): void {
  const spki = toHex(platform.spki);
  for (const type of SYSTEM_IMAGE_TYPES) {
    if (type === 'TrustedKeystore') continue;
    const use = imageUse(IMAGE_TYPES[type]);
    if (keystore.keys.some((key) => toHex(key.spki) === spki && key.uses.includes(use))) continue;
    throw new DeviceError('ReleaseInvalid', `The keystore lacks the platform's key for the ${type}.`, {
      field: 'keystore.keys',
      rule: `the key that signs, with the use ${use}`,
    });
  }
}

const rootOf = ({ root }: OsReleaseOptions): Pick<TrustedKeystore, 'rootSpki' | 'secondRootSpki'> => ({
  rootSpki: root.spki,
  ...(root.second && { secondRootSpki: root.second.spki }),
});

async function makeContents(
  options: OsReleaseOptions,
  version: string,
  kernelVersion: string,
): Promise<Record<SystemImageTypeName, Content>> {
  const stage = async (name: 'pluton' | 'monitor' | 'services'): Promise<Content> => ({
    name: `${name} ${version}`,
    files: [{ path: SYSTEM_IMAGE_FILES.bundle, bytes: await bundleStage(name, version), executable: true }],
  });
  const kernel = async (): Promise<Content> => {
    const [bundle, compartment] = await Promise.all([
      bundleStage('kernel', kernelVersion),
      bundleStage('compartment', kernelVersion),
    ]);
    return {
      name: `kernel ${kernelVersion}`,
      files: [
        { path: SYSTEM_IMAGE_FILES.bundle, bytes: bundle, executable: true },
        { path: SYSTEM_IMAGE_FILES.compartment, bytes: compartment, executable: true },
      ],
    };
  };
  const keystore = encodeKeystore({
    version: options.keystore.version,
    ...rootOf(options),
    keys: options.keystore.keys.map((key) => ({ ...key, thumbprint: thumbprint(key.spki) })),
    revokedImageDigests: options.keystore.revokedImageDigests ?? [],
    ...(options.keystore.successions?.length && { successions: options.keystore.successions }),
  });
  const certStore = encodeCertStore(options.certStore);
  const [pluton, monitor, services, kernelContent] = await Promise.all([
    stage('pluton'),
    stage('monitor'),
    stage('services'),
    kernel(),
  ]);
  return {
    // Named by what they hold, not by the release: releases share them while they stay the same.
    TrustedKeystore: {
      name: `keystore v${options.keystore.version}`,
      files: [{ path: SYSTEM_IMAGE_FILES.keystore, bytes: keystore }],
    },
    UpdateCertStore: {
      name: `certstore ${toHex(sha256(certStore)).slice(0, 8)}`,
      files: [{ path: SYSTEM_IMAGE_FILES.certStore, bytes: certStore }],
    },
    PlutonRuntime: pluton,
    SecurityMonitor: monitor,
    Services: services,
    NormalWorldKernel: kernelContent,
  };
}

function interfacesOf(imageType: SystemImageTypeName): Partial<ImageFields> {
  const { provides = [], depends = [] } = STAGE_ABI[imageType] ?? {};
  return {
    ...(depends.length > 0 && { abiDepends: depends }),
    ...(provides.length > 0 && { abiProvides: provides }),
  };
}

async function packImage(
  imageType: SystemImageTypeName,
  content: Content,
  options: OsReleaseOptions,
  chipSku: number,
): Promise<ReleaseImage> {
  const signer = imageType === 'TrustedKeystore' ? options.root : options.platform;
  const componentId = SYSTEM_COMPONENT_IDS[imageType];
  const payload = writeFileSystem(content.files);
  const encode = (imageId: string): Uint8Array =>
    encodeUnsignedImagePackage(payload, {
      imageType: IMAGE_TYPES[imageType],
      componentId,
      imageId,
      name: content.name,
      buildTime: BUILD_TIME,
      signerThumbprint: thumbprint(signer.spki),
      // A keystore's security version is its own: the fused counter then follows the keystores.
      securityVersion: {
        version: imageType === 'TrustedKeystore' ? options.keystore.version : (options.securityVersion ?? 1),
        chipSku,
      },
      ...interfacesOf(imageType),
      ...(signer.second && { secondSignature: new Uint8Array(SECOND_SIGNATURE_LENGTH) }),
    });
  // The id is a hash of everything else in the package, its signer included.
  const imageId = guidFromRandom(sha256(encode('00000000-0000-0000-0000-000000000000')).slice(0, 16));
  const unsigned = encode(imageId);
  const existing = (await options.existing?.(imageId)) ?? null;
  const bytes =
    existing ??
    finishImagePackage(unsigned, await signer.sign(unsigned), await signer.second?.sign(unsigned));
  if (existing !== null && toHex(signedBytesOf(parseImagePackage(existing))) !== toHex(unsigned)) {
    throw new DeviceError('ReleaseInvalid', `The package kept for image ${imageId} has another content.`, {
      field: imageType,
    });
  }
  const room = slotCapacity(FLASH_MAP.system[imageType].A);
  if (bytes.length > room) {
    throw new DeviceError('ReleaseInvalid', `The image ${content.name} has ${bytes.length} bytes.`, {
      field: imageType,
      rule: `at most ${room} bytes`,
    });
  }
  return { type: imageType, componentId, imageId, name: content.name, digest: sha256(bytes), package: bytes };
}
