import {
  CHIP_SKUS,
  type ChipSkuName,
  decodeErrorReport,
  encodeCertStore,
  IMAGE_TYPES,
  RUN_RULES,
  type ErrorReport,
  type Port,
  type PortHandler,
  type PortValue,
  type StageHandle,
} from '@sevenfold/formats';
import {
  deliverInterrupts,
  fitParts,
  insecureSeededEntropy,
  memoryFlash,
  memoryFuses,
  normalWorldHardware,
  openChip,
  realTimeCoreCalls,
  type BoardDescription,
  type PartModel,
} from '@sevenfold/silicon';
import { copyArguments, copyPlainData } from '../../board/plain-data.ts';
import { Cores } from '../../monitor/cores.ts';
import { start as startCompartment } from '../compartment/main.ts';
import { start as startKernel } from '../main.ts';
import { COMPONENT, packApp, type TestApp } from './test-app.ts';
import { TestClock } from './test-clock.ts';

/** The other end of an app's TLS connection. */
export interface TestServer {
  /** What the app was connected with. */
  readonly target: { readonly [key: string]: PortValue };
  /** Bytes that the app wrote so far. */
  received: Uint8Array[];
  /** Sends to the app; an empty array ends the stream. */
  send(bytes: Uint8Array): void;
  isClosed: boolean;
}

/** What a test's device is like. */
export interface WorldOptions {
  readonly apps?: readonly TestApp[];
  readonly resetReason?: string;
  readonly chipSku?: ChipSkuName;
  /** What hangs on the chip. */
  readonly board?: BoardDescription;
  /** Refuses connections with this code. */
  readonly networkError?: string;
  /** Told of each new connection. */
  readonly onConnect?: (server: TestServer) => void;
  /** Answers what the hardware here does not know: names and sockets. */
  readonly network?: { handle(method: string, args: readonly PortValue[]): Promise<PortValue> };
  /** TLS as well is that of `network`. */
  readonly hasRealTls?: boolean;
  /** How the two programs are started; absent: as plain functions of this realm. */
  readonly startKernel?: (handle: StageHandle) => Promise<void>;
  readonly startCompartment?: (handle: StageHandle) => Promise<void>;
  /** Called on every method of the monitor; what it throws is the monitor's refusal. */
  readonly monitorFault?: (method: string) => void;
  /** Called on every method of the hardware; what it gives is waited for before the answer. */
  readonly hardwareDelay?: (method: string) => Promise<void> | undefined;
}

/** A block of pins that the firewall keeps from the normal world of the chip under test: GPIO 66 to 70. */
const FOREIGN_BLOCK = 'isu3';
export const DEVICE_ID = 'd'.repeat(64);
export const TLS_ROOT = Uint8Array.of(1, 2, 3);

const textOf = (value: PortValue | undefined): string => (typeof value === 'string' ? value : '');

function refusal(code: string): Error {
  return Object.assign(new Error(`refused: ${code}`), { code });
}

/** The kernel itself, over a monitor and hardware that keep everything in memory, on virtual time. */
export class KernelWorld {
  readonly clock = new TestClock();
  readonly log: string[] = [];
  readonly pinChanges: { readonly pin: number; readonly level: number; readonly time: number }[] = [];
  /** Peripherals are those of a real chip, behind its firewall as it stands on a running device. */
  readonly chip = openChip({
    flash: memoryFlash(),
    fuses: memoryFuses(),
    entropy: insecureSeededEntropy('kernel world'),
  });
  /** What hangs on the chip, by name. */
  readonly parts: ReadonlyMap<string, PartModel>;
  readonly #bus: PortHandler;
  /** The monitor's own part that starts real-time cores. */
  readonly #cores: Cores;
  readonly servers: TestServer[] = [];
  readonly records = new Map<number, Uint8Array>();
  readonly mutable = new Map<string, Uint8Array>();
  readonly stopped: number[] = [];
  readonly monitorCalls: string[] = [];
  readonly #packages = new Map<string, Uint8Array>();
  readonly #running = new Map<number, { isStopped: boolean }>();
  readonly #options: WorldOptions;
  #handler: PortHandler | null = null;
  #nextRecord = 1;
  #entropy = 0;

