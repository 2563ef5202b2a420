import { SiliconError } from './errors.ts';
import { BUS_REGIONS, FLASH_BASE, Firewall, type BusRegion, type Master } from './firewall.ts';
import type { Flash } from './flash.ts';
import type { Peripheral } from './gpio.ts';

/** The bus: every access of every master goes through the firewall and then to flash or to a peripheral. */
export class Bus {
  readonly firewall = new Firewall();
  readonly #flash: Flash;
  readonly #peripherals: ReadonlyMap<BusRegion, Peripheral>;

  constructor(flash: Flash, peripherals: ReadonlyMap<BusRegion, Peripheral>) {
    this.#flash = flash;
    this.#peripherals = peripherals;
  }

  readFlash(master: Master, offset: number, length: number): Uint8Array {
    this.firewall.check(master, 'read', FLASH_BASE + offset, length);
    return this.#flash.read(offset, length);
  }

  programFlash(master: Master, offset: number, bytes: Uint8Array): void {
    this.firewall.check(master, 'write', FLASH_BASE + offset, bytes.length);
    this.#flash.program(offset, bytes);
  }

  eraseFlash(master: Master, offset: number, length: number): void {
    this.firewall.check(master, 'write', FLASH_BASE + offset, length);
    this.#flash.erase(offset, length);
  }

  /** A 32-bit register of a peripheral. */
  readRegister(master: Master, region: BusRegion, register: number): number {
    return this.#peripheral(master, 'read', region, register).read(register);
  }

  writeRegister(master: Master, region: BusRegion, register: number, value: number): void {
    this.#peripheral(master, 'write', region, register).write(register, value >>> 0);
  }

  /** Asks the firewall on behalf of a device that is not made of registers here: fuses, mailbox, network. */
  check(master: Master, access: 'read' | 'write', region: BusRegion): void {
    this.firewall.check(master, access, BUS_REGIONS[region].offset, 4);
  }

  #peripheral(master: Master, access: 'read' | 'write', region: BusRegion, register: number): Peripheral {
    const { offset, length } = BUS_REGIONS[region];
    const peripheral = this.#peripherals.get(region);
    if (peripheral === undefined || register < 0 || register + 4 > length) {
      throw new SiliconError('BusFault', `Bus fault: ${region} has no register ${register}.`, {
        field: region,
      });
    }
    this.firewall.check(master, access, offset + register, 4);
    return peripheral;
  }
}
