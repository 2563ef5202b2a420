import {
  IMAGE_TYPES,
  ImageRefused,
  SYSTEM_IMAGE_FILES,
  decodeKeystore,
  equalBytes,
  imageUse,
  parseFileSystem,
  parseImagePackage,
  verifyImage,
  type BootPhase,
  type KeystoreKey,
  type LoadedIdentity,
  type TrustedKeystore,
} from '@sevenfold/formats';
import { PlutonError } from './errors.ts';
import type { PlutonHardwarePort } from './hardware.ts';

/** What verification of an image yields, and what is measured. */
export interface ImageIdentity extends LoadedIdentity {
  readonly imageType: number;
  /** SHA-256 of the signer's SPKI. */
  readonly signerId: Uint8Array;
  readonly payload: Uint8Array;
}

/** Verifies and measures images under the keystore that the mask ROM trusted. */
export class ImageVerifier {
  readonly #hardware: PlutonHardwarePort;
  readonly #keystore: TrustedKeystore;
  readonly #measured = new Set<number>();

  private constructor(hardware: PlutonHardwarePort, keystore: TrustedKeystore) {
    this.#hardware = hardware;
    this.#keystore = keystore;
  }

  /** Takes over the keystore as the ROM verified it. */
  static async open(hardware: PlutonHardwarePort): Promise<ImageVerifier> {
    const { payload } = parseImagePackage(await hardware.trustedKeystore());
    return new ImageVerifier(hardware, decodeKeystore(fileOf(payload, SYSTEM_IMAGE_FILES.keystore)));
  }

  /** May this image package run as an image of this type here and now? Throws `FormatError` or `ImageRefused`. */
  async verify(untrusted: Uint8Array, imageType: number): Promise<ImageIdentity> {
    const fuses = await this.#hardware.fuses();
    const isKeystore = imageType === IMAGE_TYPES.TrustedKeystore;
    const policy = {
      imageType,
      chipSku: fuses.chipSku,
      leastSecurityVersion: fuses.securityVersion(imageType),
      keys: isKeystore ? [await this.#root()] : this.#keystore.keys,
      revokedImageDigests: this.#keystore.revokedImageDigests,
    };
    const {
      package: image,
      digest,
      signerId,
      securityVersion,
    } = await verifyImage(untrusted, policy, this.#hardware);
    if (isKeystore) await this.#isFitKeystore(image.payload);
    const { imageId, componentId, name } = image.fields;
    return {
      imageType,
      imageId,
      componentId,
      name,
      digest,
      signerId,
      securityVersion,
      payload: image.payload,
    };
  }

  /** The next keystore is signed by the root that the fuses name, like the present one. */
  async #root(): Promise<KeystoreKey> {
    const { rootSpki } = this.#keystore;
    const thumbprint = await this.#hardware.sha1(rootSpki);
    return { spki: rootSpki, thumbprint, uses: [imageUse(IMAGE_TYPES.TrustedKeystore)] };
  }

  /** A keystore that the ROM would refuse, or that takes back what a newer one says, is refused before it is staged. */
  async #isFitKeystore(payload: Uint8Array): Promise<void> {
    const next = decodeKeystore(fileOf(payload, SYSTEM_IMAGE_FILES.keystore));
    if (!equalBytes(next.rootSpki, this.#keystore.rootSpki)) {
      throw new ImageRefused('WrongRoot', 'The keystore is under another root key than the fused one.');
    }
    if (next.version < this.#keystore.version) {
      throw new ImageRefused('KeystoreTooOld', `The keystore has version ${next.version}.`, {
        rule: `at least ${this.#keystore.version}`,
      });
    }
    for (const { spki, thumbprint } of next.keys) {
      if (!equalBytes(await this.#hardware.sha1(spki), thumbprint)) {
        throw new ImageRefused(
          'InvalidKeystore',
          'A key of the keystore is not the one that its thumbprint names.',
        );
      }
    }
  }

  /** Where this boot stands, by what was measured here; null: not even the monitor was. */
  get phase(): BootPhase | null {
    if (this.#measured.has(IMAGE_TYPES.Services)) return 'running';
    return this.#measured.has(IMAGE_TYPES.SecurityMonitor) ? 'booting' : null;
  }

  /**
   * Extends the measurement registers with a verified image: before it runs. Once for the same bytes; and nothing
   * any more once the last layer is measured (`MeasurementsClosed`).
   */
  async measure({ imageType, name, digest, signerId, securityVersion }: ImageIdentity): Promise<void> {
    const present = await this.#hardware.measurements();
    if (present.some((entry) => entry.imageType === imageType && equalBytes(entry.digest, digest))) return;
    if (this.phase === 'running') {
      throw new PlutonError(
        'MeasurementsClosed',
        `Everything that runs is measured: ${name} comes too late.`,
        {
          rule: 'nothing is measured after the services until reset',
        },
      );
    }
    await this.#hardware.extendMeasurement({ imageType, name, digest, signerId, securityVersion });
    this.#measured.add(imageType);
  }

  /** Says whether `message` was signed by a keystore key that has `use`. `keyId` is the key's thumbprint. */
  async isSigned(
    use: string,
    message: Uint8Array,
    signature: Uint8Array,
    keyId: Uint8Array,
  ): Promise<boolean> {
    const key = this.#keystore.keys.find(
      (known) => equalBytes(known.thumbprint, keyId) && known.uses.includes(use),
    );
    return key !== undefined && this.#hardware.verify(key.spki, message, signature);
  }
}

/** A file of a verified payload. Throws `ImageRefused` where it is missing. */
export function fileOf(payload: Uint8Array, path: string): Uint8Array {
  const content = parseFileSystem(payload).read(path);
  if (content === null)
    throw new ImageRefused('MissingContent', `The image holds no ${path}.`, { field: path });
  return content;
}
