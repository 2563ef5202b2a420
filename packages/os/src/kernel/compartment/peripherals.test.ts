import type { PortValue } from '@sevenfold/formats';
import { LoopbackModel, type BoardDescription, type I2cDevice } from '@sevenfold/silicon';
import { describe, expect, it } from 'vitest';
import { KernelWorld } from '../testing/kernel-world.ts';
import { COMPONENT, OUT, scriptModule, type Step } from '../testing/test-app.ts';
import { ERRNO, type ErrnoName } from './errno.ts';

const PAGE = 65_536;
const CONFIG = 512;
const DATA = 2048;
const TRANSFERS = 256;
const EVERYTHING = {
  Uart: ['ISU0', 'ISU3'],
  I2cMaster: ['ISU2'],
  SpiMaster: ['ISU1'],
  Adc: ['ADC-CONTROLLER-0'],
  Pwm: ['PWM-CONTROLLER-0'],
  SystemTime: true,
  PowerControls: ['ForcePowerDown', 'SetPowerProfile'],
};
const BOARD: BoardDescription = {
  name: 'bench',
  parts: [
    { name: 'wire', model: 'UartLoopback', isu: 0 },
    { name: 'sensor', model: 'TemperatureSensor', isu: 2, address: 0x48 },
    { name: 'memory', model: 'SpiEeprom', isu: 1, chipSelect: 0 },
    { name: 'knob', model: 'Potentiometer', channel: 2 },
  ],
};

const call = (name: string, ...args: Step['args']): Step => ({ call: ['sevenfold', name], args });
const wasi = (name: string, ...args: Step['args']): Step => ({
  call: ['wasi_snapshot_preview1', name],
  args,
});

/** `UART_Config` as the host reads it. */
const config = (
  baud: number,
  data = 8,
  parity = 0,
  stop = 1,
  flow = 0,
): { readonly offset: number; readonly bytes: Uint8Array } => {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setUint32(0, baud, true);
  bytes.set([data, parity, stop, flow], 4);
  return { offset: CONFIG, bytes };
};

/** Records of `spi_transfer`. */
function transfers(
  ...rows: readonly (readonly [flags: number, write: number, read: number, length: number])[]
): { readonly offset: number; readonly bytes: Uint8Array } {
  return { offset: TRANSFERS, bytes: new Uint8Array(Uint32Array.from(rows.flat()).buffer) };
}

interface Tried {
  readonly errno: string;
  readonly world: KernelWorld;
}

/** The errno of the last of some calls. `device` may be changed before the app runs. */
async function tried(
  steps: readonly Step[],
  {
    capabilities = EVERYTHING,
    data = [config(115_200)],
    prepare = () => undefined,
    time = 5000,
  }: {
    readonly capabilities?: Readonly<Record<string, unknown>>;
    readonly data?: readonly { readonly offset: number; readonly bytes: Uint8Array }[];
    readonly prepare?: (world: KernelWorld) => void;
    readonly time?: number;
  } = {},
): Promise<Tried> {
  const world = await KernelWorld.boot({ board: BOARD });
  prepare(world);
  world.install({ capabilities, module: scriptModule(steps, data) });
  await world.services('appInstalled', COMPONENT);
  await world.clock.advance(time);
  const [report] = world.reports;
  if (report?.kind === 'AppCrash') throw new Error(`The app trapped: ${report.trap}`);
  const errno = Object.entries(ERRNO).find(([, value]) => value === report?.exitCode)?.[0];
  return { errno: errno ?? `errno ${report?.exitCode}`, world };
}

const uart = call('uart_open', 0, CONFIG, OUT);
const i2c = call('i2c_open', 2, OUT);
const spi = call('spi_open', 1, -1, 1, OUT);
const adc = call('adc_open', 0, OUT);
const pwm = call('pwm_open', 0, OUT);
const read = (address: number, length = 2): Step =>
  call('i2c_transfer', 'loaded', address, 0, -1, DATA, length);

describe('a peripheral that the manifest does not name', () => {
  it.each<[string, Step]>([
    ['a UART', uart],
    ['an I2C master', i2c],
    ['an SPI master', spi],
    ['the ADC', adc],
    ['a PWM controller', pwm],
    ['the real-time clock', call('rtc_set')],
    ['power-down', call('power_down', 60)],
    ['the power profile', call('power_profile', 1)],
  ])('%s → EACCES, and it is there with the capability', async (_what, step) => {
    expect((await tried([step], { capabilities: {} })).errno).toBe('EACCES');
    expect((await tried([step])).errno).toMatch(/^(success|errno undefined)$/);
  });

  it('is not to be had by another use of the same serial unit', async () => {
    expect((await tried([call('i2c_open', 0, OUT)])).errno).toBe('EACCES');
    expect((await tried([call('spi_open', 2, -1, 1, OUT)])).errno).toBe('EACCES');
  });
});

