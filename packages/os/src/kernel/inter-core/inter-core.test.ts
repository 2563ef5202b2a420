import {
  BUS_REGIONS,
  INTERRUPT_LINES,
  MAILBOX_REGIONS,
  MAILBOX_REGISTERS,
  parseElf,
  parseGuid,
  registerAddress,
  RUN_RULES,
  utf8Encode,
} from '@sevenfold/formats';
import {
  insecureSeededEntropy,
  memoryFlash,
  memoryFuses,
  normalWorldHardware,
  openChip,
  prepareCoresHere,
  TICKS_PER_SECOND,
} from '@sevenfold/silicon';
import { describe, expect, it } from 'vitest';
import type { Compartment } from '../compartments.ts';
import { DriverBus } from '../drivers/bus.ts';
import { ECHO, ECHO_ELF } from '../testing/echo-app.ts';
import { COMPONENT } from '../testing/test-app.ts';
import { TestClock } from '../testing/test-clock.ts';
import { InterCore, type Partner } from './inter-core.ts';
import { MOST_MESSAGE, RING } from './ring.ts';

await prepareCoresHere();

const BASE = BUS_REGIONS.intercore0.offset;
const OTHER = '105180bc-402f-4cb3-a662-72937dbcde47';
const naming = (componentId: string, ...allowed: readonly string[]): Partner => ({
  componentId,
  capabilities: { allowedApplicationConnections: allowed.map((id) => parseGuid(id)) },
});
/** As much of a compartment as is asked about it here. */
const compartment = (componentId: string, ...allowed: readonly string[]): Compartment =>
  ({ application: naming(componentId, ...allowed) }) as unknown as Compartment;
const refused = (code: string): unknown => expect.objectContaining({ code });
/** A random sequence that is the same in every run. */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** A chip whose cores run the echo, and the kernel's end of both rings. */
class World {
  readonly chip = openChip({
    flash: memoryFlash(),
    fuses: memoryFuses(),
    entropy: insecureSeededEntropy('x'),
  });
  readonly interCore: InterCore;
  readonly log: string[] = [];

  constructor() {
    this.chip.bus.firewall.configure(RUN_RULES);
    const hardware = normalWorldHardware(this.chip, {
      clock: new TestClock(),
      network: () => Promise.reject(new Error('none')),
      setTime: () => undefined,
      startStage: () => Promise.resolve(),
      startCompartment: () => Promise.resolve(),
      compartmentCpuTime: () => Promise.resolve(null),
      stopCompartment: () => Promise.resolve(),
    });
    this.interCore = new InterCore(
      new DriverBus({ call: (method, ...args) => hardware('kernel', method, structuredClone(args)) }),
      (line) => void this.log.push(line),
    );
  }

  async start(index: number, componentId: string, ...allowed: readonly string[]): Promise<void> {
    const core = this.chip.realTimeCores[index];
    this.interCore.installed(naming(componentId, ...allowed));
    // The pin that the echo drives: where it cannot have it, it ends in a fault.
    const { firewall } = this.chip.bus;
    const master = index === 0 ? 'realtime0' : 'realtime1';
    this.chip.assignRegions(master, (firewall.ownerOf('gpio2') ?? master) === master ? ['gpio2'] : []);
    core?.clear();
    for (const { address, bytes } of parseElf(ECHO_ELF).segments) core?.load(address, bytes);
    core?.start();
    await this.interCore.started(componentId, index);
    await this.pass();
  }

