import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  buildOsRelease,
  createVirtualClock,
  runOnVirtualTime,
  type OsRelease,
  type VirtualClock,
  type VirtualDevice,
} from '@sevenfold/device';
import {
  APPLICATION_RUNTIME_VERSION,
  encodeDeviceCapability,
  encodeSign1,
  IMAGE_TYPES,
  imageUse,
  packAppManifest,
  SYSTEM_IMAGE_TYPES,
} from '@sevenfold/formats';
import { buildApps, newApp, packImage, type BuiltApp } from '@sevenfold/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { developerKey, type DeveloperKey } from '../packages/cli/src/app/developer-key.ts';
import { TerminalBoard } from '../packages/cli/src/app/terminal-board.ts';
import { PinTrace } from '../packages/cli/src/app/pin-trace.ts';
import { makeLocalDevice } from '../packages/cli/src/app/local-device.ts';

const root = join(import.meta.dirname, '..');
const profile = mkdtempSync(join(tmpdir(), 'sevenfold-realtime-'));
/** The pair of the template `intercore`. */
const pair = join(profile, 'intercore');
const ECHO_IMAGE = '88888888-0000-4000-8000-000000000000';
/** GPIO 8: the echo's. */
const PIN = 8;

let key: DeveloperKey;
let release: OsRelease;
/** Says "ping", and says "fault 939524096": a store to the ADC, which the echo was not given. */
let talkers: readonly BuiltApp[];

beforeAll(async () => {
  key = await developerKey({ SEVENFOLD_PROFILE: profile });
  const uses = [
    ...SYSTEM_IMAGE_TYPES.map((type) => imageUse(IMAGE_TYPES[type])),
    imageUse(IMAGE_TYPES.Applications),
  ];
  release = await buildOsRelease({
    version: '26.11.0',
    root: key,
    platform: key,
    keystore: { version: 1, keys: [{ spki: key.spki, uses: [...uses, 'capability'] }] },
    certStore: {
      endpoints: [{ host: 'service.invalid', port: 443, serverName: 'service.invalid' }],
      tlsRoots: [Uint8Array.of(0x30, 0)],
    },
  });
  await newApp({ folder: pair, template: 'intercore', installation: root });
  talkers = await buildApps(
    [['ping'], ['fault 939524096']].map((cmdArgs) => ({
      sourceDir: pair,
      signer: key,
      manifestOverrides: { cmdArgs },
    })),
  );
}, 120_000);
afterAll(() => rmSync(profile, { recursive: true, force: true }));

/** The prebuilt echo of `packages/os/src/kernel/testdata` in place of the pair's own, which needs gcc. */
async function echoPackage(imageId: string): Promise<Uint8Array> {
  const source = readFileSync(join(pair, 'realtime/app_manifest.json'));
  const manifestBytes = packAppManifest(new Uint8Array(source), {
    hardware: null,
    runtimeVersion: APPLICATION_RUNTIME_VERSION,
  });
  const program = new Uint8Array(readFileSync(join(root, 'packages/os/src/kernel/testdata/echo.elf')));
  const files = [
    { path: '/app_manifest.json', bytes: manifestBytes },
    { path: '/bin/app', bytes: program, executable: true },
  ];
  return (await packImage({ manifestBytes, files }, { signer: key, imageId })).imagePackage;
}

/** A virtual device of the everyday OS, on virtual time, with the echo beside a high-level app. */
async function boot(
  talker: BuiltApp | undefined,
): Promise<{ clock: VirtualClock; device: VirtualDevice; said: readonly string[] }> {
  const clock = createVirtualClock();
  const apps = [...(talker === undefined ? [] : [talker.imagePackage]), await echoPackage(ECHO_IMAGE)];
  const device = await makeLocalDevice({ release, apps, clock, hosts: {}, folder: profile });
  const said: string[] = [];
  new TerminalBoard({ write: (text) => said.push(text) > 0 }, device, []).listenToCores();
  await runOnVirtualTime(clock, device.boot());
  return { clock, device, said };
}