describe('UART', () => {
  it.each<[string, ErrnoName | 'success', readonly Step[], ReturnType<typeof config>]>([
    ['a unit that there is not', 'ENODEV', [call('uart_open', 5, CONFIG, OUT)], config(115_200)],
    ['a unit of a core that is not ours', 'ENODEV', [call('uart_open', 3, CONFIG, OUT)], config(115_200)],
    ['a unit that is open already', 'EBUSY', [uart, uart], config(115_200)],
    ['no bits a second', 'EINVAL', [uart], config(0)],
    ['too many bits a second', 'EINVAL', [uart], config(3_000_001)],
    ['9 data bits', 'EINVAL', [uart], config(9600, 9)],
    ['a parity that does not exist', 'EINVAL', [uart], config(9600, 8, 3)],
    ['3 stop bits', 'EINVAL', [uart], config(9600, 8, 0, 3)],
    ['a flow control that does not exist', 'EINVAL', [uart], config(9600, 8, 0, 1, 3)],
    ['a configuration out of memory', 'EFAULT', [call('uart_open', 0, PAGE - 4, OUT)], config(9600)],
    ['7E2 with RTS and CTS', 'success', [uart], config(9600, 7, 1, 2, 1)],
    ['reading when nothing came', 'EAGAIN', [uart, wasi('fd_read', 'loaded', 600, 1, 700)], config(9600)],
    ['closing and opening again', 'success', [uart, wasi('fd_close', 'loaded'), uart], config(9600)],
  ])('%s → %s', async (_what, expected, steps, settings) => {
    const vector = { offset: 600, bytes: Uint8Array.of(0, 8, 0, 0, 16, 0, 0, 0) };
    expect((await tried(steps, { data: [settings, vector] })).errno).toBe(expected);
  });

  it('comes to the baud rates of the standard set within a percent', async () => {
    for (const baud of [300, 1200, 9600, 19_200, 57_600, 115_200, 460_800, 921_600, 3_000_000]) {
      let actual = 0;
      await tried([uart], {
        data: [config(baud)],
        prepare: ({ chip }) => {
          chip.isus[0]?.uart.attach(new LoopbackModel());
          const { bus } = chip;
          const write = bus.write.bind(bus);
          bus.write = (...args) => {
            write(...args);
            actual = chip.isus[0]?.uart.baudRate ?? 0;
          };
        },
        time: 1,
      });
      expect(Math.abs(actual / baud - 1), String(baud)).toBeLessThan(0.01);
    }
  });

  it('gives all that came, in order, to an app that is slow, and loses the rest when it is too slow', async () => {
    const world = await KernelWorld.boot({ board: BOARD });
    world.install({
      capabilities: EVERYTHING,
      module: scriptModule([call('epoll_create', OUT), call('epoll_wait', 'loaded', 0, 1, -1, 0)]),
    });
    await world.services('appInstalled', COMPONENT);
    await world.clock.advance(1);
    const ask = (method: string, ...args: readonly PortValue[]): Promise<PortValue> =>
      world.callAs('compartment:1', method, ...args);
    await ask('uartOpen', 0, {
      baudRate: 921_600,
      dataBits: 8,
      parity: 'none',
      stopBits: 1,
      flowControl: 'none',
    });
    const uart0 = world.chip.isus[0]?.uart;
    for (let sent = 0; sent < 3000; sent += 1) {
      uart0?.arrive(sent & 0xff);
      if (sent % 500 === 0) await world.clock.advance(1);
    }
    await world.clock.advance(5);
    const bytes: number[] = [];
    while (bytes.length < 3000) bytes.push(...((await ask('uartRead', 0, 1000)) as Uint8Array));
    expect(bytes).toEqual(Array.from({ length: 3000 }, (_, index) => index & 0xff));
    // More than kernel and chip hold: the first are kept, the rest is lost, and reading goes on working.
    for (let sent = 0; sent < 20_000; sent += 1) {
      uart0?.arrive(sent & 0xff);
      if (sent % 500 === 0) await world.clock.advance(2);
    }
    let kept = 0;
    for (let count = 1; count > 0;) {
      count = 0;
      const answer = ask('uartRead', 0, 4096).then((more) => {
        count = (more as Uint8Array).length;
      });
      await Promise.race([answer, world.clock.advance(20)]);
      kept += count;
    }
    expect(kept).toBeGreaterThan(5000);
    expect(kept).toBeLessThan(20_000);
  });
});

