import { describe, expect, it } from 'vitest';
import { MONITOR_CALLS, type MonitorCallRow, type PortValue } from '@sevenfold/formats';
import { makeDevice, manufactureBits, settled, stage, type TestDevice } from './testing/device.fixture.ts';
import { APP_COMPONENT, makeRelease, makeSystemImage } from './testing/release.fixture.ts';
import { largest, wrong } from './testing/rule-values.fixture.ts';

const rows = Object.entries(MONITOR_CALLS as Readonly<Record<string, MonitorCallRow>>);
const codeOf = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'answered',
    (error: { readonly code: string }) => error.code,
  );

/** Values of every shape, among them some that are right here and there. */
const VALUES: readonly PortValue[] = [
  null,
  true,
  0,
  7,
  -1,
  1e9,
  2n,
  '',
  'plan',
  'services',
  'measured',
  APP_COMPONENT,
  [],
  [1],
  {},
  new Uint8Array(0),
  new Uint8Array(20),
  new Uint8Array(32),
  new Uint8Array(64),
  new Uint8Array(70_000),
];

async function running(): Promise<TestDevice> {
  const device = makeDevice(manufactureBits(await makeRelease()));
  await device.board.powerOn();
  return device;
}

describe('the table of the Security Monitor’s calls', () => {
  it('is obeyed: no call is reached with anything past any bound of its arguments', async () => {
    const device = await running();
    let refused = 0;
    for (const [name, { args }] of rows) {
      const right = args.map(largest);
      for (const [index, rule] of args.entries()) {
        for (const [field, bad] of wrong(rule)) {
          const given = right.map((value, at) => (at === index ? bad : value));
          await expect(device.call(name, ...given), `${name} ${field}`).rejects.toMatchObject({
            code: 'BadArgument',
            field,
          });
          refused += 1;
        }
      }
    }
    expect(refused).toBeGreaterThan(300);
    await device.board.powerOff();
  });

  it('has thirty rows at most, and each says when it is allowed', () => {
    expect(rows.length).toBeLessThanOrEqual(30);
    expect(new Set(rows.map(([, { when }]) => when))).toEqual(new Set(['any', 'settled', 'running']));
  });

  it('names all that a call is refused with', async () => {
    const device = await running();
    const found = new Set<string>();
    for (const [name, { args, errors }] of rows) {
      if (name === 'restart') continue;
      for (const first of VALUES) {
        for (const rest of args.length > 1 ? VALUES : [null]) {
          const given = args.map((_, index) => (index === 0 ? first : rest));
          const code = await codeOf(device.call(name, ...given));
          if (code === 'answered') continue;
          found.add(code);
          expect(['BadArgument', ...errors], `${name} of ${typeof first}, ${typeof rest}`).toContain(
            code.startsWith('Cbor') || code === 'NotSign1' ? 'a document’s' : code,
          );
        }
      }
    }
    expect(found.size).toBeGreaterThan(3);
    await device.board.powerOff();
  });

  it('keeps calls for a settled device from one that is on trial or waits for its restart', async () => {
    const device = await running();
    const id = await stage(device, await makeSystemImage('Services', { version: '2.0.0' }));
    await device.call('commit', [id], []);
    const [only, ...others] = rows.filter(([, { when }]) => when === 'settled');
    expect([only?.[0], others]).toEqual(['commit', []]);
    expect(await codeOf(device.call('commit', [], []))).toBe('RestartRequired');
    await device.call('restart').catch(() => {});
    await settled(device);
    expect(await codeOf(device.call('commit', [], []))).toBe('TrialInProgress');
    await device.call('confirmHealthy');
    expect(await codeOf(device.call('commit', [], []))).toBe('answered');
    await device.board.powerOff();
  });

  it('keeps what speaks for a running device from a kernel that has not loaded the services', async () => {
    const early = rows
      .filter(([, { when }]) => when === 'running')
      .map(([name, { args }]) => [name, args.length]);
    expect(early.length).toBeGreaterThan(3);
    const kernel = `globalThis.stage = { async start(h) {
      const { monitor } = h.ports;
      for (const [name, count] of ${JSON.stringify(early)}) {
        const args = Array.from({ length: count }, () => new Uint8Array(32));
        h.log('early ' + name + ': ' + await monitor.call(name, ...args).then(() => 'answered', (e) => e.code));
      }
      await monitor.call('watchdogKick', 600000);
    } };`;
    const device = makeDevice(manufactureBits(await makeRelease({ kernel })));
    await device.board.powerOn();
    const log = device.board.bootLog.filter((line) => line.includes('early'));
    expect(log).toEqual(early.map(([name]) => `[KERNEL] early ${String(name)}: NotRunning`));
    await device.board.powerOff();
  });
});
