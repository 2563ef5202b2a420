import { describe, expect, it } from 'vitest';
import {
  FLASH_MAP,
  IMAGE_TYPES,
  KERNEL_HARDWARE_CALLS,
  MONITOR_CALLS,
  SYSTEM_IMAGE_TYPES,
  parseImagePackage,
  toHex,
  nameOf,
  type CallTable,
  type PortValue,
} from '@sevenfold/formats';
import { FUSE_FIELDS, type Chip } from '@sevenfold/silicon';
import { NETWORK_CALLS } from './network.ts';
import { makeDevice, manufactureBits, type ChipBits, type TestDevice } from './testing/device.fixture.ts';
import { APP_COMPONENT, makeApp, makeRelease, makeSystemImage, sha256 } from './testing/release.fixture.ts';

/** Calls of the hostile kernel: enough by default to find what is coarse, a million at depth. */
const CALLS = Number(process.env['SEVENFOLD_DEPTH'] ?? 0) > 0 ? 1_000_000 : 6000;
const AT_A_TIME = 20;

const COMPONENTS = [APP_COMPONENT, '99999999-2222-4333-8444-555555555555'];

/** A call that is made, and what it is to be noted as if it is answered. */
interface Attempt {
  readonly method: string;
  readonly args: readonly PortValue[];
  readonly onAnswer: (answer: PortValue) => void;
  readonly onRefusal?: () => void;
}

/** What a device has been granted to hold, by the calls that it answered. */
class Granted {
  readonly records = new Map<number, string>();
  readonly mutable = new Map<string, string>();
  /** The highest value that was told of each counter. */
  readonly counters = new Map<string, number>();

  note(method: string, args: readonly PortValue[], answer: PortValue): void {
    const [first, second] = args;
    switch (method) {
      case 'recordAppend':
        this.records.set(Number(answer), toHex(first as Uint8Array));
        break;
      case 'mutableWrite':
        if (second === null) this.mutable.delete(first as string);
        else this.mutable.set(first as string, toHex(second as Uint8Array));
        break;
      case 'counter': {
        // A value that was told is never followed by a lower one.
        expect(Number(answer)).toBeGreaterThanOrEqual(this.counters.get(first as string) ?? 0);
        this.counters.set(first as string, Number(answer));
        break;
      }
      default:
    }
  }
}

/** Every secret and every boundary of the trusted base that no call may move. */
interface TrustedState {
  readonly fuses: string;
  readonly firewall: PortValue;
  readonly measurements: PortValue;
  readonly trustedFlash: string;
}

function trustedStateOf({ fuses }: ChipBits, { bus, pluton, flash }: Chip): TrustedState {
  // What runs, and both copies of what is never staged here: of the rest, the other slot is for staging.
  const regions = SYSTEM_IMAGE_TYPES.flatMap((type) => {
    const { A, B } = FLASH_MAP.system[type];
    return type === 'NormalWorldKernel' ? [A] : [A, B];
  });
  const { offset, length } = FUSE_FIELDS.stateEpoch;
  const bits = fuses.read();
  // The first count of a device begins the first epoch of Pluton's counters; nothing that is called here another one.
  expect(toHex(bits.subarray(offset, offset + length))).toMatch(/^0[01]0*$/);
  return {
    fuses: toHex(bits.fill(0, offset, offset + length)),
    firewall: [bus.firewall.isLocked, bus.firewall.rules.map((rule) => ({ ...rule }))],
    measurements: pluton.measurements.map((entry) => ({ ...entry })),
    trustedFlash: regions.map(({ offset, length }) => toHex(sha256(flash.read(offset, length)))).join(),
  };
}