describe('I2C', () => {
  const stuck: I2cDevice = {
    address: 0x20,
    start: () => 'hold',
    write: () => false,
    read: () => 0,
    stop: () => undefined,
  };
  it.each<[string, ErrnoName | 'success', readonly Step[]]>([
    ['a unit that there is not', 'ENODEV', [call('i2c_open', 9, OUT)]],
    ['a unit that is open already', 'EBUSY', [i2c, i2c]],
    ['a part that answers', 'success', [i2c, read(0x48)]],
    ['a part that does not', 'ENXIO', [i2c, read(0x49)]],
    ['only addressing a part', 'success', [i2c, read(0x48, 0)]],
    ['only addressing nobody', 'ENXIO', [i2c, read(0x49, 0)]],
    ['an address of 8 bits', 'EINVAL', [i2c, read(0x80)]],
    ['more than 4096 bytes', 'EINVAL', [i2c, read(0x48, 4097)]],
    ['a buffer out of memory', 'EFAULT', [i2c, call('i2c_transfer', 'loaded', 0x48, 0, -1, PAGE - 1, 2)]],
    ['data out of memory', 'EFAULT', [i2c, call('i2c_transfer', 'loaded', 0x48, PAGE - 1, 2, 0, -1)]],
    ['a speed that the chip does', 'success', [i2c, call('i2c_set_speed', 'loaded', 1_000_000)]],
    ['a speed that it does not', 'EINVAL', [i2c, call('i2c_set_speed', 'loaded', 3_400_000)]],
    ['read(2) without a target', 'EINVAL', [i2c, wasi('fd_read', 'loaded', 600, 1, 700)]],
    ['a target of 8 bits', 'EINVAL', [i2c, call('i2c_set_target', 'loaded', 0x80)]],
    ['a descriptor of another kind', 'EBADF', [adc, call('i2c_set_target', 'loaded', 1)]],
    ['a part that holds the clock', 'ETIMEDOUT', [i2c, call('i2c_set_timeout', 'loaded', 50), read(0x20)]],
    [
      'the next part after one that held the clock',
      'success',
      [i2c, call('i2c_set_timeout', 'loaded', 50), read(0x20), read(0x48)],
    ],
  ])('%s → %s', async (_what, expected, steps) => {
    const data = [{ offset: 600, bytes: Uint8Array.of(0, 8, 0, 0, 2, 0, 0, 0) }];
    const prepare = ({ chip }: KernelWorld): void => chip.isus[2]?.i2c.attach(stuck);
    expect((await tried(steps, { data, prepare })).errno).toBe(expected);
  });

  it('says that the bus is busy while somebody holds it', async () => {
    const prepare = ({ chip }: KernelWorld): void => chip.isus[2]?.i2c.hold(true);
    expect((await tried([i2c, read(0x48)], { prepare })).errno).toBe('EBUSY');
  });

  it('moves 4096 bytes in each direction through a FIFO of eight', async () => {
    const written: number[] = [];
    const store: I2cDevice = {
      address: 0x30,
      start: () => 'ack',
      write: (byte) => written.push(byte) > 0,
      read: () => 7,
      stop: () => undefined,
    };
    const { errno } = await tried([i2c, call('i2c_transfer', 'loaded', 0x30, 8192, 4096, 16_384, 4096)], {
      prepare: ({ chip }) => chip.isus[2]?.i2c.attach(store),
      data: [{ offset: 8192, bytes: Uint8Array.from({ length: 4096 }, (_, index) => index & 0xff) }],
    });
    expect(errno).toBe('success');
    // The app is started anew after it ended: the first run counts.
    expect(written.slice(0, 4096)).toEqual(Array.from({ length: 4096 }, (_, index) => index & 0xff));
  });
});