/** Lets the device take images from its developer. */
async function unlock(clock: VirtualClock, device: VirtualDevice): Promise<void> {
  const status = await runOnVirtualTime(clock, device.gateway.call('status'));
  const deviceId = String(Reflect.get(Object(status), 'deviceId'));
  const payload = encodeDeviceCapability({
    deviceId,
    capabilities: ['appDevelopment'],
    issuedAt: 1_800_000_000,
  });
  const file = encodeSign1({ algorithm: 'ES256', keyId: key.thumbprint, payload });
  const signed = file.finish(await key.sign(file.toBeSigned));
  await runOnVirtualTime(clock, device.gateway.call('setCapability', signed));
}

/** A value change dump as a viewer reads it: names of signals, and their changes by name in order of time. */
function readDump(text: string): {
  readonly changes: ReadonlyMap<string, readonly [time: number, level: string][]>;
} {
  const [header = '', body = ''] = text.split('$enddefinitions $end');
  expect(header).toMatch(/\$timescale 1 ns \$end/);
  const names = new Map(
    [...header.matchAll(/\$var wire 1 (\S+) (\S+) \$end/g)].map(([, code = '', name = '']) => [code, name]),
  );
  const changes = new Map([...names.values()].map((name): [string, [number, string][]] => [name, []]));
  let time = 0;
  let isInitial = false;
  for (const line of body.split('\n').filter((each) => each !== '')) {
    if (line.startsWith('$')) isInitial = line === '$dumpvars';
    else if (line.startsWith('#')) {
      expect(Number(line.slice(1))).toBeGreaterThanOrEqual(time);
      time = Number(line.slice(1));
    } else if (!isInitial) {
      const found = changes.get(names.get(line.slice(1)) ?? '');
      expect(found, line).toBeDefined();
      found?.push([time, line.charAt(0)]);
    }
  }
  return { changes };
}

describe('a real-time app beside a high-level one', () => {
  it('is started first, answers its messages, and drives the pin that its manifest names', async () => {
    const { clock, device, said } = await boot(talkers[0]);
    const trace = new PinTrace('a pair', device, [
      { name: 'echo', pin: PIN },
      { name: 'never', pin: 9 },
    ]);
    const times: number[] = [];
    device.onPin(PIN, (_level, time) => times.push(time));
    await clock.advance(3500);
    const log = device.bootLog.join('\n');
    expect(log).toContain('app intercore-realtime (88888888) started on core 0');
    expect(said).toEqual(['echo is here\n']);
    expect(log.match(/app intercore: heard ping/g)?.length, log).toBe(3);
    expect(device.pinLevel(PIN)).toBe(1);
    await clock.advance(1000);
    expect(device.pinLevel(PIN)).toBe(0);
    const { changes } = readDump(String(trace));
    expect(changes.get('never')).toEqual([]);
    const edges = changes.get('echo') ?? [];
    expect(edges.map(([, level]) => level)).toEqual(['1', '0', '1', '0']);
    // A message a second; the core answers within a few of its instructions, not on the board's next millisecond.
    for (const [index, [time]] of edges.entries()) expect(Math.abs(time - index * 1e9)).toBeLessThan(3e6);
    expect(
      times.every((time) => time % 1 !== 0),
      String(times),
    ).toBe(true);
    await device.close();
  });

  it('is updated while the other goes on, whose socket is back when it is', async () => {
    const { clock, device } = await boot(talkers[0]);
    await unlock(clock, device);
    await clock.advance(1500);
    await runOnVirtualTime(
      clock,
      device.gateway.call('sideload', await echoPackage('99999999-0000-4000-8000-000000000000')),
    );
    await clock.advance(2000);
    const log = device.bootLog.join('\n');
    expect(log).toContain('app intercore-realtime (99999999) started on core 0');
    expect(log).toContain('app intercore: the other core is lost');
    expect(log.slice(log.indexOf('(99999999)'))).toContain('app intercore: heard ping');
    expect(log).not.toContain('app intercore exited');
    await device.close();
  });

  it('that fails is reported and started again, and its partner is told', async () => {
    const { clock, device } = await boot(talkers[1]);
    await clock.advance(4500);
    const log = device.bootLog.join('\n');
    expect(log).toContain('app intercore-realtime trapped: bus fault at 0x38000000');
    expect(log).toContain('app intercore: the other core is lost');
    expect(log.match(/app intercore-realtime \(88888888\) started/g)?.length ?? 0, log).toBeGreaterThan(1);
    expect(await runOnVirtualTime(clock, device.gateway.call('status'))).toMatchObject({ queuedReports: 1 });
    await device.close();
  });
});
