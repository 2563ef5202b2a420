import { describe, expect, it } from 'vitest';
import {
  ADC_REGISTERS,
  BUS_REGION_NAMES,
  GPIO_REGISTERS,
  I2C_BITS,
  I2C_OFFSET,
  I2C_REGISTERS,
  PWM_OFFSET,
  PWM_REGISTERS,
  RTC_REGISTERS,
  SPI_BITS,
  SPI_OFFSET,
  SPI_REGISTERS,
  UART_BITS,
  UART_OFFSET,
  UART_REGISTERS,
  gpioPlace,
  registerAddress,
  utf8Encode,
  type BusRegion,
  type Clock,
} from '@sevenfold/formats';
import { openChip, type Chip } from '../chip.ts';
import { insecureSeededEntropy } from '../engines.ts';
import { memoryFlash, memoryFuses } from '../memory-storage.ts';
import { I2cEepromModel, SpiEepromModel } from '../models/eeprom.ts';
import { LedModel } from '../models/led.ts';
import { fitParts, parseBoardFile, type BoardDescription } from '../models/parts.ts';
import { AccelerometerModel, LoopbackModel, TemperatureSensorModel } from '../models/sensors.ts';

/** Time by hand. */
class HandClock implements Clock {
  elapsed = 0;
  readonly #sleepers: { readonly due: number; readonly wake: () => void }[] = [];
  now = (): number => 1_000_000 + this.elapsed;
  monotonic = (): number => this.elapsed;
  sleep = (milliseconds: number): Promise<void> =>
    new Promise((wake) => void this.#sleepers.push({ due: this.elapsed + milliseconds, wake }));
  async pass(milliseconds: number): Promise<void> {
    const end = this.elapsed + milliseconds;
    for (;;) {
      const next = this.#sleepers.toSorted((a, b) => a.due - b.due)[0];
      if (next === undefined || next.due > end) break;
      this.elapsed = Math.max(this.elapsed, next.due);
      this.#sleepers.splice(this.#sleepers.indexOf(next), 1);
      next.wake();
      for (let turns = 0; turns < 5; turns++) await Promise.resolve();
    }
    this.elapsed = end;
  }
}

interface Bench {
  readonly chip: Chip;
  readonly clock: HandClock;
  readonly read: (region: BusRegion, offset: number) => number;
  readonly write: (region: BusRegion, offset: number, value: number) => void;
}

function bench(): Bench {
  const chip = openChip({ flash: memoryFlash(), fuses: memoryFuses(), entropy: insecureSeededEntropy('x') });
  const clock = new HandClock();
  chip.attachCrystal(clock);
  chip.bus.firewall.configure(
    BUS_REGION_NAMES.map((region) => ({ master: 'normal', region, read: true, write: true, execute: false })),
  );
  return {
    chip,
    clock,
    read: (region, offset) => chip.bus.read('normal', registerAddress(region, offset)),
    write: (region, offset, value) => chip.bus.write('normal', registerAddress(region, offset), value),
  };
}

describe('GPIO blocks', () => {
  it('drive pins that are outputs, and read those that are driven from outside', () => {
    const { chip, read, write } = bench();
    const seen: [number, number][] = [];
    const detach = chip.pins.onChange((pin, level) => seen.push([pin, level]));
    write('gpio2', GPIO_REGISTERS.DOUT_SET, 0b1001);
    expect(seen).toEqual([]);
    write('gpio2', GPIO_REGISTERS.OE_SET, 0b1001);
    expect(seen).toEqual([
      [8, 1],
      [11, 1],
    ]);
    write('gpio2', GPIO_REGISTERS.DOUT_CLR, 0b1000);
    expect(chip.pins.level(11)).toBe(0);
    chip.pins.drive(9, 1);
    expect(read('gpio2', 0x04)).toBe(0b0011);
    // An output is not moved from outside.
    chip.pins.drive(8, 0);
    expect(chip.pins.level(8)).toBe(1);
    chip.reset('Restart');
    expect([chip.pins.level(8), chip.pins.level(9)]).toEqual([0, 1]);
    detach();
  });

  it('keep the settings of pads and units, which drivers read, change and write back', () => {
    const { chip, read, write } = bench();
    write('isu1', 0, 0x6101);
    write('isu1', GPIO_REGISTERS.IES + 4, 0b1100);
    write('isu1', GPIO_REGISTERS.IES + 8, 0b0100);
    write('isu1', GPIO_REGISTERS.PADDRV, 0x3ff);
    const words = [0, GPIO_REGISTERS.IES, GPIO_REGISTERS.IES + 4, GPIO_REGISTERS.PADDRV];
    expect(words.map((offset) => read('isu1', offset))).toEqual([0x6101, 0b1000, 0, 0x3ff]);
    // In an I2S block the first word is DIN.
    write('i2s0', 0x100, 0xff);
    expect(read('i2s0', 0x100)).toBe(0);
    chip.reset('Restart');
    expect(chip.pins.units.map((unit) => unit.read(GPIO_REGISTERS.PADDRV)).every((word) => word === 0)).toBe(
      true,
    );
  });

  it('pull what nobody drives', () => {
    const { chip, write } = bench();
    write('gpio3', GPIO_REGISTERS.PU_SET, 1);
    expect(chip.pins.level(12)).toBe(1);
    chip.pins.drive(12, 0);
    expect(chip.pins.level(12)).toBe(0);
    chip.pins.drive(12, null);
    expect(chip.pins.level(12)).toBe(1);
    write('gpio3', GPIO_REGISTERS.PU_CLR, 1);
    expect(chip.pins.level(12)).toBe(0);
  });

  it('reach every pin of the chip at its own address, whatever its block’s layout', () => {
    const { chip, read, write } = bench();
    for (const pin of [0, 23, 24, 26, 30, 40, 41, 48, 49, 56, 65, 66, 75, 80]) {
      const place = gpioPlace(pin);
      if (place === null) throw new Error(`no pin ${pin}`);
      const { region, offset, din } = place.block;
      chip.pins.drive(pin, 1);
      expect(read(region, offset + din) & place.bit, `GPIO ${pin}`).toBe(place.bit);
      chip.pins.drive(pin, null);
      write(region, offset + GPIO_REGISTERS.DOUT_SET, place.bit);
      write(region, offset + GPIO_REGISTERS.OE_SET, place.bit);
      expect(chip.pins.level(pin), `GPIO ${pin}`).toBe(1);
    }
    expect([gpioPlace(76), gpioPlace(-1), gpioPlace(81)]).toEqual([null, null, null]);
  });

  it('bear programs that read, change and write set, clear and input registers', () => {
    const { read, write } = bench();
    write('gpio0', GPIO_REGISTERS.DOUT_SET, read('gpio0', GPIO_REGISTERS.DOUT_SET) | 1);
    write('gpio0', GPIO_REGISTERS.DOUT_SET, read('gpio0', GPIO_REGISTERS.DOUT_SET) | 4);
    write('gpio0', 0x04, 0xff);
    expect([read('gpio0', GPIO_REGISTERS.DOUT), read('gpio0', 0x04)]).toEqual([5, 0]);
  });

  it('light a diode that is lit by a low level', () => {
    const { chip, write } = bench();
    const led = new LedModel(chip.pins, 8);
    write('gpio2', GPIO_REGISTERS.DOUT_SET, 1);
    write('gpio2', GPIO_REGISTERS.OE_SET, 1);
    for (let n = 0; n < 3; n++) {
      write('gpio2', GPIO_REGISTERS.DOUT_CLR, 1);
      expect(led.isLit).toBe(true);
      write('gpio2', GPIO_REGISTERS.DOUT_SET, 1);
    }
    expect([led.isLit, led.blinks]).toEqual([false, 3]);
  });
});

describe('an I2C master', () => {
  const at = (name: keyof typeof I2C_REGISTERS): number => I2C_OFFSET + I2C_REGISTERS[name];
  const begin = (
    { write }: Bench,
    address: number,
    packets: readonly [isRead: boolean, count: number][],
  ): void => {
    write('isu2', at('SLAVE_ID'), address);
    packets.forEach(([, count], index) => write('isu2', at('COUNT0') + 4 * index, count));
    const reads = packets.reduce((bits, [isRead], index) => bits | (isRead ? 1 << index : 0), 0);
    write('isu2', at('PACK_CON0'), reads | ((packets.length - 1) << 4));
    write('isu2', at('CON0'), I2C_BITS.MASTER_ENABLE | I2C_BITS.START);
  };

  it('writes a register’s number and reads its bytes after a repeated START', () => {
    const all = bench();
    const sensor = new TemperatureSensorModel();
    sensor.celsius = -25;
    all.chip.isus[2]?.i2c.attach(sensor);
    begin(all, 0x48, [
      [false, 1],
      [true, 2],
    ]);
    // The clock is stretched until the byte is there.
    expect(all.read('isu2', at('STATUS'))).toBe(I2C_BITS.BUSY);
    all.write('isu2', at('FIFO_DATA'), 0);
    expect(all.read('isu2', at('STATUS'))).toBe(I2C_BITS.START_READY);
    // −25 °C is 0xE70 in steps of 1/16.
    expect([all.read('isu2', at('FIFO_DATA')), all.read('isu2', at('FIFO_DATA'))]).toEqual([0xe7, 0x00]);
    expect(all.read('isu2', at('ACK_VAL'))).toBe(0);
  });

  it('tells an address that nobody answers to by packet, and raises its interrupt', () => {
    const all = bench();
    all.write('isu2', at('INT_CTRL'), I2C_BITS.INT_ENABLE);
    begin(all, 0x33, [[true, 1]]);
    expect(all.read('isu2', at('ACK_VAL'))).toBe(0x100);
    expect(all.chip.interrupts.isHigh(52)).toBe(true);
    all.write('isu2', at('INT_CTRL'), I2C_BITS.INT_ENABLE | I2C_BITS.INT_STATUS);
    expect(all.chip.interrupts.isHigh(52)).toBe(false);
  });

  it('waits while its receive FIFO is full, and loses nothing', () => {
    const all = bench();
    const eeprom = new I2cEepromModel(all.clock);
    eeprom.content.set(Array.from({ length: 20 }, (_, index) => index));
    all.chip.isus[2]?.i2c.attach(eeprom);
    begin(all, 0x50, [
      [false, 2],
      [true, 20],
    ]);
    all.write('isu2', at('FIFO_DATA'), 0);
    all.write('isu2', at('FIFO_DATA'), 0);
    expect(all.read('isu2', at('FIFO_STATUS')) & I2C_BITS.RX_FULL).not.toBe(0);
    const bytes = Array.from({ length: 20 }, () => all.read('isu2', at('FIFO_DATA')));
    expect(bytes).toEqual([...eeprom.content.subarray(0, 20)]);
    expect(all.read('isu2', at('STATUS'))).toBe(I2C_BITS.START_READY);
  });

  it('is not ready to start while somebody holds the clock', () => {
    const { chip, read } = bench();
    chip.isus[2]?.i2c.hold(true);
    expect(read('isu2', at('STATUS')) & I2C_BITS.START_READY).toBe(0);
  });
});

describe('EEPROMs', () => {
  it('of the 24xx kind write pages round, and do not answer during their write cycle', () => {
    const clock = new HandClock();
    const eeprom = new I2cEepromModel(clock);
    expect(eeprom.start('write')).toBe('ack');
    for (const byte of [0, 62, 1, 2, 3]) eeprom.write(byte);
    eeprom.stop();
    expect([eeprom.content[62], eeprom.content[63], eeprom.content[0]]).toEqual([1, 2, 3]);
    expect(eeprom.start('write')).toBe('nack');
    clock.elapsed = 5;
    expect(eeprom.start('write')).toBe('ack');
  });

  it('of the 25xx kind write only after WREN, once, and tell their write cycle', () => {
    const clock = new HandClock();
    const eeprom = new SpiEepromModel(clock);
    const transfer = (...bytes: readonly number[]): number[] => {
      eeprom.select();
      const answer = bytes.map((byte) => eeprom.exchange(byte));
      eeprom.deselect();
      return answer;
    };
    transfer(0x02, 0, 0, 7);
    expect(eeprom.content[0]).toBe(0xff);
    transfer(0x06);
    expect(transfer(0x05, 0)[1]).toBe(2);
    transfer(0x02, 0, 0, 7, 8);
    expect(transfer(0x05, 0)[1]).toBe(1);
    clock.elapsed = 5;
    expect(transfer(0x03, 0, 0, 0, 0).slice(3)).toEqual([7, 8]);
    transfer(0x02, 0, 0, 9);
    expect(eeprom.content[0]).toBe(7);
    // Everything protected.
    transfer(0x06);
    transfer(0x01, 0x0c);
    transfer(0x06);
    transfer(0x02, 0, 0, 9);
    expect(eeprom.content[0]).toBe(7);
  });
});

describe('an I2C slave', () => {
  const at = (name: keyof typeof I2C_REGISTERS): number => I2C_OFFSET + I2C_REGISTERS[name];
  const board = (...parts: readonly Readonly<Record<string, unknown>>[]): BoardDescription =>
    parseBoardFile(
      utf8Encode(
        JSON.stringify({
          Metadata: { Type: 'Sevenfold Board', Version: 1 },
          Name: 'a test',
          Parts: parts.map((part, index) => ({ Name: `PART_${index}`, ...part })),
        }),
      ),
    );
  /** Unit 1 is the master of a transfer with whoever is at 0x20; gives what ACK_VAL says. */
  const transfer = ({ read, write }: Bench, isRead: boolean, count: number): number => {
    write('isu1', at('SLAVE_ID'), 0x20);
    write('isu1', at('COUNT0'), count);
    write('isu1', at('PACK_CON0'), isRead ? 1 : 0);
    write('isu1', at('CON0'), I2C_BITS.MASTER_ENABLE | I2C_BITS.START);
    return read('isu1', at('ACK_VAL'));
  };
  const wired = (): Bench => {
    const all = bench();
    fitParts(all.chip, board({ Model: 'I2cWire', Isu: 1, Other: 2 }), all.clock);
    all.write('isu2', at('S_SLAVE_ID'), 0x20);
    all.write('isu2', at('S_CON0'), I2C_BITS.SLAVE_ENABLE);
    all.write('isu2', at('INT_CTRL'), I2C_BITS.SLAVE_INT_ENABLE);
    return all;
  };

  it('takes what a master of another unit sends, and tells of it when that is over', () => {
    const all = wired();
    const { chip, read, write } = all;
    for (const byte of [7, 8, 9]) write('isu1', at('FIFO_DATA'), byte);
    expect(transfer(all, false, 3)).toBe(0);
    expect(chip.interrupts.isHigh(52)).toBe(true);
    expect(read('isu2', at('INT_CTRL'))).toBe(I2C_BITS.SLAVE_INT_STATUS | I2C_BITS.SLAVE_INT_ENABLE);
    expect(read('isu2', at('S_ID_RECEIVED0'))).toBe(0x20);
    expect(read('isu2', at('S_FIFO_POINTER'))).toBe(0x30);
    expect([1, 2, 3].map(() => read('isu2', at('S_FIFO_DATA')))).toEqual([7, 8, 9]);
    write('isu2', at('INT_CTRL'), I2C_BITS.SLAVE_INT_STATUS | I2C_BITS.SLAVE_INT_ENABLE);
    expect(chip.interrupts.isHigh(52)).toBe(false);
  });

  it('gives what was put there, and then ones, and says that it ran out', () => {
    const all = wired();
    all.write('isu2', at('S_FIFO_DATA'), 0x5a);
    expect(transfer(all, true, 2)).toBe(0);
    expect([1, 2].map(() => all.read('isu1', at('FIFO_DATA')))).toEqual([0x5a, 0xff]);
    expect(all.read('isu2', at('S_ID_RECEIVED0'))).toBe(0xa0);
    expect(all.read('isu2', at('S_FIFO_STATUS')) & I2C_BITS.TX_UNDERFLOW).not.toBe(0);
    all.write('isu2', at('S_FIFO_CLEAR'), 3);
    expect(all.read('isu2', at('S_FIFO_STATUS'))).toBe(I2C_BITS.TX_EMPTY | I2C_BITS.RX_EMPTY);
  });

  it('acknowledges no byte that it has no room for, and nothing at all while it is off', () => {
    const all = wired();
    for (let byte = 0; byte < 8; byte++) all.write('isu1', at('FIFO_DATA'), byte);
    transfer(all, false, 9);
    all.write('isu1', at('FIFO_DATA'), 8);
    expect(all.read('isu1', at('ACK_VAL'))).toBe(1);
    expect(all.read('isu2', at('S_FIFO_STATUS')) & I2C_BITS.RX_OVERFLOW).not.toBe(0);
    all.write('isu1', at('FIFO_CLEAR'), 3);
    all.write('isu2', at('S_CON0'), 0);
    expect(transfer(all, true, 1)).toBe(0x100);
  });

  it('is on a board where a file says so; a part of SPI may hang on any GPIO', () => {
    expect(() => board({ Model: 'I2cWire', Isu: 1, Other: 1 })).toThrow(/another unit/);
    const all = bench();
    const { chip, read, write } = all;
    const parts = fitParts(
      chip,
      board(
        { Model: 'SpiAccelerometer', Isu: 1, SelectGpio: 0 },
        {
          Model: 'I2cAccelerometer',
          Isu: 1,
          Address: 0x20,
          Identity: 0x6c,
        },
      ),
      all.clock,
    );
    const whoAmI = (): number => {
      write('isu1', SPI_OFFSET + SPI_REGISTERS.SOAR, 0x8f);
      write('isu1', SPI_OFFSET + SPI_REGISTERS.SMBCR, (8 << 24) | (8 << 12));
      write('isu1', SPI_OFFSET + SPI_REGISTERS.SMMR, (7 << 29) >>> 0);
      write('isu1', SPI_OFFSET + SPI_REGISTERS.STCSR, SPI_BITS.START);
      return read('isu1', SPI_OFFSET + SPI_REGISTERS.SDIR0) & 0xff;
    };
    chip.pins.drive(0, 1);
    expect(whoAmI()).toBe(0xff);
    chip.pins.drive(0, 0);
    expect(whoAmI()).toBe(0x69);
    // Its younger sister, over I2C: it turns, and says so once it was switched on.
    const readAt = (register: number): number => {
      write('isu1', at('FIFO_DATA'), register);
      transfer(all, false, 1);
      transfer(all, true, 1);
      return read('isu1', at('FIFO_DATA'));
    };
    expect([readAt(0x0f), readAt(0x1e)]).toEqual([0x6c, 0]);
    for (const byte of [0x11, 0x14]) write('isu1', at('FIFO_DATA'), byte);
    transfer(all, false, 2);
    const part = parts.get('PART_1');
    if (part instanceof AccelerometerModel) part.rotation = { x: 0, y: 0, z: 17.5 };
    // 500 degrees a second: 17.5 thousandths a step.
    expect([readAt(0x1e), readAt(0x26), readAt(0x27)]).toEqual([6, 1000 & 0xff, 1000 >> 8]);
  });
});

describe('an SPI master', () => {
  const at = (name: keyof typeof SPI_REGISTERS): number => SPI_OFFSET + SPI_REGISTERS[name];

  function withAccelerometer(): Bench {
    const all = bench();
    all.chip.isus[1]?.spi.attach(0, new AccelerometerModel());
    return all;
  }

  it('sends a command and takes the answer in one burst', () => {
    const { chip, read, write } = withAccelerometer();
    write('isu1', at('SOAR'), 0x8f);
    write('isu1', at('SMMR'), SPI_BITS.INT_ENABLE);
    write('isu1', at('SMBCR'), (8 << 24) | (8 << 12));
    write('isu1', at('STCSR'), SPI_BITS.START);
    expect(read('isu1', at('SDIR0'))).toBe(0x69);
    expect(chip.interrupts.isHigh(49)).toBe(true);
    // Reading SCSR clears it.
    expect([read('isu1', at('SCSR')), read('isu1', at('SCSR'))]).toEqual([1, 0]);
    expect(chip.interrupts.isHigh(49)).toBe(false);
  });

  it('does the same with all its registers written through the data port', () => {
    const { read, write } = withAccelerometer();
    const words = [0, 0x8f, 0, 0, 0, 0, 0, 0, 0, SPI_BITS.FULL_DUPLEX, (16 << 12) | 16, SPI_BITS.START, 0];
    for (const word of words) write('isu1', at('DATA_PORT'), word);
    expect(read('isu1', at('SDIR0')) >>> 8).toBe(0x69);
  });

  it('holds a select line for as long as its polarity is turned round', () => {
    const { read, write } = withAccelerometer();
    write('isu1', at('SMMR'), 7 * 2 ** 29);
    write('isu1', at('CSPOL'), 1);
    write('isu1', at('SDOR0'), 0x8f);
    write('isu1', at('SMBCR'), 8);
    write('isu1', at('STCSR'), SPI_BITS.START);
    write('isu1', at('SMBCR'), 8 << 12);
    write('isu1', at('STCSR'), SPI_BITS.START);
    expect(read('isu1', at('SDIR0'))).toBe(0x69);
    write('isu1', at('CSPOL'), 0);
    write('isu1', at('STCSR'), SPI_BITS.START);
    expect(read('isu1', at('SDIR0'))).toBe(0xff);
  });

  it('gets nothing of use from a part that has another clock mode', () => {
    const { read, write } = withAccelerometer();
    write('isu1', at('SOAR'), 0x8f);
    write('isu1', at('SMMR'), SPI_BITS.CPHA);
    write('isu1', at('SMBCR'), (8 << 24) | (8 << 12));
    write('isu1', at('STCSR'), SPI_BITS.START);
    expect(read('isu1', at('SDIR0'))).toBe(0xff);
  });
});

describe('a UART', () => {
  const at = (name: keyof typeof UART_REGISTERS): number => UART_OFFSET + UART_REGISTERS[name];
  /** 115200 bits a second, as the platform's own samples set it. */
  function open(all: Bench): void {
    const { write } = all;
    write('isu0', at('LCR'), UART_BITS.DLAB);
    write('isu0', at('RBR_THR_DLL'), 1);
    write('isu0', at('IER_DLM'), 0);
    write('isu0', at('LCR'), 3);
    write('isu0', at('HIGHSPEED'), 3);
    write('isu0', at('SAMPLE_COUNT'), 224);
    write('isu0', at('SAMPLE_POINT'), 110);
    write('isu0', at('FRACDIV_L'), 0xdf);
    write('isu0', at('IIR_FCR_EFR'), 1);
  }

  it('comes to the baud rate that divisor, samples and fraction say', () => {
    const all = bench();
    open(all);
    expect(Math.round(all.chip.isus[0]?.uart.baudRate ?? 0)).toBe(115_108);
  });

  it('takes the time of the wire, and tells by interrupt what came back', async () => {
    const all = bench();
    all.chip.isus[0]?.uart.attach(new LoopbackModel());
    open(all);
    all.write('isu0', at('IER_DLM'), UART_BITS.RX_INT);
    for (const byte of [1, 2, 3]) all.write('isu0', at('RBR_THR_DLL'), byte);
    expect(all.read('isu0', at('TX_OFFSET'))).toBe(3);
    await all.clock.pass(0.08);
    expect(all.read('isu0', at('RX_OFFSET'))).toBe(0);
    await all.clock.pass(0.19);
    expect(all.chip.interrupts.isHigh(47)).toBe(true);
    expect(all.read('isu0', at('IIR_FCR_EFR'))).toBe(0x04);
    const bytes = [0, 1, 2].map(() => all.read('isu0', at('RBR_THR_DLL')));
    expect(bytes).toEqual([1, 2, 3]);
    expect(all.chip.interrupts.isHigh(47)).toBe(false);
    expect(all.read('isu0', at('LSR_XON2'))).toBe(UART_BITS.THR_EMPTY | UART_BITS.ALL_EMPTY);
  });

  it('keeps the settings that drivers read, change and write back', () => {
    const { read, write } = bench();
    for (const name of ['SCR_XOFF2', 'EXTEND_ADD', 'RX_TRIGGER', 'GUARD'] as const) {
      write('isu0', at(name), 0x5a);
      expect(read('isu0', at(name))).toBe(0x5a);
    }
    write('isu0', at('IIR_FCR_EFR'), 0x97);
    expect(read('isu0', at('FCR_READ'))).toBe(0x91);
  });

  it('tells of bytes when enough have come, or of fewer when the line has been silent for four frames', async () => {
    const all = bench();
    open(all);
    const uart = all.chip.isus[0]?.uart;
    const arrive = (count: number): void => {
      for (let byte = 0; byte < count; byte++) uart?.arrive(byte);
    };
    const isTold = (): boolean => all.chip.interrupts.isHigh(47);
    all.write('isu0', at('IER_DLM'), UART_BITS.RX_INT);
    // Six bytes.
    all.write('isu0', at('IIR_FCR_EFR'), UART_BITS.FIFO_ENABLE | (1 << 6));
    arrive(5);
    expect(isTold()).toBe(false);
    arrive(1);
    expect([isTold(), all.read('isu0', at('IIR_FCR_EFR'))]).toEqual([true, 0x04]);
    all.read('isu0', at('RBR_THR_DLL'));
    expect(isTold()).toBe(false);
    // Four frames of ten bits at 115,108 baud are 0.347 ms.
    await all.clock.pass(0.34);
    expect(isTold()).toBe(false);
    await all.clock.pass(0.02);
    expect([isTold(), all.read('isu0', at('IIR_FCR_EFR'))]).toEqual([true, 0x0c]);
    while ((all.read('isu0', at('LSR_XON2')) & UART_BITS.DATA_READY) !== 0)
      all.read('isu0', at('RBR_THR_DLL'));
    expect([isTold(), all.read('isu0', at('IIR_FCR_EFR'))]).toEqual([false, 0x01]);
    // As many as RX_TRIGGER says.
    all.write('isu0', at('RX_TRIGGER'), 3);
    all.write('isu0', at('IIR_FCR_EFR'), UART_BITS.FIFO_ENABLE | (3 << 6));
    arrive(2);
    expect(isTold()).toBe(false);
    arrive(1);
    expect(isTold()).toBe(true);
  });

  it('tells of silence also where DMA has taken what came, until VFIFO_EN is read', async () => {
    const all = bench();
    open(all);
    all.write('isu0', at('IER_DLM'), UART_BITS.RX_INT);
    all.write('isu0', at('IIR_FCR_EFR'), UART_BITS.FIFO_ENABLE | (2 << 6));
    all.write('isu0', at('VFIFO_EN'), 1);
    all.write('isu0', at('EXTEND_ADD'), 1);
    all.chip.isus[0]?.uart.arrive(7);
    // As DMA does.
    expect(all.read('isu0', at('RBR_THR_DLL'))).toBe(7);
    expect(all.chip.interrupts.isHigh(47)).toBe(false);
    await all.clock.pass(0.4);
    expect(all.chip.interrupts.isHigh(47)).toBe(true);
    expect(all.read('isu0', at('IIR_FCR_EFR'))).toBe(0x0c);
    all.read('isu0', at('VFIFO_EN'));
    expect(all.chip.interrupts.isHigh(47)).toBe(false);
    await all.clock.pass(1);
    expect(all.chip.interrupts.isHigh(47)).toBe(false);
  });

  it('tells that few bytes are left to be sent where FCR asks for it, and else that none is', async () => {
    for (const [control, isTold] of [
      [0, false],
      // Eight.
      [UART_BITS.FIFO_ENABLE | (2 << 4), true],
    ] as const) {
      const all = bench();
      open(all);
      all.write('isu0', at('IIR_FCR_EFR'), control);
      all.write('isu0', at('VFIFO_EN'), 1);
      for (let byte = 0; byte < 24; byte++) all.write('isu0', at('RBR_THR_DLL'), byte);
      all.write('isu0', at('IER_DLM'), UART_BITS.THRE_INT);
      expect(all.chip.interrupts.isHigh(47)).toBe(false);
      // The first one, and then, by the board's clock, sixteen at once.
      await all.clock.pass(1.5);
      expect(all.read('isu0', at('TX_OFFSET'))).toBe(7);
      expect(all.chip.interrupts.isHigh(47)).toBe(isTold);
      await all.clock.pass(1);
      expect(all.chip.interrupts.isHigh(47)).toBe(true);
    }
  });

  it('overruns when nobody reads: the FIFO holds 16', () => {
    const all = bench();
    open(all);
    const uart = all.chip.isus[0]?.uart;
    for (let byte = 0; byte < 17; byte++) uart?.arrive(byte);
    expect(all.read('isu0', at('LSR_XON2')) & UART_BITS.OVERRUN).not.toBe(0);
    expect(all.read('isu0', at('LSR_XON2')) & UART_BITS.OVERRUN).toBe(0);
    expect(all.read('isu0', at('RX_OFFSET'))).toBe(16);
  });

  it('does not deliver after a reset what was on its way before', async () => {
    const all = bench();
    all.chip.isus[0]?.uart.attach(new LoopbackModel());
    open(all);
    all.write('isu0', at('RBR_THR_DLL'), 1);
    all.chip.reset('Restart');
    all.chip.bus.firewall.configure([
      { master: 'normal', region: 'isu0', read: true, write: true, execute: false },
    ]);
    await all.clock.pass(10);
    expect(all.read('isu0', at('RX_OFFSET'))).toBe(0);
  });
});

describe('the ADC, PWM and the real-time clock', () => {
  it('converts a voltage against the chosen reference, and no more than full scale', () => {
    const { chip, read, write } = bench();
    let volts = 1.25;
    chip.adc.attach(3, () => volts);
    const sample = (reference: number): number => {
      write('adc', ADC_REGISTERS.REFERENCE, reference);
      write('adc', ADC_REGISTERS.CTL0, (8 << 16) | 1);
      expect(read('adc', ADC_REGISTERS.LSR)).toBe(1);
      return read('adc', ADC_REGISTERS.FIFO);
    };
    expect(sample(0)).toBe((2048 << 4) | 3);
    expect(sample(1)).toBe((2844 << 4) | 3);
    volts = 3;
    expect(sample(0)).toBe((4095 << 4) | 3);
  });

  it('tells of a round’s last samples below the trigger level, and where its FIFO’s pointers are', () => {
    const { chip, read, write } = bench();
    write('adc', ADC_REGISTERS.TRIGGER, 8);
    write('adc', ADC_REGISTERS.IER, 1);
    for (let round = 0; round < 20; round++) {
      write('adc', ADC_REGISTERS.CTL0, (6 << 16) | 1);
      const pointers = read('adc', ADC_REGISTERS.FIFO_POINTER);
      expect([pointers & 31, pointers >> 5]).toEqual([(2 * round) & 31, (2 * round + 2) & 31]);
      expect(chip.interrupts.isHigh(70)).toBe(true);
      expect([read('adc', ADC_REGISTERS.FIFO) & 15, read('adc', ADC_REGISTERS.FIFO) & 15]).toEqual([1, 2]);
      expect(chip.interrupts.isHigh(70)).toBe(false);
    }
    // Nothing is there to take: the pointers stay.
    read('adc', ADC_REGISTERS.FIFO);
    expect(read('adc', ADC_REGISTERS.FIFO_POINTER)).toBe(8 | (8 << 5));
  });

  it('shows a wave when it is kicked, all of it at once', () => {
    const { chip, write } = bench();
    const at = (name: keyof typeof PWM_REGISTERS): number => PWM_OFFSET + PWM_REGISTERS[name];
    write('gpio1', at('GLO_CTRL'), 0xe400 | (1 << 1));
    write('gpio1', at('PARAM_S0'), (1500 << 16) | 500);
    expect(chip.pwm[1]?.wave(0).isRunning).toBe(false);
    write('gpio1', at('CTRL'), 1 | (1 << 4));
    expect(chip.pwm[1]?.wave(0)).toEqual({ isRunning: true, period: 1_000_000, high: 250_000 });
    write('gpio1', at('CTRL'), 1 | (1 << 4) | (1 << 2));
    expect(chip.pwm[1]?.wave(0).high).toBe(750_000);
    // Two channels in the same moment.
    for (const channel of [1, 2]) {
      write('gpio1', at('PARAM_S0') + 0x10 * channel, (1000 << 16) | 1000);
      write('gpio1', at('CTRL') + 0x10 * channel, (1 << 5) | (1 << 4));
    }
    expect(chip.pwm[1]?.wave(2).isRunning).toBe(false);
    write('gpio1', at('GLO_CTRL'), 0xe400 | (1 << 1) | 1);
    expect([1, 2, 3].map((channel) => chip.pwm[1]?.wave(channel).high)).toEqual([500_000, 500_000, 0]);
    chip.reset('Restart');
    expect(chip.pwm[1]?.wave(0).isRunning).toBe(false);
  });

  it('keeps the time through resets and without power, once it was set', async () => {
    const { chip, clock, read, write } = bench();
    expect(read('rtc', RTC_REGISTERS.STATUS)).toBe(0);
    const time = Date.UTC(2030, 0, 1);
    write('rtc', RTC_REGISTERS.LOW, time % 2 ** 32);
    write('rtc', RTC_REGISTERS.HIGH, Math.floor(time / 2 ** 32));
    chip.powerOff();
    await clock.pass(86_400_000);
    chip.powerOn();
    expect(chip.rtc.time).toBe(time + 86_400_000);
  });
});