describe('SPI', () => {
  it.each<
    [string, ErrnoName | 'success', readonly Step[], readonly (readonly [number, number, number, number])[]]
  >([
    ['a unit that there is not', 'ENODEV', [call('spi_open', 7, -1, 1, OUT)], []],
    ['a select line that there is not', 'ENODEV', [call('spi_open', 1, -3, 1, OUT)], []],
    ['a polarity that does not exist', 'EINVAL', [call('spi_open', 1, -1, 0, OUT)], []],
    ['a line that is open already', 'EBUSY', [spi, spi], []],
    ['the other line beside it', 'success', [spi, call('spi_open', 1, -2, 1, OUT)], []],
    ['mode 0', 'EINVAL', [spi, call('spi_configure', 'loaded', 1, 0)], []],
    ['a bit order that does not exist', 'EINVAL', [spi, call('spi_configure', 'loaded', 2, 3)], []],
    ['a setting that does not exist', 'EINVAL', [spi, call('spi_configure', 'loaded', 3, 1)], []],
    ['a clock that is too slow', 'EINVAL', [spi, call('spi_configure', 'loaded', 0, 100)], []],
    ['a clock beyond the fastest', 'success', [spi, call('spi_configure', 'loaded', 0, 99_000_000)], []],
    ['a transfer of nothing', 'success', [spi, call('spi_transfer', 'loaded', TRANSFERS, 0, OUT)], []],
    [
      'reading and writing at once',
      'EINVAL',
      [spi, call('spi_transfer', 'loaded', TRANSFERS, 1, OUT)],
      [[3, DATA, DATA, 4]],
    ],
    ['neither', 'EINVAL', [spi, call('spi_transfer', 'loaded', TRANSFERS, 1, OUT)], [[0, DATA, DATA, 4]]],
    ['a read', 'success', [spi, call('spi_transfer', 'loaded', TRANSFERS, 1, OUT)], [[1, 0, DATA, 33]]],
    [
      '257 transfers',
      'EINVAL',
      [spi, call('spi_transfer', 'loaded', TRANSFERS, 257, OUT)],
      [[1, 0, DATA, 1]],
    ],
    [
      'more than 4096 bytes in all',
      'EINVAL',
      [spi, call('spi_transfer', 'loaded', TRANSFERS, 2, OUT)],
      [
        [1, 0, DATA, 4000],
        [1, 0, DATA, 97],
      ],
    ],
    [
      'a buffer out of memory',
      'EFAULT',
      [spi, call('spi_transfer', 'loaded', TRANSFERS, 1, OUT)],
      [[1, 0, PAGE - 1, 2]],
    ],
  ])('%s → %s', async (_what, expected, steps, rows) => {
    expect((await tried(steps, { data: [transfers(...rows)] })).errno).toBe(expected);
  });
});

describe('ADC and PWM', () => {
  const state = (period: number, duty: number, polarity = 0, channel = 0): Step =>
    call('pwm_apply', 'loaded', channel, period, duty, polarity, 1);
  it.each<[string, ErrnoName | 'success', readonly Step[]]>([
    ['an ADC that there is not', 'ENODEV', [call('adc_open', 1, OUT)]],
    ['the ADC twice', 'EBUSY', [adc, adc]],
    ['a sample', 'success', [adc, call('adc_poll', 'loaded', 2, OUT)]],
    ['a channel that there is not', 'ENODEV', [adc, call('adc_poll', 'loaded', 8, OUT)]],
    ['bits of a channel that there is not', 'ENODEV', [adc, call('adc_bits', 'loaded', 8, OUT)]],
    ['a reference above what it stands', 'EINVAL', [adc, call('adc_reference', 'loaded', 0, 2501)]],
    ['a reference of 0 V', 'EINVAL', [adc, call('adc_reference', 'loaded', 0, 0)]],
    ['a PWM controller that there is not', 'ENODEV', [call('pwm_open', 3, OUT)]],
    ['a controller twice', 'EBUSY', [pwm, pwm]],
    ['a wave', 'success', [pwm, state(1_000_000, 500_000)]],
    ['a duty cycle longer than the period', 'EINVAL', [pwm, state(1000, 1001)]],
    ['a period of 0', 'EINVAL', [pwm, state(0, 0)]],
    ['a polarity that does not exist', 'EINVAL', [pwm, state(1000, 1, 2)]],
    ['a period that no clock makes', 'EINVAL', [pwm, state(4_200_000_000, 1)]],
    ['a channel that there is not', 'ENODEV', [pwm, state(1000, 1, 0, 4)]],
    ['a power profile that does not exist', 'EINVAL', [call('power_profile', 3)]],
    ['a power-down of 0 s', 'EINVAL', [call('power_down', 0)]],
  ])('%s → %s', async (_what, expected, steps) => {
    expect((await tried(steps)).errno).toBe(expected);
  });

  it('slows the clock of a controller for a long wave, and keeps the short ones as they were', async () => {
    const waves: string[] = [];
    await tried([pwm, state(1_000_000, 250_000, 0, 0), state(1_000_000_000, 500_000_000, 1, 1)], {
      prepare: ({ chip }) => {
        chip.pwm[0]?.onChange((channel, wave) => waves.push(`${channel}: ${wave.high} of ${wave.period}`));
      },
    });
    expect(waves[0]).toBe('0: 250000 of 1000000');
    // 32,768 Hz: 33 ticks in place of a millisecond.
    expect(waves.slice(1, 3)).toEqual(['0: 244141 of 1007080', '1: 500000000 of 1000000000']);
  });
});

describe('power and time', () => {
  it('arms a power-down and has the monitor restart, after the apps were told', async () => {
    const { world } = await tried([call('power_down', 90)], { time: 2000 });
    expect(world.chip.powerUnit.armedSeconds).toBe(90);
    expect(world.monitorCalls).toContain('restart');
  });

  it('sets the real-time clock to the time of the system, from which the next boot begins', async () => {
    const { world } = await tried([call('rtc_set')]);
    expect(world.chip.rtc.time).toBe(world.clock.now());
  });
});