/** Makes calls from a seed: junk for everything, and between that, honest steps that bring the device into motion. */
function attempts(apps: readonly Uint8Array[], kernel: Uint8Array): (granted: Granted) => Attempt {
  let state = 1;
  const below = (count: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >> 8) % count;
  };
  const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const describeImage = (bytes: Uint8Array, digest = sha256(bytes)): PortValue => {
    const { imageType, componentId, imageId } = parseImagePackage(bytes).fields;
    return { imageType, componentId, imageId, size: bytes.length, digest };
  };
  const [app = kernel] = apps;
  const scalars = [0, 1, 2, 3, 7, 4096, 65_536, -1, 1.5, Number.NaN, 2n, true, null, '', 'plan', 'services'];
  const shapes = [[], [0], [1, 2], [[]], {}, { imageType: 10 }];
  const lengths = [0, 16, 20, 32, 64, 65_000, 70_000];
  const parts = [app, app.subarray(0, 300), kernel.subarray(0, 65_536)];
  const junk: readonly PortValue[] = [
    ...scalars,
    ...shapes,
    ...COMPONENTS,
    ...lengths.map((length) => new Uint8Array(length).fill(length)),
    ...parts,
    describeImage(app, new Uint8Array(32)),
    describeImage(kernel, new Uint8Array(32)),
    { ...(describeImage(kernel) as object), imageType: IMAGE_TYPES.TrustedKeystore },
    { ...(describeImage(app) as object), size: 0xffffffff },
  ];
  // Restarts would end the run; networks are the board's and not the trusted base's.
  const hardware: CallTable = KERNEL_HARDWARE_CALLS;
  const network = new Set<string>(NETWORK_CALLS.filter((name) => name !== 'setTime'));
  /** What an argument of this name could be: junk alone would be stopped at the door. */
  const fitting = (argument: string): PortValue => {
    const name = /^\w+/.exec(argument)?.[0] ?? '';
    switch (name) {
      case 'componentId':
        return pick(COMPONENTS);
      case 'stagingId':
      case 'keyId':
      case 'id':
        return below(40);
      case 'stagingIds':
      case 'ids':
        return [below(40)];
      case 'removeComponentIds':
        return below(8) === 0 ? [pick(COMPONENTS)] : [];
      case 'offset':
      case 'most':
      case 'length':
      case 'milliseconds':
        return pick([1, 32, 200, 4096, 600_000]);
      case 'challenge':
        return new Uint8Array(32);
      case 'policy':
        return pick(['measured', 'authorised']);
      case 'name':
        return pick(['kernel', 'services', 'monitor']);
      case 'increment':
        return below(2) === 0;
      case 'use':
        return 'plan';
      case 'label':
        return 'x';
      default:
        return /bytes|message|box|record/.test(argument)
          ? new Uint8Array(below(8) === 0 ? 9000 : below(300)).fill(below(256))
          : pick(junk);
    }
  };
  const tables: readonly (readonly [prefix: string, name: string, args: readonly string[]])[] = [
    ...Object.entries(MONITOR_CALLS as CallTable)
      .filter(([name]) => name !== 'restart')
      .map(([name, { args }]) => ['', name, args.map(nameOf)] as const),
    ...Object.entries(hardware)
      .filter(([name]) => !network.has(name) && name !== 'startCompartment')
      .map(([name, { args }]) => ['hw.', name, args.map(nameOf)] as const),
    ['', 'programFlash', ['offset', 'bytes']],
    ['', 'constructor', []],
    ['hw.', 'configureFirewall', ['rules']],
    ['hw.', 'readFlash', ['offset', 'length']],
  ];
  /** An image that is being staged honestly, step by step; in between come the other calls. */
  let staging: { readonly id: number; readonly bytes: Uint8Array; readonly at: number } | 'asked' | null =
    null;
  const honest = (): Omit<Attempt, 'onAnswer'> & Partial<Attempt> => {
    if (staging === 'asked') return { method: 'listImages', args: [] };
    if (staging === null) {
      const bytes = pick(apps);
      staging = 'asked';
      return {
        method: 'stageBegin',
        args: [describeImage(bytes)],
        onAnswer(answer) {
          const { stagingId, written } = answer as { stagingId: number; written: number };
          staging = { id: stagingId, bytes, at: written };
        },
        onRefusal() {
          staging = null;
        },
      };
    }
    const { id, bytes, at } = staging;
    // Now and then it is in a hurry.
    const isHurried = below(16) === 0;
    if (at < bytes.length && !isHurried) {
      const part = bytes.subarray(at, at + 4096);
      staging = { id, bytes, at: at + part.length };
      return { method: 'stageWrite', args: [id, at, part] };
    }
    if (at === bytes.length && !isHurried) {
      staging = { id, bytes, at: at + 1 };
      return { method: 'stageFinish', args: [id] };
    }
    staging = null;
    return { method: 'commit', args: [[id], []] };
  };
  return (granted) => {
    const isHonest = below(4) === 0;
    const [prefix, name, names] = pick(tables);
    const given = below(20) === 0 ? [...names, 'one more'] : names;
    const step = isHonest
      ? honest()
      : {
          method: `${prefix}${name}`,
          args: given.map((each) => (below(5) === 0 ? pick(junk) : fitting(each))),
        };
    return {
      ...step,
      onAnswer(answer) {
        granted.note(step.method, step.args, answer);
        if ('onAnswer' in step) step.onAnswer?.(answer);
      },
    };
  };
}

