import type { ImportsAnswered } from '../import-table.ts';
import { CallRefused } from './errno.ts';
import type { Guest } from './guest.ts';
import { AdcFile, I2cFile, PwmFile, SpiFile, UartFile } from './peripheral-files.ts';
import { PinFile } from './pin-file.ts';

/** Bytes of one transfer, as the kernel has it. */
const MOST_BYTES = 4096;
const MOST_TRANSFERS = 256;
/** A record of `spi_transfer`: flags, address of what is written, of what is read, length. */
const TRANSFER_SIZE = 16;
const TRANSFER = { read: 1, write: 2 } as const;
/** What `spi_configure` sets. */
const SPI_SETTING = { speed: 0, mode: 1, bitOrder: 2 } as const;

type Prefix = 'gpio' | 'uart' | 'i2c' | 'spi' | 'adc' | 'pwm' | 'rtc' | 'power';
type Named<Answer extends 'inside' | 'waits'> = Extract<
  ImportsAnswered<'sevenfold', Answer>,
  `${Prefix}_${string}`
>;

/** Calls to peripherals that are answered inside: settings of a descriptor. */
export function peripheralSettings({ memory, fds }: Guest) {
  return {
    i2c_set_speed: (fd: number, hertz: number) => fds.getAs(fd, I2cFile).setSpeed(hertz),
    i2c_set_timeout: (fd: number, milliseconds: number) => fds.getAs(fd, I2cFile).setTimeout(milliseconds),
    i2c_set_target: (fd: number, address: number) => fds.getAs(fd, I2cFile).setTarget(address),
    spi_configure(fd: number, setting: number, value: number) {
      const file = fds.getAs(fd, SpiFile);
      if (setting === SPI_SETTING.speed) file.setSpeed(value);
      else if (setting === SPI_SETTING.mode) file.setMode(value);
      else if (setting === SPI_SETTING.bitOrder) file.setBitOrder(value);
      else throw new CallRefused('EINVAL');
    },
    adc_bits(fd: number, channel: number, out: number) {
      memory.write32(out, fds.getAs(fd, AdcFile).sampleBits(channel));
    },
    adc_reference: (fd: number, channel: number, millivolts: number) =>
      fds.getAs(fd, AdcFile).setReference(channel, millivolts),
  } satisfies Readonly<Record<Named<'inside'>, (...args: never[]) => void>>;
}

/** Calls to peripherals that cross to the kernel. */
export function peripheralCalls(guest: Guest) {
  const { memory, fds, kernel, waker } = guest;
  return {
    async gpio_open(pin: number, isOutput: number, mode: number, value: number, out: number) {
      memory.require(out, 4);
      fds.reserve();
      memory.write32(out, fds.add(await PinFile.open(kernel, pin, isOutput !== 0, mode, value)));
    },
    async gpio_get(fd: number, out: number) {
      const pin = fds.getAs(fd, PinFile);
      memory.require(out, 1);
      memory.write8(out, await pin.level());
    },
    gpio_set: (fd: number, value: number) => fds.getAs(fd, PinFile).setLevel(value),
    /** `config`: u32 baud rate, then a byte each: data bits, parity, stop bits, flow control. */
    async uart_open(unit: number, config: number, out: number) {
      memory.require(out, 4);
      fds.reserve();
      const settings = {
        baudRate: memory.read32(config),
        dataBits: memory.read8(config + 4),
        parity: memory.read8(config + 5),
        stopBits: memory.read8(config + 6),
        flowControl: memory.read8(config + 7),
      };
      memory.write32(out, fds.add(await UartFile.open(kernel, waker, unit, settings)));
    },
    async i2c_open(unit: number, out: number) {
      memory.require(out, 4);
      fds.reserve();
      memory.write32(out, fds.add(await I2cFile.open(kernel, unit)));
    },
    /** A length of -1 leaves that half of the transfer out. */
    async i2c_transfer(
      fd: number,
      address: number,
      write: number,
      writeLength: number,
      read: number,
      readLength: number,
    ) {
      const file = fds.getAs(fd, I2cFile);
      if (writeLength > MOST_BYTES || readLength > MOST_BYTES) throw new CallRefused('EINVAL');
      const isReading = readLength >= 0;
      if (isReading) memory.require(read, readLength);
      const bytes = writeLength < 0 ? null : memory.copy(write, writeLength);
      memory.write(read, await file.transfer(address, bytes, isReading ? readLength : null));
    },
    async spi_open(unit: number, chipSelect: number, polarity: number, out: number) {
      memory.require(out, 4);
      fds.reserve();
      memory.write32(out, fds.add(await SpiFile.open(kernel, unit, chipSelect, polarity)));
    },
    async spi_transfer(fd: number, transfers: number, count: number, outCount: number) {
      const file = fds.getAs(fd, SpiFile);
      if (count >>> 0 > MOST_TRANSFERS) throw new CallRefused('EINVAL');
      memory.require(outCount, 4);
      const targets: { readonly at: number; readonly length: number }[] = [];
      let total = 0;
      const segments = Array.from({ length: count }, (_, index): Uint8Array | number => {
        const at = transfers + index * TRANSFER_SIZE;
        const flags = memory.read32(at);
        const length = memory.read32(at + 12);
        total += length;
        if (total > MOST_BYTES) throw new CallRefused('EINVAL');
        if (flags === TRANSFER.write) return memory.copy(memory.read32(at + 4), length);
        if (flags !== TRANSFER.read) throw new CallRefused('EINVAL');
        const target = memory.read32(at + 8);
        memory.require(target, length);
        targets.push({ at: target, length });
        return length;
      });
      const bytes = await file.transfer(segments);
      let from = 0;
      for (const { at, length } of targets) {
        memory.write(at, bytes.subarray(from, from + length));
        from += length;
      }
      memory.write32(outCount, total);
    },
    async adc_open(controller: number, out: number) {
      memory.require(out, 4);
      fds.reserve();
      memory.write32(out, fds.add(await AdcFile.open(kernel, controller)));
    },
    async adc_poll(fd: number, channel: number, out: number) {
      const file = fds.getAs(fd, AdcFile);
      memory.require(out, 4);
      memory.write32(out, await file.sample(channel));
    },
    async pwm_open(controller: number, out: number) {
      memory.require(out, 4);
      fds.reserve();
      memory.write32(out, fds.add(await PwmFile.open(kernel, controller)));
    },
    pwm_apply: (
      fd: number,
      channel: number,
      period: number,
      duty: number,
      polarity: number,
      enabled: number,
    ) => fds.getAs(fd, PwmFile).apply(channel, period, duty, polarity, enabled !== 0),
    async power_down(seconds: number) {
      await kernel.call('powerDown', seconds >>> 0);
    },
    async power_profile(profile: number) {
      await kernel.call('setPowerProfile', profile >>> 0);
    },
    async rtc_set() {
      await kernel.call('setHardwareClock');
    },
  } satisfies Readonly<Record<Named<'waits'>, (...args: never[]) => void | Promise<void>>>;
}
