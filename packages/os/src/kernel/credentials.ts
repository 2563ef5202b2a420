import {
  SYSTEM_COMPONENT_IDS,
  bytesArgument,
  isBytes,
  toProblem,
  type Port,
  type PortValue,
} from '@sevenfold/formats';

/** Where the box lies: the services' place in mutable storage, which no app can have (it is no app's id). */
const PLACE = SYSTEM_COMPONENT_IDS.Services;
const LABEL = 'credentials of the services';
const MOST_BYTES = 32_000;
/** Pluton's reasons not to open a box: other software than sealed it, another chip, or bytes that somebody changed. */
const NOT_OURS: ReadonlySet<string> = new Set(['NotABox', 'PolicyNotMet', 'NotAuthentic', 'BadArgument']);

/**
 * What the services keep over reboots and power-down: in flash, sealed by Pluton to everything that is measured. So
 * the same system finds it again, and every other one finds nothing.
 */
export class CredentialStore {
  readonly #monitor: Port;

  constructor(monitor: Port) {
    this.#monitor = monitor;
  }

  /** Null: nothing was kept, or not by this very system. */
  async read(): Promise<PortValue> {
    const box = await this.#monitor.call('mutableRead', PLACE);
    if (!isBytes(box)) return null;
    try {
      return await this.#monitor.call('unseal', LABEL, box);
    } catch (error) {
      if (NOT_OURS.has(toProblem(error).code)) return null;
      throw error;
    }
  }

  async write(untrusted: PortValue | undefined): Promise<null> {
    if (untrusted === null) {
      await this.#monitor.call('mutableWrite', PLACE, null);
      return null;
    }
    const bytes = bytesArgument(untrusted, 'credentials', { min: 1, max: MOST_BYTES });
    await this.#monitor.call(
      'mutableWrite',
      PLACE,
      await this.#monitor.call('seal', 'measured', LABEL, bytes),
    );
    return null;
  }
}