/** Every byte string in a reply. */
function bytesIn(value: PortValue): readonly Uint8Array[] {
  if (value instanceof Uint8Array) return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap((part: PortValue) => bytesIn(part));
}

async function holdsWhatWasGranted(
  { call }: TestDevice,
  granted: Granted,
  apps: readonly Uint8Array[],
): Promise<void> {
  for (const component of COMPONENTS) {
    const kept = await call('mutableRead', component);
    expect(kept === null ? undefined : toHex(kept as Uint8Array)).toBe(granted.mutable.get(component));
  }
  // The oldest may have made room, but nothing is there that was not appended, and nothing was changed.
  for (const { id, record } of (await call('recordList', 1000)) as readonly {
    id: number;
    record: Uint8Array;
  }[])
    expect(toHex(record)).toBe(granted.records.get(id));
  const digests = new Set(apps.map((bytes) => toHex(sha256(bytes))));
  for (const { imageType, componentId, digest, name, state } of (await call('listImages')) as readonly {
    imageType: number;
    componentId: string;
    digest: Uint8Array;
    name: string;
    state: string;
  }[]) {
    if (state !== 'active') continue;
    if (imageType === IMAGE_TYPES.Applications) {
      expect(digests).toContain(toHex(digest));
      // What was committed was whole.
      expect(toHex(sha256((await call('loadApplication', componentId)) as Uint8Array))).toBe(toHex(digest));
    } else expect(name).toMatch(/ 1\.0\.0$/);
  }
}

describe('the trusted base, called by a hostile kernel', () => {
  it('stays what it was under anything in any order, many at a time', async () => {
    const bits = manufactureBits(await makeRelease());
    const device = makeDevice(bits);
    const { chip, board } = device;
    await board.powerOn();
    // Many builds of two apps, so that slots are written anew again and again.
    const apps = Array.from({ length: 24 }, (_, build) =>
      makeApp(`build ${build}`, 5000 + build, { componentId: COMPONENTS[build % 2] ?? '' }),
    );
    const next = attempts(apps, await makeSystemImage('NormalWorldKernel', { version: '2.0.0' }));
    const granted = new Granted();
    const before = trustedStateOf(bits, chip);
    const secret = Buffer.from(chip.fuses.identitySeed ?? []);
    expect(secret.length).toBe(32);
    const outcomes = new Map<string, number>();
    const count = (outcome: string): void => void outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    for (let done = 0; done < CALLS; done += AT_A_TIME) {
      await Promise.all(
        Array.from({ length: AT_A_TIME }, async () => {
          const { method, args, onAnswer, onRefusal } = next(granted);
          try {
            const answer = await device.call(method, ...args);
            count('answered');
            onAnswer(answer);
            for (const bytes of bytesIn(answer))
              expect(Buffer.from(bytes).includes(secret), method).toBe(false);
          } catch (error) {
            const code = error instanceof Error && 'code' in error ? String(error.code) : 'thrown';
            count(code);
            onRefusal?.();
            expect(code, `${method}: ${String(error)}`).not.toMatch(/^(Internal|HardwareFault|thrown)$/);
          }
        }),
      );
      if (done % 200 === 0) await holdsWhatWasGranted(device, granted, apps);
      if (done % 2000 === 0) expect(trustedStateOf(bits, chip)).toEqual(before);
    }
    console.log(
      `hostile kernel: ${CALLS} calls, ${outcomes.get('answered')} answered, the others refused with ${outcomes.size - 1} codes`,
    );
    expect(board.state).toBe('running');
    expect(trustedStateOf(bits, chip)).toEqual(before);
    await holdsWhatWasGranted(device, granted, apps);
    await board.powerOff();
    // And after a reset everything confirmed is still there, and the same OS runs.
    expect(await board.powerOn()).toMatchObject({ kind: 'running', config: 'current' });
    await holdsWhatWasGranted(device, granted, apps);
    expect(trustedStateOf(bits, chip)).toEqual(before);
    await board.powerOff();
  }, 3_000_000);
});
