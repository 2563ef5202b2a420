import { toHex, type Entropy } from '@sevenfold/formats';
import { Bus } from './bus.ts';
import { sha256 } from './engines.ts';
import { SiliconError } from './errors.ts';
import { Flash, type FlashStorage } from './flash.ts';
import { Fuses, type FuseStorage, type ManufacturingState } from './fuses.ts';
import { Gpio } from './gpio.ts';
import { PlutonHardware } from './pluton.ts';
import { PowerSupply } from './power.ts';
import { Watchdog } from './watchdog.ts';

/** What a chip is made of: where its bits lie, and the noise its keys are made from. */
export interface ChipParts {
  readonly flash: FlashStorage;
  readonly fuses: FuseStorage;
  readonly entropy: Entropy;
}

/** What the factory burns into a chip. */
export interface Manufacturing {
  /** A number of `CHIP_SKUS`. */
  readonly chipSku: number;
  /** SHA-256 of `rootKeyBytes`: the root's key, or both of its keys. */
  readonly rootKeyHash: Uint8Array;
  /** True: this chip runs images of the system with two signatures only. */
  readonly needsSecondSignature?: boolean;
}

/** Who a chip is, as it tells at its service port. */
export interface ChipIdentity {
  /** 64 hexadecimal digits: SHA-256 of the attestation key's SPKI. */
  readonly deviceId: string;
  readonly attestationSpki: Uint8Array;
}

/**
 * A device's id is the hash of its attestation key: it fits any key type, and a certificate's CN (RFC 5280 allows 64
 * characters there).
 */
export function deviceIdOf(spki: Uint8Array): string {
  return toHex(sha256(spki));
}

/** A virtual chip. Off until `powerOn`; what a power cut leaves in flash and fuses is all there is afterwards. */
export class Chip {
  readonly power = new PowerSupply();
  readonly flash: Flash;
  readonly fuses: Fuses;
  readonly gpio = new Gpio();
  readonly watchdog = new Watchdog();
  readonly pluton: PlutonHardware;
  readonly bus: Bus;
  readonly #parts: ChipParts;
  #resetReason = 'PowerOn';

  constructor(parts: ChipParts) {
    this.#parts = parts;
    this.flash = new Flash(parts.flash, this.power);
    this.fuses = new Fuses(parts.fuses, this.power);
    this.pluton = new PlutonHardware(this.fuses, parts.entropy);
    this.bus = new Bus(this.flash, new Map([['gpio', this.gpio]]));
  }

  /** Why the chip last left reset: `PowerOn`, `Watchdog`, or what the Security Monitor said. */
  get resetReason(): string {
    return this.#resetReason;
  }

  /** Gives power and leaves reset. */
  powerOn(): void {
    this.power.on();
    this.reset('PowerOn');
  }

  powerOff(): void {
    this.watchdog.reset();
    this.power.off();
  }

  /** Clears every register; flash and fuses stay. */
  reset(reason: string): void {
    this.#resetReason = reason;
    this.watchdog.reset();
    this.pluton.reset();
    this.gpio.reset();
    this.bus.firewall.reset();
  }

  /**
   * What the silicon maker does, once: burns SKU and root key hash, and has Pluton make its identity inside.
   * Cut short, it can be begun again with the same values and ends the same.
   */
  manufacture({ chipSku, rootKeyHash, needsSecondSignature = false }: Manufacturing): ChipIdentity {
    const sku = new Uint8Array(4);
    new DataView(sku.buffer).setUint32(0, chipSku, true);
    this.fuses.burnOnce('chipSku', sku);
    this.fuses.burnOnce('rootKeyHash', rootKeyHash);
    if (needsSecondSignature) this.fuses.requireSecondSignature();
    this.pluton.createIdentity();
    return this.identity();
  }

  /** Throws `NotManufactured` before `manufacture`. */
  identity(): ChipIdentity {
    const attestationSpki = this.pluton.identitySpki;
    return { deviceId: deviceIdOf(attestationSpki), attestationSpki };
  }

  /** One way: Blank → Module1Complete → DeviceComplete. Throws `FuseOneWay`. */
  setManufacturingState(state: ManufacturingState): void {
    if (!this.fuses.isLocked('identitySeed')) {
      throw new SiliconError('NotManufactured', 'Only a chip with an identity can leave the state Blank.');
    }
    this.fuses.setManufacturingState(state);
  }

  /** Lets go of files. The chip cannot be used afterwards. */
  close(): void {
    this.powerOff();
    this.#parts.flash.close();
    this.#parts.fuses.close();
  }
}

/** Opens a chip on its storage; a blank one is one that nobody has manufactured yet. */
export function openChip(parts: ChipParts): Chip {
  return new Chip(parts);
}