  /** Lets the cores run, and the kernel come round for what they signal. */
  async pass(milliseconds = 10): Promise<void> {
    for (let ms = 0; ms < milliseconds; ms++) {
      this.chip.runRealTimeCores(TICKS_PER_SECOND / 1000);
      for (const [core, region] of MAILBOX_REGIONS.entries()) {
        if (!this.chip.interrupts.isHigh(INTERRUPT_LINES.mailbox + core)) continue;
        this.chip.bus.write('normal', registerAddress(region, MAILBOX_REGISTERS.CORE_EVENT), 1);
        await this.interCore.signalled(core);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Sends, lets it echo, and gives what comes back. */
  async echo(app: Compartment, id: number, payload: Uint8Array): Promise<Uint8Array> {
    const received = this.interCore.receive(app, id);
    received.catch(() => undefined);
    await this.interCore.send(app, id, payload);
    await this.pass(30);
    return received;
  }
}

async function connected(): Promise<{ world: World; app: Compartment; id: number }> {
  const world = new World();
  await world.start(0, ECHO, COMPONENT);
  const app = compartment(COMPONENT, ECHO);
  return { world, app, id: world.interCore.connect(app, ECHO) };
}

describe('messages between the cores', () => {
  it('go there and come back, whatever their size, round and round the ring', async () => {
    const { world, app, id } = await connected();
    for (const length of [0, 1, 8, 9, 1024, MOST_MESSAGE, 1000, 1001, 1002, 1003, 1004, 16, 1040]) {
      const payload = Uint8Array.from({ length }, (_, index) => index * 7 + length);
      expect(await world.echo(app, id, payload)).toEqual(payload);
    }
  });

  it('need both manifests to name each other, and an app that is there', async () => {
    const world = new World();
    await world.start(0, ECHO, COMPONENT);
    const { interCore } = world;
    expect(() => interCore.connect(compartment(COMPONENT), ECHO)).toThrow(refused('AccessDenied'));
    expect(() => interCore.connect(compartment(OTHER, ECHO), ECHO)).toThrow(refused('AccessDenied'));
    expect(() => interCore.connect(compartment(COMPONENT, OTHER), OTHER)).toThrow(
      refused('ConnectionRefused'),
    );
    const app = compartment(COMPONENT, ECHO);
    const id = interCore.connect(app, ECHO);
    expect(() => interCore.connect(app, ECHO)).toThrow(refused('DeviceBusy'));
    await expect(interCore.send(compartment(OTHER, ECHO), id, new Uint8Array(1))).rejects.toThrow(
      refused('NotOpen'),
    );
    await expect(interCore.send(app, id, new Uint8Array(MOST_MESSAGE + 1))).rejects.toThrow(
      refused('MessageTooLong'),
    );
    interCore.close(app, id);
    await expect(interCore.receive(app, id)).rejects.toThrow(refused('NotOpen'));
    interCore.connect(app, ECHO);
  });

  it('wait where nobody takes them, and none is lost or out of order', async () => {
    const { world, app, id } = await connected();
    // More than both rings and the kernel's queue hold: some sends wait.
    const count = 64;
    const sent = Array.from({ length: count }, (_, index) =>
      world.interCore.send(app, id, new Uint8Array(400).fill(index)),
    );
    const done = { sends: 0 };
    for (const send of sent) void send.then(() => (done.sends += 1));
    await world.pass(50);
    expect(done.sends).toBeLessThan(count);
    for (let index = 0; index < count; index++) {
      const received = world.interCore.receive(app, id);
      await world.pass(3);
      expect((await received)[0]).toBe(index);
    }
    await Promise.all(sent);
  });

  it('are lost with the core, and go on when it runs again', async () => {
    const { world, app, id } = await connected();
    const waiting = world.interCore.receive(app, id);
    waiting.catch(() => undefined);
    world.interCore.stopped(ECHO);
    await expect(waiting).rejects.toThrow(refused('ConnectionLost'));
    await expect(world.interCore.send(app, id, new Uint8Array(1))).rejects.toThrow(refused('ConnectionLost'));
    await world.start(0, ECHO, COMPONENT);
    expect(await world.echo(app, id, Uint8Array.of(5))).toEqual(Uint8Array.of(5));
  });

  it('reach nobody whom the app on the other core does not name, or who is not connected', async () => {
    const { world, app, id } = await connected();
    await world.interCore.send(app, id, Uint8Array.of(1));
    world.interCore.close(app, id);
    await world.pass();
    const again = world.interCore.connect(app, ECHO);
    expect(await world.echo(app, again, Uint8Array.of(2))).toEqual(Uint8Array.of(2));
  });
});

describe('a hostile app on the other core', () => {
  it.each(['4032', '8', '4294967280', '16'])(
    'that sets its write position to %s halts its own channel',
    async (position) => {
      const { world, app, id } = await connected();
      const waiting = world.interCore.receive(app, id);
      waiting.catch(() => undefined);
      await world.interCore.send(app, id, utf8Encode(`ring ${position}`));
      await world.pass();
      expect(world.log).toEqual([expect.stringContaining(`${ECHO} broke the ring`)]);
      await expect(waiting).rejects.toThrow(refused('ConnectionLost'));
      await expect(world.interCore.send(app, id, new Uint8Array(1))).rejects.toThrow(
        refused('ConnectionLost'),
      );
    },
  );

  it('that writes whatever it likes into the rings hurts neither the kernel nor the other core', async () => {
    const random = seeded(7);
    const world = new World();
    await world.start(1, OTHER, COMPONENT);
    const app = compartment(COMPONENT, ECHO, OTHER);
    const healthy = world.interCore.connect(app, OTHER);
    expect(await world.echo(app, healthy, Uint8Array.of(1))).toEqual(Uint8Array.of(1));
    const { bus } = world.chip;
    const outcomes = new Set<string>();
    const note = (error: unknown): void => void outcomes.add(String(Reflect.get(error as object, 'code')));
    await world.start(0, ECHO, COMPONENT);
    const id = world.interCore.connect(app, ECHO);
    const beyond = bus.readMemory('normal', BASE + 2 * RING.size, 4096);
    for (let round = 0; round < 400; round++) {
      // Half of the time positions of the header, else anything anywhere in both buffers; a core that was stopped writes none of its own.
      const at = random(2) === 0 ? random(2) * 4 : random(2 * RING.size - 4);
      const bytes = Uint8Array.from({ length: 4 }, () => [0, 0xff, 0x10, random(256)][random(4)] ?? 0);
      if (random(2) === 0) bytes.fill(0, 2);
      bus.writeMemory('realtime0', BASE + at, bytes);
      if (random(3) === 0) world.interCore.send(app, id, new Uint8Array(random(MOST_MESSAGE))).catch(note);
      if (random(3) === 0) world.interCore.receive(app, id).catch(note);
      await world.interCore.signalled(0);
      // Once halted, it starts again.
      if (round % 20 === 19) {
        world.interCore.stopped(ECHO);
        await world.interCore.started(ECHO, 0);
      }
    }
    world.interCore.stopped(ECHO);
    await world.pass(1);
    expect([...outcomes]).toEqual(['ConnectionLost']);
    expect(bus.readMemory('normal', BASE + 2 * RING.size, 4096)).toEqual(beyond);
    expect(await world.echo(app, healthy, Uint8Array.of(1, 2, 3))).toEqual(Uint8Array.of(1, 2, 3));
  });
});