  private constructor(options: WorldOptions) {
    this.#options = options;
    this.chip.attachCrystal(this.clock);
    this.chip.bus.firewall.configure(RUN_RULES.filter(({ region }) => region !== FOREIGN_BLOCK));
    this.chip.pins.onChange((pin, level) => {
      this.pinChanges.push({ pin, level, time: this.clock.monotonic() });
    });
    this.parts = fitParts(this.chip, options.board ?? { name: 'bare', parts: [] }, this.clock);
    this.#bus = normalWorldHardware(this.chip, {
      clock: this.clock,
      network: () => Promise.reject(refusal('NoNetwork')),
      setTime: () => undefined,
      startStage: () => Promise.resolve(),
      startCompartment: () => Promise.resolve(),
      compartmentCpuTime: () => Promise.resolve(null),
      stopCompartment: () => Promise.resolve(),
    });
    const secure = realTimeCoreCalls(this.chip);
    this.#cores = new Cores(
      {
        call: async (method, ...args) =>
          copyPlainData(await secure[method as keyof typeof secure](copyArguments(args), 'monitor')),
      },
      { loadApplication: (componentId) => Promise.resolve(this.#package(componentId)) },
      false,
    );
    deliverInterrupts(
      this.chip,
      this.clock,
      async (lines) => void (await this.callAs('hardware', 'interrupt', [...lines])),
    );
    for (const app of options.apps ?? []) this.install(app);
  }

  /** A device that has booted its kernel and has the apps installed. */
  static async boot(options: WorldOptions = {}): Promise<KernelWorld> {
    const world = new KernelWorld(options);
    await (options.startKernel ?? startKernel)({
      clock: world.clock,
      log: (line) => void world.log.push(line),
      ports: {
        monitor: world.#port((...call) => world.#monitor(...call)),
        hardware: world.#port(async (method, args) => {
          const answer = await world.#hardware(method, args);
          await options.hardwareDelay?.(method);
          return answer;
        }),
      },
      serve: (handler) => {
        world.#handler = handler;
      },
    });
    await world.clock.advance(0);
    return world;
  }

  /** Puts an image into flash; the kernel learns of it by `appInstalled`. */
  install(app: TestApp): void {
    this.installPackage(app.componentId ?? COMPONENT, packApp(app));
  }

  installPackage(componentId: string, bytes: Uint8Array): void {
    this.#packages.set(componentId, bytes);
  }

  /** Calls the kernel as somebody. */
  async callAs(caller: string, method: string, ...args: readonly PortValue[]): Promise<PortValue> {
    if (this.#handler === null) throw new Error('The kernel does not serve.');
    return copyPlainData(await this.#handler(caller, method, copyArguments(args)));
  }

  services(method: string, ...args: readonly PortValue[]): Promise<PortValue> {
    return this.callAs('services', method, ...args);
  }

  /** Pins that are outputs now. */
  get outputs(): readonly number[] {
    return this.chip.pins.units.flatMap(({ block, enabled }) =>
      block.pins.filter((_pin, index) => (enabled & (2 ** index)) !== 0),
    );
  }

  /** The reports in flash, oldest first. */
  get reports(): readonly ErrorReport[] {
    return [...this.records.values()].map(decodeErrorReport);
  }

  get runningCompartments(): number {
    return this.#running.size;
  }

  #port(answer: (method: string, args: readonly PortValue[]) => PortValue | Promise<PortValue>): Port {
    return {
      call: async (method, ...args) => copyPlainData(await answer(method, copyArguments(args))),
    };
  }

  #monitor(method: string, args: readonly PortValue[]): PortValue | Promise<PortValue> {
    this.monitorCalls.push(method);
    this.#options.monitorFault?.(method);
    const [first, second] = args;
    switch (method) {
      case 'bootInfo':
        return {
          resetReason: this.#options.resetReason ?? 'power-on',
          stages: [{ imageType: IMAGE_TYPES.NormalWorldKernel, name: 'kernel 26.11.0' }],
        };
      case 'identity':
        return { deviceId: DEVICE_ID, chipSku: CHIP_SKUS[this.#options.chipSku ?? 'SF-V1'] };
      case 'loadFile':
        if (first !== 'certStore') return new Uint8Array(1);
        return encodeCertStore({
          endpoints: [{ host: 'service.test', port: 443, serverName: 'service.test' }],
          tlsRoots: [TLS_ROOT],
        });
      case 'loadServices':
        return new Uint8Array(1);
      case 'listImages':
        return [...this.#packages.keys()].map((componentId) => ({
          imageType: IMAGE_TYPES.Applications,
          componentId,
          state: 'active',
        }));
      case 'loadApplication':
        return this.#package(textOf(first));
      case 'realTimeApp':
        return this.#cores[second as 'start' | 'stop' | 'status'](textOf(first));
      case 'recordAppend':
        this.records.set(this.#nextRecord, first as Uint8Array);
        return this.#nextRecord++;
      case 'recordList':
        return [...this.records].map(([id, record]) => ({ id, record })).slice(0, Number(first));
      case 'recordRemove':
        for (const id of first as readonly number[]) this.records.delete(id);
        return null;
      case 'mutableRead':
        return this.mutable.get(textOf(first)) ?? null;
      case 'mutableWrite':
        if (second === null) return this.mutable.delete(textOf(first));
        this.mutable.set(textOf(first), second as Uint8Array);
        return null;
      case 'random':
        return Uint8Array.from({ length: Number(first) }, () => (this.#entropy++ * 41) & 0xff);
      case 'watchdogKick':
        return null;
      default:
        return { passed: method };
    }
  }

  #package(componentId: string): Uint8Array {
    const found = this.#packages.get(componentId);
    if (found === undefined) throw refusal('NoSuchImage');
    return found;
  }

  #hardware(method: string, args: readonly PortValue[]): PortValue | Promise<PortValue> {
    const [first, second, third, fourth] = args;
    switch (method) {
      case 'compartmentCpuTime':
        return null;
      case 'startStage':
      case 'setTime':
        return null;
      case 'startCompartment':
        return this.#start(Number(first), third as Uint8Array, fourth ?? null);
      case 'stopCompartment': {
        const running = this.#running.get(Number(first));
        if (running !== undefined) running.isStopped = true;
        this.#running.delete(Number(first));
        this.stopped.push(Number(first));
        return null;
      }
      case 'bus':
        return this.#bus('kernel', method, args);
      case 'resolveName':
        if (this.#options.network !== undefined) return this.#options.network.handle(method, args);
        return { addresses: [0x7f00_0001], ttl: 60 };
      case 'linkSet':
        if (this.#options.network !== undefined) return this.#options.network.handle(method, args);
        return { leadsTo: 'world' };
      case 'tlsConnect':
        if (this.#options.hasRealTls === true) break;
        return this.#connect(first as TestServer['target']);
    }
    const { network, hasRealTls } = this.#options;
    if (network !== undefined && (hasRealTls === true || !method.startsWith('tls')))
      return network.handle(method, args);
    return this.#tls(method, Number(first), second);
  }

  async #start(id: number, module: Uint8Array, options: PortValue): Promise<null> {
    const running = { isStopped: false };
    this.#running.set(id, running);
    const never = new Promise<never>(() => undefined);
    // As in a realm that was stopped: nothing that it does reaches the outside, nothing that it waits for happens.
    const reach = <T>(work: () => Promise<T>): Promise<T> =>
      running.isStopped
        ? never
        : work().then(
            (value) => (running.isStopped ? never : value),
            (error: unknown) => {
              if (running.isStopped) return never;
              throw error;
            },
          );
    await (this.#options.startCompartment ?? startCompartment)({
      clock: {
        now: () => this.clock.now(),
        monotonic: () => this.clock.monotonic(),
        sleep: (milliseconds) => reach(() => this.clock.sleep(milliseconds)),
      },
      log: (line) => void this.log.push(line),
      ports: {
        kernel: { call: (method, ...args) => reach(() => this.callAs(`compartment:${id}`, method, ...args)) },
        hardware: this.#port(() => ({ module, options })),
      },
      serve: () => undefined,
    });
    return null;
  }

  #connect(target: TestServer['target']): number {
    if (this.#options.networkError !== undefined) throw refusal(this.#options.networkError);
    const queue: Uint8Array[] = [];
    const waiting: ((bytes: Uint8Array) => void)[] = [];
    const server: TestServer & { read(): Promise<Uint8Array> } = {
      target,
      received: [],
      isClosed: false,
      send(bytes) {
        const reader = waiting.shift();
        if (reader === undefined) queue.push(bytes);
        else reader(bytes);
      },
      read() {
        const bytes = queue.shift();
        return bytes === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(bytes);
      },
    };
    this.servers.push(server);
    this.#reads.push(() => server.read());
    this.#options.onConnect?.(server);
    return this.servers.length;
  }

  readonly #reads: (() => Promise<Uint8Array>)[] = [];

  #tls(method: string, connection: number, bytes: PortValue | undefined): PortValue | Promise<PortValue> {
    const server = this.servers[connection - 1];
    if (server === undefined) throw refusal('NoSuchSession');
    if (method === 'tlsRead') return this.#reads[connection - 1]?.() ?? new Uint8Array(0);
    if (method === 'tlsProtocol') return '';
    if (method === 'tlsWrite') {
      server.received.push(bytes as Uint8Array);
      return null;
    }
    if (method === 'tlsClose') {
      server.isClosed = true;
      return null;
    }
    throw refusal('UnknownCall');
  }
}
