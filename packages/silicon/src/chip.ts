import {
  BUS_REGIONS,
  gpioPlace,
  GPIO_GROUP_REGIONS,
  I2S_DATA_REGIONS,
  I2S_REGIONS,
  INTERCORE_REGIONS,
  INTERRUPT_LINES,
  ISU_REGIONS,
  MAILBOX_REGIONS,
  PWM_OFFSET,
  PWM_REGIONS,
  toHex,
  type BusRegion,
  type Clock,
  type Entropy,
  type RealTimeMaster,
  type ResetReason,
} from '@sevenfold/formats';
import { Bus, type Peripheral } from './bus.ts';
import { CoreDriver } from './cores/core-driver.ts';
import type { CoreOptions } from './cores/core.ts';
import { ChipCore, coreMailbox, runInTurns } from './cores/chip-core.ts';
import type { MakeCoreHost } from './cores/core-host.ts';
import { sha256 } from './engines.ts';
import { SiliconError } from './errors.ts';
import { Flash, type FlashStorage } from './flash.ts';
import { Fuses, MANUFACTURING_STATES, type FuseStorage, type ManufacturingState } from './fuses.ts';
import { memoryRtc } from './memory-storage.ts';
import { Adc } from './peripherals/adc.ts';
import { GpioCounter } from './peripherals/gpio-counter.ts';
import { Pins, type GpioUnit } from './peripherals/gpio.ts';
import { I2s } from './peripherals/i2s.ts';
import { InterruptLines, REQUESTS } from './peripherals/interrupts.ts';
import { makeIsu, type Isu } from './peripherals/isu.ts';
import { PwmGroup } from './peripherals/pwm.ts';
import { PowerUnit } from './peripherals/power-unit.ts';
import { RealTimeClock, type RtcStorage } from './peripherals/rtc.ts';
import { registerSpace } from './peripherals/register-space.ts';
import { PlutonHardware } from './pluton.ts';
import { PowerSupply } from './power.ts';
import { ServicePort } from './service-port.ts';
import { clockTimeline, type Timeline } from './timeline.ts';
import { Watchdog } from './watchdog.ts';

