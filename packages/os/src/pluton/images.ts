import {
  IMAGE_TYPES,
  SYSTEM_IMAGE_FILES,
  decodeDeviceCapability,
  decodeKeystore,
  decodeSign1,
  equalBytes,
  fileOfSigned,
  imageUse,
  parseImagePackage,
  verifyImage,
  verifyKeystore,
  type AbiVersion,
  type BootPhase,
  type DeviceCapabilityName,
  type KeySuccession,
  type KeystoreKey,
  type LoadedIdentity,
  type TrustedKeystore,
  type VerifiedImage,
} from '@sevenfold/formats';
import { PlutonError } from './errors.ts';
import type { PlutonHardwarePort } from './hardware.ts';

/** What verification of an image yields, and what is measured. */
export interface ImageIdentity extends LoadedIdentity {
  readonly imageType: number;
  /** SHA-256 of the signer's SPKI. */
  readonly signerId: Uint8Array;
  readonly abiProvides?: readonly AbiVersion[];
  readonly abiDepends?: readonly AbiVersion[];
  readonly file: VerifiedImage['file'];
}

/** One line of the measurement registers. */
type Measured = {
  readonly imageType: number;
  readonly name: string;
  readonly digest: Uint8Array;
  readonly signerId: Uint8Array;
  readonly securityVersion: number;
};

/** Verifies and measures images under the keystore that the mask ROM trusted. */
export class ImageVerifier {
  readonly #hardware: PlutonHardwarePort;
  readonly #keystore: TrustedKeystore;
  readonly #measured = new Set<number>();
  /** What this device is unlocked for until reset. */
  #capabilities: readonly DeviceCapabilityName[] = [];
  /** What the layers offer that were measured so far. */
  #provided: readonly AbiVersion[];

  private constructor(
    hardware: PlutonHardwarePort,
    keystore: TrustedKeystore,
    provided: readonly AbiVersion[],
  ) {
    this.#hardware = hardware;
    this.#keystore = keystore;
    this.#provided = provided;
  }

  /** Takes over the keystore as the ROM verified it, and what the Pluton runtime offers. */
  static async open(hardware: PlutonHardwarePort, provided: readonly AbiVersion[]): Promise<ImageVerifier> {
    const image = parseImagePackage(await hardware.trustedKeystore());
    const keystore = decodeKeystore(fileOfSigned(image, SYSTEM_IMAGE_FILES.keystore));
    return new ImageVerifier(hardware, keystore, provided);
  }

  /**
   * May this image package run as an image of this type? `toRun`: here and now, over what has been measured so far;
   * otherwise it is to be staged. Throws `FormatError` or `ImageRefused`.
   */
  async verify(untrusted: Uint8Array, imageType: number, toRun: boolean): Promise<ImageIdentity> {
    const fuses = await this.#hardware.fuses();
    const policy = {
      imageType,
      rootKeyHash: fuses.rootKeyHash,
      chipSku: fuses.chipSku,
      leastSecurityVersion: fuses.securityVersion(imageType),
      needsSecondSignature: fuses.needsSecondSignature,
      keys: this.#keysFor(imageType),
      revokedImageDigests: this.#keystore.revokedImageDigests,
      provided: toRun ? this.#provided : null,
    };
    const verified =
      imageType === IMAGE_TYPES.TrustedKeystore
        ? await verifyKeystore(untrusted, policy, this.#hardware)
        : await verifyImage(untrusted, policy, this.#hardware);
    const { package: image, digest, signerId, securityVersion, file } = verified;
    return { ...image.fields, digest, signerId, securityVersion, file };
  }

  /** Which keys handed over to which, as the keystore has it: for whoever relies on it to verify. */
  get successions(): readonly KeySuccession[] {
    return this.#keystore.successions ?? [];
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
  async measure({
    imageType,
    name,
    digest,
    signerId,
    securityVersion,
    abiProvides = [],
  }: ImageIdentity): Promise<void> {
    if (!(await this.#extend({ imageType, name, digest, signerId, securityVersion }))) return;
    this.#measured.add(imageType);
    this.#provided = [...this.#provided, ...abiProvides];
  }

  /** False: it is there already. Throws `MeasurementsClosed`. */
  async #extend(measurement: Measured): Promise<boolean> {
    const { imageType, name, digest } = measurement;
    const present = await this.#hardware.measurements();
    if (present.some((entry) => entry.imageType === imageType && equalBytes(entry.digest, digest)))
      return false;
    if (this.phase === 'running') {
      throw new PlutonError(
        'MeasurementsClosed',
        `Everything that runs is measured: ${name} comes too late.`,
        {
          rule: 'nothing is measured after the services until reset',
        },
      );
    }
    await this.#hardware.extendMeasurement(measurement);
    return true;
  }

  /**
   * Opens a capability file: signed by a key for that, and for this device. `inForce`: measured, so that whoever is shown
   * a token of this boot sees it, and held until reset. Throws `FormatError`, `CapabilityRefused`.
   */
  async openCapability(
    untrusted: Uint8Array,
    deviceId: string,
    inForce: boolean,
  ): Promise<readonly DeviceCapabilityName[]> {
    const { algorithm, keyId, toBeSigned, signature, payload } = decodeSign1(untrusted);
    const signer =
      algorithm === 'ES256' && keyId !== null
        ? await this.#signerOf('capability', toBeSigned, signature, keyId)
        : null;
    if (signer === null) {
      throw new PlutonError('CapabilityRefused', 'The capability is not signed by a key for capabilities.');
    }
    const capability = decodeDeviceCapability(payload);
    if (capability.deviceId !== deviceId) {
      throw new PlutonError('CapabilityRefused', `The capability is for device ${capability.deviceId}.`, {
        rule: 'for this very device',
      });
    }
    const { capabilities } = capability;
    if (!inForce || capabilities.length === 0) return capabilities;
    await this.#extend({
      imageType: IMAGE_TYPES.Policy,
      name: `capability ${capabilities.join(' ')}`,
      digest: await this.#hardware.sha256(untrusted),
      signerId: await this.#hardware.sha256(signer.spki),
      securityVersion: 0,
    });
    this.#capabilities = capabilities;
    return capabilities;
  }

  /** Says whether `message` was signed by a keystore key that has `use`. `keyId` is the key's thumbprint. */
  async isSigned(
    use: string,
    message: Uint8Array,
    signature: Uint8Array,
    keyId: Uint8Array,
  ): Promise<boolean> {
    return (await this.#signerOf(use, message, signature, keyId)) !== null;
  }

  async #signerOf(
    use: string,
    message: Uint8Array,
    signature: Uint8Array,
    keyId: Uint8Array,
  ): Promise<KeystoreKey | null> {
    const key = this.#keystore.keys.find(
      (known) => equalBytes(known.thumbprint, keyId) && known.uses.includes(use),
    );
    const isSigned = key !== undefined && (await this.#hardware.verify(key.spki, message, signature));
    return isSigned ? key : null;
  }

  /** Who may sign images: on a device under development, keys for that as well, for apps. */
  #keysFor(imageType: number): readonly KeystoreKey[] {
    const { keys } = this.#keystore;
    if (imageType !== IMAGE_TYPES.Applications || !this.#capabilities.includes('appDevelopment')) return keys;
    const use = imageUse(imageType);
    return keys.map((key) => (key.uses.includes('development') ? { ...key, uses: [...key.uses, use] } : key));
  }
}
