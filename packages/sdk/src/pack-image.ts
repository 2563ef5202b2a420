import { randomBytes } from 'node:crypto';
import {
  ABI_KINDS,
  APPLICATION_RUNTIME_VERSION,
  encodeUnsignedImagePackage,
  finishImagePackage,
  guidFromRandom,
  IMAGE_TYPES,
  parseAppManifest,
  readCoreProgram,
  TEMPORARY_FLAGS,
  utf8Encode,
  writeFileSystem,
  type FileEntry,
} from '@sevenfold/formats';

/** How an image is named and signed. */
export interface PackOptions {
  /** The development key that signs; the service signs again when the image is uploaded. */
  readonly signer: {
    /** SHA-1 of the key's SPKI: 20 bytes. */
    readonly thumbprint: Uint8Array;
    /** r‖s (64 bytes), ECDSA P-256 over SHA-256 of `message`. */
    sign(message: Uint8Array): Promise<Uint8Array>;
  };
  /** Canonical GUID of this build; absent: a random one, since every build is a new image. */
  readonly imageId?: string;
  /** Seconds since 1970; absent: now. */
  readonly buildTime?: number;
}

/** An image of an app. */
export interface PackedImage {
  /** A whole image package, ready for upload. */
  readonly imagePackage: Uint8Array;
  readonly imageId: string;
  readonly componentId: string;
  readonly name: string;
}

/** Bytes of the metadata's name that survive (azure-sphere.md §2.4). */
const LONGEST_NAME = 31;

/** At most so many bytes of UTF-8, whole characters. */
function shortName(name: string): string {
  let short = name;
  while (utf8Encode(short).length > LONGEST_NAME) short = Array.from(short).slice(0, -1).join('');
  return short;
}

/** Packs files, the manifest among them, into a signed image package. Throws `FormatError`. */
export async function packImage(
  content: { readonly manifestBytes: Uint8Array; readonly files: readonly FileEntry[] },
  { signer, imageId = guidFromRandom(new Uint8Array(randomBytes(16))), buildTime }: PackOptions,
): Promise<PackedImage> {
  const { componentId, name, applicationType } = parseAppManifest(content.manifestBytes);
  const payload = writeFileSystem(content.files);
  // What the device would refuse is not packed.
  if (applicationType === 'RealTimeCapable') readCoreProgram(payload);
  const unsigned = encodeUnsignedImagePackage(payload, {
    imageType: IMAGE_TYPES.Applications,
    componentId,
    imageId,
    name: shortName(name),
    buildTime: buildTime ?? Math.floor(Date.now() / 1000),
    signerThumbprint: signer.thumbprint,
    temporaryFlags: TEMPORARY_FLAGS.underDevelopment,
    abiDepends: [{ version: APPLICATION_RUNTIME_VERSION, kind: ABI_KINDS.ApplicationRuntime }],
  });
  const imagePackage = finishImagePackage(unsigned, await signer.sign(unsigned));
  return { imagePackage, imageId, componentId, name };
}