/** What a chip is made of: where its bits lie, and the noise its keys are made from. */
export interface ChipParts {
  readonly flash: FlashStorage;
  readonly fuses: FuseStorage;
  readonly entropy: Entropy;
  /** What the battery of the real-time clock keeps; absent: a battery that was just put in. */
  readonly rtc?: RtcStorage;
  /** What runs the programs of real-time cores; absent: the interpreter, and hot code translated. */
  readonly realTimeEngine?: CoreOptions['engine'];
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
  readonly servicePort: ServicePort;
  readonly pins = new Pins();
  readonly interrupts = new InterruptLines();
  /** Requests of peripherals for transfers by the DMA of whoever drives them. */
  readonly requests = new InterruptLines();
  readonly isus: readonly Isu[];
  readonly #counters: readonly GpioCounter[] = GPIO_GROUP_REGIONS.map(
    (region, index) =>
      new GpioCounter({
        interrupt: (isHigh) => this.interrupts.set(INTERRUPT_LINES.gpioCounter + index, isHigh),
        timeline: () => this.#timelineOf(region),
      }),
  );
  readonly pwm: readonly PwmGroup[] = PWM_REGIONS.map(() => new PwmGroup());
  readonly adc: Adc;
  readonly i2s: readonly I2s[];
  readonly rtc: RealTimeClock;
  readonly powerUnit = new PowerUnit();
  readonly watchdog = new Watchdog();
  readonly pluton: PlutonHardware;
  readonly bus: Bus;
  /** In reset until the Security Monitor starts them. */
  readonly realTimeCores: readonly ChipCore[];
  readonly #parts: ChipParts;
  readonly #rtcStorage: RtcStorage;
  readonly #devices: ReadonlyMap<BusRegion, Peripheral>;
  #crystal: Clock | null = null;
  #crystalTime: Timeline | null = null;
  #driver: CoreDriver | null = null;
  #makeHost: MakeCoreHost | null = null;
  /** Memory that threads of cores see as well. */
  readonly #windows = INTERCORE_REGIONS.map(
    (region) => [region, new Uint8Array(new SharedArrayBuffer(BUS_REGIONS[region].length))] as const,
  );

  constructor(parts: ChipParts) {
    this.#parts = parts;
    this.flash = new Flash(parts.flash, this.power);
    this.fuses = new Fuses(parts.fuses, this.power);
    this.servicePort = new ServicePort(this.fuses);
    this.pluton = new PlutonHardware(this.fuses, parts.entropy);
    const crystal = (): Clock | null => this.#crystal;
    this.#rtcStorage = parts.rtc ?? memoryRtc();
    this.rtc = new RealTimeClock(this.#rtcStorage, crystal);
    this.adc = new Adc({
      interrupt: (isHigh) => this.interrupts.set(INTERRUPT_LINES.adc, isHigh),
      request: (_direction, isHigh) => this.requests.set(REQUESTS.adc, isHigh),
      timeline: () => this.#timelineOf('adc'),
    });
    this.isus = ISU_REGIONS.map((region, index) =>
      makeIsu(index, this.#pinsOf(region), {
        interrupts: this.interrupts,
        requests: this.requests,
        timeline: () => this.#timelineOf(region),
      }),
    );
    this.i2s = I2S_REGIONS.map(
      (region, index) =>
        new I2s({
          interrupt: (isHigh) => this.interrupts.set(INTERRUPT_LINES.i2s + index, isHigh),
          request: (direction, isHigh) =>
            this.requests.set(REQUESTS.i2s + 2 * index + (direction === 'receive' ? 1 : 0), isHigh),
          timeline: () => this.#timelineOf(region),
        }),
    );
    const between = coreMailbox((index) => this.realTimeCores[index]);
    this.realTimeCores = between.map(
      (other, index) =>
        new ChipCore(index, {
          bus: () => this.bus,
          interrupts: this.interrupts,
          requests: this.requests,
          pins: this.pins,
          now: () => this.#crystal?.monotonic() ?? 0,
          other,
          resetRegion: (region) => this.#devices.get(region)?.reset(),
          window: {
            base: BUS_REGIONS[INTERCORE_REGIONS[index] ?? 'intercore0'].offset,
            bytes: this.#windows[index]?.[1] ?? new Uint8Array(0),
          },
          makeHost: () => this.#makeHost,
          change: (change) => {
            this.#driver?.catchUp();
            change();
            this.#driver?.plan();
          },
          ...(parts.realTimeEngine === undefined ? {} : { engine: parts.realTimeEngine }),
        }),
    );
    this.#devices = this.#wire();
    this.bus = new Bus(this.flash, this.#devices, new Map(this.#windows));
  }

  /** Where the real-time cores that are loaded from now on run; null: in this thread, driven by the board's crystal. */
  hostRealTimeCores(makeHost: MakeCoreHost | null): void {
    this.#makeHost = makeHost;
  }

  /** What the time of a peripheral is: its core's, where one has it and runs, or else the board's. */
  #timelineOf(region: BusRegion): Timeline | null {
    const owner = this.bus.firewall.ownerOf(region);
    const core = this.realTimeCores.find(({ master }) => master === owner);
    return core?.state === 'running' ? (core.realTime?.timeline ?? null) : this.#crystalTime;
  }

  /** Gives a real-time core these regions, alone and until reset; what was in their registers is gone. */
  assignRegions(master: RealTimeMaster, regions: readonly BusRegion[]): void {
    const isNew = (region: BusRegion): boolean => this.bus.firewall.ownerOf(region) === null;
    const taken = regions.filter(isNew);
    this.bus.firewall.assign(master, regions);
    for (const region of taken) this.#devices.get(region)?.reset();
  }

  /** Ms of the crystal at which a pin changes that changes now: what drives it may have a time of its own. */
  pinTime(pin: number): number | null {
    const region = gpioPlace(pin)?.block.region;
    const owner = region === undefined ? null : this.bus.firewall.ownerOf(region);
    return (
      this.realTimeCores.find(({ master }) => master === owner)?.boardTime ??
      this.#crystal?.monotonic() ??
      null
    );
  }

  /** Lets ticks of 1 / 197.6 MHz pass on the real-time cores, in this thread. */
  runRealTimeCores(ticks: number): void {
    const made = this.realTimeCores.map(({ realTime }) => realTime).filter((core) => core !== null);
    runInTurns(made, ticks);
  }

  /**
   * What the board's crystal gives. Without one, wires carry bytes at once, the real-time clock stands still, and
   * real-time cores run only as far as `runRealTimeCores` lets them.
   */
  attachCrystal(clock: Clock): void {
    this.#crystal = clock;
    this.#crystalTime = clockTimeline(clock);
    this.#driver = new CoreDriver(this.realTimeCores, clock, (ticks) => this.runRealTimeCores(ticks));
  }

  #pinsOf(region: BusRegion): GpioUnit {
    const unit = this.pins.units.find(({ block }) => block.region === region);
    if (unit === undefined) throw new SiliconError('OutOfRange', `The chip has no pins in ${region}.`);
    return unit;
  }

  /** What answers where: every region that is made of registers. */
  #wire(): ReadonlyMap<BusRegion, Peripheral> {
    const devices = new Map<BusRegion, Peripheral>();
    for (const unit of this.pins.units) {
      const { region, offset } = unit.block;
      devices.set(region, registerSpace([{ offset, length: 0x100, device: unit }]));
    }
    I2S_REGIONS.forEach((region, index) => {
      const unit = this.i2s[index];
      const data = I2S_DATA_REGIONS[index];
      if (unit === undefined || data === undefined) return;
      const pins = { offset: I2S_PINS_OFFSET, length: 0x100, device: this.#pinsOf(region) };
      devices.set(region, registerSpace([{ offset: 0, length: I2S_PINS_OFFSET, device: unit }, pins]));
      devices.set(data, unit.data);
    });
    ISU_REGIONS.forEach((region, index) => {
      const isu = this.isus[index];
      if (isu !== undefined) devices.set(region, isu.device);
    });
    GPIO_GROUP_REGIONS.forEach((region, index) => {
      const parts = [{ offset: 0, length: COUNTER_OFFSET, device: this.#pinsOf(region) as Peripheral }];
      const counter = this.#counters[index];
      const group = this.pwm[index];
      if (counter !== undefined) parts.push({ offset: COUNTER_OFFSET, length: 0x60, device: counter });
      if (group !== undefined) parts.push({ offset: PWM_OFFSET, length: 0x200, device: group });
      devices.set(region, registerSpace(parts));
    });
    this.pins.onChange((pin, level) =>
      this.#counters[Math.floor(pin / PINS_PER_GROUP)]?.pinChanged(pin % PINS_PER_GROUP, level),
    );
    const adcPins = { offset: 0x10, length: 0xf0, device: shifted(this.#pinsOf('adc'), 0x10) };
    devices.set(
      'adc',
      registerSpace([
        { offset: 0x04, length: 4, device: shifted(this.#pinsOf('adc'), 0x04) },
        adcPins,
        { offset: 0, length: 0x400, device: this.adc },
      ]),
    );
    devices.set('rtc', this.rtc);
    devices.set('power', this.powerUnit);
    devices.set('clocks', NOTHING);
    MAILBOX_REGIONS.forEach((region, index) => {
      const core = this.realTimeCores[index];
      if (core !== undefined) devices.set(region, core.application);
    });
    return devices;
  }

  /** Why the chip last left reset. */
  get resetReason(): ResetReason {
    return this.powerUnit.reason;
  }

  /** Gives power and leaves reset: because somebody switched it on, or because it was woken. */
  powerOn(reason: 'PowerOn' | 'WakeAlarm' | 'WakePin' = 'PowerOn'): void {
    this.power.on();
    this.reset(reason);
  }

  powerOff(): void {
    this.watchdog.reset();
    for (const core of this.realTimeCores) core.clear();
    this.power.off();
  }

  /** Clears every register; flash and fuses stay. */
  reset(reason: ResetReason): void {
    this.powerUnit.begin(reason);
    this.watchdog.reset();
    this.pluton.reset();
    for (const device of this.#devices.values()) device.reset();
    this.bus.firewall.reset();
  }

  /**
   * What the silicon maker does, once: burns SKU and root key hash, and has Pluton make its identity inside.
   * Cut short, it can be begun again with the same values and ends the same.
   */
  manufacture({ chipSku, rootKeyHash, needsSecondSignature = false }: Manufacturing): ChipIdentity {
    const isMade = this.fuses.isLocked('identitySeed');
    // Once it is made, the same values again are no change, and others meet their locks.
    if (!isMade || needsSecondSignature !== this.fuses.needsSecondSignature)
      this.servicePort.require('manufacture');
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
    const isForward =
      MANUFACTURING_STATES.indexOf(state) > MANUFACTURING_STATES.indexOf(this.fuses.manufacturingState);
    if (isForward) this.servicePort.require('finishState');
    this.fuses.setManufacturingState(state);
  }

  /** Lets go of files. The chip cannot be used afterwards. */
  close(): void {
    this.powerOff();
    this.#parts.flash.close();
    this.#parts.fuses.close();
    this.#rtcStorage.close();
  }
}

const I2S_PINS_OFFSET = 0x100;
const COUNTER_OFFSET = 0x100;
const PINS_PER_GROUP = 4;

/** Takes every write and gives 0. */
const NOTHING: Peripheral = { read: () => 0, write() {}, reset() {} };

/** A device whose registers begin before the part of a region that it is given. */
function shifted(device: Peripheral, by: number): Peripheral {
  return {
    read: (offset) => device.read(offset + by),
    write: (offset, value) => device.write(offset + by, value),
    reset: () => device.reset(),
  };
}

/** Opens a chip on its storage; a blank one is one that nobody has manufactured yet. */
export function openChip(parts: ChipParts): Chip {
  return new Chip(parts);
}
