import {
  BUS_REGIONS,
  DEFAULT_BOOT_RECORD,
  MAILBOX_REGISTERS,
  RUN_RULES,
  registerAddress,
  type PortValue,
} from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import { runTransaction } from '../bus-transaction.ts';
import { openChip, type Chip } from '../chip.ts';
import { insecureSeededEntropy } from '../engines.ts';
import { secureWorldHardware } from '../hardware-ports.ts';
import { memoryFlash, memoryFuses } from '../memory-storage.ts';
import { halves } from './testing/chip-with-core.ts';
import { SYSRAM, TCM, XIP } from './state.ts';

const nothing = { now: () => 0, monotonic: () => 0, sleep: () => Promise.resolve() };

function newWorld(): {
  readonly chip: Chip;
  readonly call: (method: string, ...args: readonly PortValue[]) => Promise<PortValue>;
  readonly bus: (...operations: readonly PortValue[]) => Promise<readonly PortValue[]>;
} {
  const chip = openChip({ flash: memoryFlash(), fuses: memoryFuses(), entropy: insecureSeededEntropy('x') });
  chip.bus.firewall.configure(RUN_RULES);
  chip.bus.firewall.lock();
  const handler = secureWorldHardware(
    chip,
    {
      selection: { config: 'current', record: DEFAULT_BOOT_RECORD, trial: false },
      report: { stages: [], failures: [] },
      keystorePackage: new Uint8Array(0),
      bundle: new Uint8Array(0),
      provided: [],
    },
    { clock: nothing, reset: () => {}, startStage: () => Promise.resolve() },
  );
  return {
    chip,
    call: (method, ...args) => handler('monitor', method, args),
    bus: (...operations) => runTransaction(chip.bus, 'normal', operations, nothing),
  };
}

const words = (...values: readonly number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);
/** Vectors, and code that stores to 0x4000_0000. */
const PROGRAM = [
  { address: TCM.base, bytes: words(TCM.base + TCM.size, (TCM.base + 0x400) | 1, 0) },
  { address: TCM.base + 0x400, bytes: halves(0x2040, 0x0600, 0x2280, 0x0612, 0x6002, 0xe7fe) },
];

describe('the Security Monitor’s calls for real-time cores', () => {
  it('load, start, stop and look', async () => {
    const { call, chip } = newWorld();
    expect(await call('coreStatus', 0)).toEqual({ state: 'off', failure: null });
    await call('loadCore', 0, PROGRAM, false);
    await call('startCore', 0);
    expect(await call('coreStatus', 0)).toEqual({ state: 'running', failure: null });
    // It stores to 0x4000_0000, where nothing is, and has no handler for that.
    chip.runRealTimeCores(10_000);
    expect(await call('coreStatus', 0)).toMatchObject({
      state: 'failed',
      failure: { kind: 'lockup', fault: 'PRECISERR', bfar: 0x4000_0000, cfsr: 0x2_8200 },
    });
    expect(await call('busFaults')).toMatchObject({ count: 1, newest: [{ master: 'realtime0' }] });
    await call('loadCore', 0, [], false);
    expect(await call('coreStatus', 0)).toEqual({ state: 'off', failure: null });
    await call('loadCore', 0, PROGRAM.slice(0, 1), false);
    expect(chip.realTimeCores[0]?.realTime?.core.memory.read(TCM.base + 0x400, 4)).toEqual(new Uint8Array(4));
    await call('startCore', 0);
    await call('stopCore', 0);
    expect(await call('coreStatus', 0)).toEqual({ state: 'off', failure: null });
  });

  it.each<readonly [string, string, readonly PortValue[]]>([
    ['a third core', 'startCore', [2]],
    ['no core', 'stopCore', [null]],
    [
      'a segment outside of the core’s memories',
      'loadCore',
      [0, [{ address: 0x8000_0000, bytes: words(1) }], false],
    ],
    [
      'one that begins before TCM ends',
      'loadCore',
      [0, [{ address: TCM.base + TCM.size - 2, bytes: words(1) }], false],
    ],
    [
      'one that is too long',
      'loadCore',
      [0, [{ address: SYSRAM.base, bytes: new Uint8Array(SYSRAM.size + 1) }], false],
    ],
    ['one behind XIP', 'loadCore', [0, [{ address: XIP.base + XIP.size, bytes: new Uint8Array(0) }], false]],
    ['one without bytes', 'loadCore', [0, [{ address: TCM.base }], false]],
    ['no word on debuggers', 'loadCore', [0, [{ address: TCM.base, bytes: words(1) }]]],
    ['a region that there is not', 'assignRegions', [0, ['isu9']]],
    ['the firewall', 'assignRegions', [0, ['firewall']]],
  ])('refuse %s', async (_what, method, args) => {
    const { call } = newWorld();
    await expect(call(method, ...args)).rejects.toMatchObject({ code: /^(BadArgument|OutOfRange)$/ });
  });

  it('open to the core what it was given, at the kernel’s cost', async () => {
    const { call, bus, chip } = newWorld();
    const pin = registerAddress('gpio2', 0x10);
    await bus(['read', pin]);
    await call('assignRegions', 0, ['gpio2']);
    await expect(bus(['read', pin])).rejects.toMatchObject({ code: 'BusFault' });
    expect(chip.bus.read('realtime0', pin)).toBe(0);
    await expect(call('assignRegions', 1, ['gpio2'])).rejects.toMatchObject({ code: 'FirewallLocked' });
  });
});

describe('the kernel’s side of a real-time core', () => {
  it('posts before the core starts, and shares memory by whole blocks', async () => {
    const { call, bus, chip } = newWorld();
    const box = BUS_REGIONS.mailbox1.offset;
    const shared = BUS_REGIONS.intercore1.offset;
    await call('loadCore', 1, PROGRAM, false);
    await bus(['store', shared + 3, Uint8Array.of(1, 2, 3)], ['write', box + MAILBOX_REGISTERS.CMD_POST, 9]);
    await call('startCore', 1);
    expect(chip.bus.readMemory('normal', shared, 8)).toEqual(Uint8Array.of(0, 0, 0, 1, 2, 3, 0, 0));
    const results = await bus(
      ['load', shared + 4, 2],
      ['read', box + MAILBOX_REGISTERS.POST_CNT],
      ['read', box + MAILBOX_REGISTERS.CORE_STATE],
    );
    expect(results).toEqual([Uint8Array.of(2, 3), 1, 1]);
    await call('stopCore', 1);
    expect(await bus(['read', box + MAILBOX_REGISTERS.POST_CNT])).toEqual([0]);
  });

  it.each<readonly [string, readonly PortValue[]]>([
    ['the monitor’s memory', ['load', BUS_REGIONS.secureRam.offset, 4]],
    ['registers as if they were memory', ['load', BUS_REGIONS.gpio0.offset, 4]],
    ['beyond the end', ['load', BUS_REGIONS.intercore1.offset + 0xfffe, 4]],
    ['from one core’s memory into the other’s', ['store', BUS_REGIONS.intercore0.offset + 0xfffe, words(1)]],
  ])('reaches not for %s', async (_what, operation) => {
    const { bus } = newWorld();
    await expect(bus(operation)).rejects.toMatchObject({ code: 'BusFault' });
  });
});
