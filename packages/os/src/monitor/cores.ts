import { parseImagePackage, readCoreProgram, type Port, type PortValue } from '@sevenfold/formats';
import { MonitorError } from './errors.ts';
import type { Images } from './images.ts';
import { fieldsOf } from './ports.ts';

/** Real-time cores of the reference SKU. */
const CORES = [0, 1] as const;
type Core = (typeof CORES)[number];

/**
 * Starts and stops real-time apps. What runs on a core goes there from the verified image in flash, and what the
 * firewall opens to it is what the same image's manifest names: the kernel says which app, and when.
 */
export class Cores {
  readonly #hardware: Port;
  readonly #images: Pick<Images, 'loadApplication'>;
  readonly #isDebuggable: boolean;
  /** By core: the app that was started there last, and whether it still is. */
  readonly #apps = new Map<Core, { readonly componentId: string; isRunning: boolean }>();

  /** `isDebuggable`: whether debuggers may look at what is started (the capability `appDevelopment`). */
  constructor(hardware: Port, images: Pick<Images, 'loadApplication'>, isDebuggable: boolean) {
    this.#hardware = hardware;
    this.#images = images;
    this.#isDebuggable = isDebuggable;
  }

  /** (Re)starts an installed app; it may go on where it was before. Throws what its image is refused for. */
  async start(componentId: string): Promise<PortValue> {
    const { payload } = parseImagePackage(await this.#images.loadApplication(componentId));
    const { program, regions } = readCoreProgram(payload);
    const core = this.#coreFor(componentId);
    this.#apps.set(core, { componentId, isRunning: true });
    try {
      await this.#hardware.call(
        'loadCore',
        core,
        program.segments.map(({ address, bytes }) => ({ address, bytes })),
        this.#isDebuggable,
      );
      await this.#hardware.call('assignRegions', core, regions);
      await this.#hardware.call('startCore', core);
    } catch (error) {
      await this.#release(core);
      throw error;
    }
    return this.#status(core);
  }

  /** Ends an app, and closes the firewall to it. */
  async stop(componentId: string): Promise<PortValue> {
    const core = this.#coreOf(componentId);
    await this.#release(core);
    return this.#status(core);
  }

  status(componentId: string): Promise<PortValue> {
    return this.#status(this.#coreOf(componentId));
  }

  async #release(core: Core): Promise<void> {
    const app = this.#apps.get(core);
    if (app !== undefined) app.isRunning = false;
    await this.#hardware.call('stopCore', core);
    await this.#hardware.call('assignRegions', core, []);
  }

  /** Where it was before, if that is free: peripherals that a core was given are the other one's only after a reset. */
  #coreFor(componentId: string): Core {
    const own = CORES.find((core) => this.#apps.get(core)?.componentId === componentId);
    const unused = CORES.find((core) => !this.#apps.has(core));
    const core = own ?? unused ?? CORES.find((each) => this.#apps.get(each)?.isRunning === false);
    if (core === undefined)
      throw new MonitorError('NoCoreAvailable', 'Both real-time cores run an app.', {
        rule: 'one app a core',
      });
    return core;
  }

  #coreOf(componentId: string): Core {
    const core = CORES.find((each) => this.#apps.get(each)?.componentId === componentId);
    if (core === undefined)
      throw new MonitorError('NoSuchComponent', `The app ${componentId} was not started.`, {
        field: 'componentId',
      });
    return core;
  }

  async #status(core: Core): Promise<PortValue> {
    return { core, ...fieldsOf(await this.#hardware.call('coreStatus', core)) };
  }
}
