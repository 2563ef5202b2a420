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
  readonly #memories: ReadonlyMap<BusRegion, Uint8Array>;

  constructor(
    flash: Flash,
    devices: ReadonlyMap<BusRegion, Peripheral>,
    memories: ReadonlyMap<BusRegion, Uint8Array>,
  ) {
    this.#flash = flash;
    this.#devices = devices;
    this.#memories = memories;
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

  /** Whether what answers at an address is memory that masters share: bytes, not registers. */
  isMemory(address: number): boolean {
    const region = regionAt(address);
    return region !== null && this.#memories.has(region);
  }

  /** A copy of bytes of shared memory. Throws `BusFault`. */
  readMemory(master: BusMaster, address: number, length: number): Uint8Array {
    this.firewall.check(master, 'read', address, length);
    return this.#memory(address, length).slice();
  }

  /** Throws `BusFault`; then nothing has been written. */
  writeMemory(master: BusMaster, address: number, bytes: Uint8Array): void {
    this.firewall.check(master, 'write', address, bytes.length);
    this.#memory(address, bytes.length).set(bytes);
  }

  #memory(address: number, length: number): Uint8Array {
    const region = regionAt(address);
    const memory = region === null ? undefined : this.#memories.get(region);
    const at = region === null ? 0 : address - BUS_REGIONS[region].offset;
    if (region === null || memory === undefined || at + length > memory.length) {
      throw new SiliconError(
        'BusFault',
        `Bus fault: no memory of ${length} bytes is at 0x${address.toString(16)}.`,
        {
          field: region ?? undefined,
        },
      );
    }
    return memory.subarray(at, at + length);
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
