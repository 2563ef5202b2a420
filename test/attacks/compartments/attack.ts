import type { PortValue } from '@sevenfold/formats';
import { expect } from 'vitest';
import { KernelWorld, type WorldOptions } from '../../../packages/os/src/kernel/testing/kernel-world.ts';
import { imported, scriptModule, type Step } from '../../../packages/os/src/kernel/testing/test-app.ts';
import { buildModule, op } from '../../../packages/os/src/kernel/testing/wasm-builder.ts';

/** The component of whoever attacks; its neighbour is another one. */
export const OFFENDER = 'eeeeeeee-bbbb-4ccc-8ddd-eeeeeeeeeeee';
const NEIGHBOUR = 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee';
const PIN = 12;
const PERIOD = 100;
const VECTOR = 512;

/** One call of an attacker. */
export const step = (module: Step['call'][0], name: string, ...args: Step['args']): Step => ({
  call: [module, name],
  args,
});

/** Waits for ever. */
const WAIT: readonly Step[] = [
  step('sevenfold', 'epoll_create', 1024),
  step('sevenfold', 'epoll_wait', 'loaded', 600, 1, -1, 700),
];
/** An app that is up and does nothing. */
export const idleModule = (): Uint8Array => scriptModule(WAIT);

/** Drives a pin high and low, a hundred milliseconds each, for ever. */
function neighbourModule(): Uint8Array {
  const imports = [
    imported('sevenfold', 'gpio_open'),
    imported('sevenfold', 'gpio_set'),
    imported('sevenfold', 'timer_create'),
    imported('sevenfold', 'timer_set'),
    imported('wasi_snapshot_preview1', 'fd_read'),
  ];
  const call = (index: number, ...args: readonly (number | bigint)[]): number[] => [
    ...args.flatMap((value) => (typeof value === 'bigint' ? op.i64(value) : op.i32(value))),
    ...op.call(index),
    ...op.drop,
  ];
  const period = BigInt(PERIOD) * 1_000_000n;
  // Descriptors 0 to 3 are there already: the pin is 4, the timer 5.
  const tick = (level: number): number[] => [...call(4, 5, VECTOR, 1, 600), ...call(1, 4, level)];
  return buildModule({
    imports,
    start: [
      ...call(0, PIN, 1, 0, 0, 1024),
      ...call(2, 1, 0, 1028),
      ...call(3, 5, 0, period, period),
      ...op.loop([...tick(1), ...tick(0)]),
    ],
    data: [{ offset: VECTOR, bytes: Uint8Array.of(64, 0, 0, 0, 8, 0, 0, 0) }],
  });
}

/** A device under attack, and the app beside the attacker. */
export interface AttackedDevice {
  readonly world: KernelWorld;
  /** Installs the attacker; rejects if it is refused. */
  attack(module: Uint8Array, capabilities?: Readonly<Record<string, unknown>>): Promise<void>;
  /** The call of an attacker whose program in its compartment has been taken over as well. */
  call(method: string, ...args: readonly PortValue[]): Promise<PortValue>;
  /** The kernel answers, and the neighbour has missed no tick and was never started anew. */
  expectUntouched(): Promise<void>;
  /** The traps and refusals of the attacker that were reported, oldest first. */
  readonly reported: readonly string[];
}

/** Boots one. */
export async function attackedDevice(options: WorldOptions = {}): Promise<AttackedDevice> {
  const world = await KernelWorld.boot({
    ...options,
    apps: [{ module: neighbourModule(), componentId: NEIGHBOUR, capabilities: { Gpio: [PIN] } }],
  });
  const begun = world.clock.monotonic();
  return {
    world,
    async attack(module, capabilities = {}) {
      world.install({ module, componentId: OFFENDER, capabilities });
      const installing = { isDone: false, refusal: null as unknown };
      void world
        .services('appInstalled', OFFENDER)
        .catch((refusal: unknown) => (installing.refusal = refusal))
        .then(() => (installing.isDone = true));
      // An earlier attacker that handles SIGTERM has half a second to go.
      await world.clock.advance(0);
      while (!installing.isDone) await world.clock.advance(100);
      if (installing.refusal !== null) throw installing.refusal;
    },
    call: (method, ...args) => world.callAs('compartment:2', method, ...args),
    async expectUntouched() {
      const ticks = Math.floor((world.clock.monotonic() - begun) / PERIOD);
      expect(world.pinChanges.filter(({ pin }) => pin === PIN).map(({ time }) => time - begun)).toEqual(
        Array.from({ length: ticks }, (_, index) => (index + 1) * PERIOD),
      );
      const apps = (await world.services('appList')) as readonly Readonly<Record<string, PortValue>>[];
      expect(apps.find(({ componentId }) => componentId === NEIGHBOUR)).toMatchObject({
        state: 'running',
        restarts: 0,
      });
      expect(world.reports.filter(({ componentId }) => componentId === NEIGHBOUR)).toEqual([]);
    },
    get reported() {
      return world.reports
        .filter(({ componentId }) => componentId === OFFENDER)
        .map(({ trap, exitCode }) => trap ?? `exit ${exitCode}`);
    },
  };
}
