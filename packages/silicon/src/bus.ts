import { BUS_REGIONS, FLASH_BASE, type BusAccess, type BusMaster, type BusRegion } from '@sevenfold/formats';
import { SiliconError } from './errors.ts';
import { Firewall, regionAt } from './firewall.ts';
import type { Flash } from './flash.ts';

/** A device on the bus: three methods, 32-bit registers by byte offset within its region. */
export interface Peripheral {
  read(offset: number): number;
  write(offset: number, value: number): void;
  reset(): void;
}

/** The bus: every access of every master goes through the firewall and then to flash or to a device. */
export class Bus {
  readonly firewall = new Firewall();
  readonly #flash: Flash;
  readonly #devices: ReadonlyMap<BusRegion, Peripheral>;

  constructor(flash: Flash, devices: ReadonlyMap<BusRegion, Peripheral>) {
    this.#flash = flash;
    this.#devices = devices;
  }

  readFlash(master: BusMaster, offset: number, length: number): Uint8Array {
    this.firewall.check(master, 'read', FLASH_BASE + offset, length);
    return this.#flash.read(offset, length);
  }

  programFlash(master: BusMaster, offset: number, bytes: Uint8Array): void {
    this.firewall.check(master, 'write', FLASH_BASE + offset, bytes.length);
    this.#flash.program(offset, bytes);
  }

  eraseFlash(master: BusMaster, offset: number, length: number): void {
    this.firewall.check(master, 'write', FLASH_BASE + offset, length);
    this.#flash.erase(offset, length);
  }

  /** Reads a 32-bit register or word at an address of the bus. Throws `BusFault`. */
  read(master: BusMaster, address: number): number {
    const [device, offset] = this.#device(master, 'read', address);
    return device.read(offset) >>> 0;
  }

  /** Writes a 32-bit register or word at an address of the bus. Throws `BusFault`. */
  write(master: BusMaster, address: number, value: number): void {
    const [device, offset] = this.#device(master, 'write', address);
    device.write(offset, value >>> 0);
  }

  /** Asks the firewall on behalf of a device that is not made of registers here: fuses, mailbox, network, memory. */
  check(master: BusMaster, access: BusAccess, region: BusRegion): void {
    this.firewall.check(master, access, BUS_REGIONS[region].offset, 4);
  }

  #device(master: BusMaster, access: BusAccess, address: number): [Peripheral, number] {
    this.firewall.check(master, access, address, 4);
    const region = regionAt(address);
    const device = region === null ? undefined : this.#devices.get(region);
    if (region === null || device === undefined || address % 4 !== 0) {
      throw new SiliconError('BusFault', `Bus fault: nothing answers at 0x${address.toString(16)}.`, {
        field: region ?? undefined,
      });
    }
    return [device, address - BUS_REGIONS[region].offset];
  }
}
