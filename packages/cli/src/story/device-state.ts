import type { DeviceStatus, VirtualDevice } from '@sevenfold/device';
import { CliError, describeError } from '../errors.ts';
import { waitFor, type Telling } from './environment.ts';

/** Answers of a device that restarts meanwhile are lost with its services: null then. */
async function unlessRestarting<T>(device: VirtualDevice, work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    const isGone = error instanceof Error && 'code' in error && error.code === 'StageStopped';
    if (isGone || device.state === 'booting') return null;
    throw error;
  }
}

/** What the device says of itself, or null while it restarts. */
export function statusOf(telling: Telling, device: VirtualDevice): Promise<DeviceStatus | null> {
  return telling.pass(() => unlessRestarting(device, device.status()));
}

/** Has the device attest, ask for its plan, update and report now; null where it restarted meanwhile. */
export function checkNow(telling: Telling, device: VirtualDevice): Promise<DeviceStatus | null> {
  return telling.pass(() => unlessRestarting(device, device.checkNow()));
}

/** Waits until the device runs a release and is trusted on it; it asks for its plan again as often as it must. */
export async function waitForRelease(
  telling: Telling,
  device: VirtualDevice,
  osVersion: string,
): Promise<DeviceStatus> {
  let last: DeviceStatus | null = null;
  const isThere = (status: DeviceStatus): boolean =>
    status.osVersion === osVersion && status.verdict === 'trusted' && status.phase === 'idle';
  try {
    return await waitFor(telling, `the device to run ${osVersion} and to be trusted`, 40, async () => {
      last = (await statusOf(telling, device)) ?? last;
      return last !== null && isThere(last) ? last : null;
    });
  } catch (error) {
    const said = last as DeviceStatus | null;
    const text =
      said === null
        ? 'nothing'
        : `OS ${said.osVersion}, ${said.verdict ?? 'no verdict'}, ${said.phase}, ${said.lastError ?? 'no error'}`;
    throw new CliError('NotProved', `${describeError(error)} The device says: ${text}.`, { cause: error });
  }
}
