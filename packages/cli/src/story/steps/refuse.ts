import { ROUTES, type Client } from '@sevenfold/api';
import type { DeviceImage, DeviceStatus, VirtualDevice } from '@sevenfold/device';
import {
  FLASH_MAP,
  IMAGE_TYPES,
  SLOT_PACKAGE_OFFSET,
  SYSTEM_IMAGE_TYPES,
  type SlotName,
  type SystemImageTypeName,
} from '@sevenfold/formats';
import type { Progress } from '../../narrator.ts';
import { prove, waitFor, type StepResult, type Telling } from '../environment.ts';
import type { Journal } from '../journal.ts';
import { checkNow, statusOf, waitForRelease } from '../device-state.ts';
import { openTwin } from './device.ts';
import { publishNextRelease } from './release.ts';

/** The layer that verifies each image, as its log lines begin. */
const VERIFIER: Readonly<Record<SystemImageTypeName, string>> = {
  TrustedKeystore: 'ROM',
  PlutonRuntime: 'ROM',
  SecurityMonitor: 'PLUTON',
  UpdateCertStore: 'MONITOR',
  NormalWorldKernel: 'MONITOR',
  Services: 'MONITOR',
};

const other = (slot: SlotName): SlotName => (slot === 'A' ? 'B' : 'A');

function slotOf(
  images: readonly DeviceImage[],
  type: SystemImageTypeName,
): { readonly slot: SlotName; readonly size: number } {
  const image = images.find((each) => each.imageType === IMAGE_TYPES[type] && each.state === 'active');
  prove(
    image !== undefined && (image.slot === 'A' || image.slot === 'B'),
    `The device lists no active ${type}.`,
  );
  return { slot: image.slot, size: image.size };
}

/** Flips one bit in the middle of an image's copy; again to undo it. */
function flip(device: VirtualDevice, type: SystemImageTypeName, slot: SlotName, size: number): void {
  device.chip.flash.flipBit(
    FLASH_MAP.system[type][slot].offset + SLOT_PACKAGE_OFFSET + Math.floor(size / 2),
    3,
  );
}

/** The second half of step 12: a changed kernel comes over the air; the app is the same image as before. */
export async function updateOs(
  telling: Telling,
  client: Client,
  journal: Journal,
  device: VirtualDevice,
  appImageId: string,
  progress: Progress,
): Promise<StepResult> {
  const before = await telling.pass(() => device.status());
  const { release } = await publishNextRelease(telling, client, journal, progress);
  await checkNow(telling, device);
  const after = await waitForRelease(telling, device, release.name);
  const changed = SYSTEM_IMAGE_TYPES.filter((type) => {
    const digestIn = (status: DeviceStatus): string =>
      String(
        status.images.find((image) => image.imageType === IMAGE_TYPES[type] && image.state === 'active')
          ?.imageId,
      );
    return digestIn(before) !== digestIn(after);
  });
  prove(
    changed.join() === 'NormalWorldKernel',
    `The update changed ${changed.join(', ')}, not the kernel alone.`,
  );
  const app = await waitFor(telling, 'the app to run on the new kernel', 20, async () => {
    const apps = (await statusOf(telling, device))?.apps ?? [];
    return apps.find((each) => each.imageId === appImageId && each.state === 'running') ?? null;
  });
  return {
    proved: [
      `OS ${before.osVersion} → ${after.osVersion}: the kernel alone was replaced, the attestation shows it, verdict ${after.verdict}`,
      `${app.name}, not rebuilt, runs on it`,
    ],
    facts: { changed: changed.join() },
  };
}

/** Boots with a bit flipped in one copy of each image: the copy is refused by name, and the other slot runs. */
async function bootWithFlippedBits(
  telling: Telling,
  device: VirtualDevice,
  images: readonly DeviceImage[],
  progress: Progress,
): Promise<readonly string[]> {
  const proved: string[] = [];
  for (const [index, type] of SYSTEM_IMAGE_TYPES.entries()) {
    progress.report(index, SYSTEM_IMAGE_TYPES.length + 1, `a flipped bit in ${type}`);
    const { slot, size } = slotOf(images, type);
    await device.powerOff();
    flip(device, type, slot, size);
    const from = device.bootLog.length;
    const outcome = await telling.pass(() => device.boot());
    const log = device.bootLog.slice(from);
    const refusal = log.find(
      (line) => line.startsWith(`[${VERIFIER[type]}]`) && line.includes(`${type} slot ${slot} refused`),
    );
    prove(refusal !== undefined, `Nobody refused ${type} slot ${slot}:\n${log.join('\n')}`);
    prove(
      !log.some((line) => line.includes(`${type} slot ${slot} verified`)),
      `The bad copy of ${type} was taken.`,
    );
    prove(outcome.kind === 'running', `The device did not boot from the other slot:\n${log.join('\n')}`);
    prove(
      log.some((line) => line.includes(`${type} slot ${other(slot)} verified`)),
      `${type} slot ${other(slot)} was not verified.`,
    );
    proved.push(refusal);
    await device.powerOff();
    flip(device, type, slot, size);
  }
  return proved;
}

/** Boots with both copies of the kernel bad: the monitor stops, and nothing of them runs. */
async function bootWithNoKernel(
  telling: Telling,
  device: VirtualDevice,
  images: readonly DeviceImage[],
): Promise<string> {
  const kernels = images.filter((image) => image.imageType === IMAGE_TYPES.NormalWorldKernel);
  const flipBoth = (): void => {
    for (const { slot, size } of kernels)
      if (slot === 'A' || slot === 'B') flip(device, 'NormalWorldKernel', slot, size);
  };
  prove(kernels.length === 2, `The device lists ${kernels.length} copies of the kernel.`);
  flipBoth();
  const from = device.bootLog.length;
  const outcome = await telling.pass(() => device.boot());
  const log = device.bootLog.slice(from);
  prove(outcome.kind === 'stopped', `The device is ${outcome.kind} with no good kernel.`);
  prove(!log.some((line) => line.startsWith('[KERNEL]')), 'A bad kernel ran.');
  await device.powerOff();
  flipBoth();
  return log.findLast((line) => line.includes('stopping')) ?? '';
}

/** Step 13: bad copies never run; a revoked OS gets the update certificate only, updates itself and is trusted again. */
export async function refuse(
  telling: Telling,
  client: Client,
  journal: Journal,
  tenantId: string,
  device: VirtualDevice,
  name: string,
  progress: Progress,
): Promise<StepResult> {
  const { images, osVersion } = await telling.pass(() => device.status());
  await device.powerOff();
  // On a twin without a network: the device would mend a bad copy over the air while the story looks at it.
  const { twin, end } = await openTwin(telling, name);
  let refusals: readonly string[];
  let stopped: string;
  try {
    refusals = await bootWithFlippedBits(telling, twin, images, progress);
    stopped = await bootWithNoKernel(telling, twin, images);
  } finally {
    await end();
  }
  const outcome = await telling.pass(() => device.boot());
  prove(outcome.kind === 'running', 'The device does not boot any more.');
  await waitForRelease(telling, device, osVersion);

  progress.report(6, 7, 'revoking the OS');
  const { release } = await publishNextRelease(telling, client, journal, progress);
  await client.call(ROUTES.revokeOsRelease, {
    params: { name: osVersion },
    body: { reason: 'a hole was found in its kernel' },
  });
  const refused = await checkNow(telling, device);
  prove(refused !== null, 'The device restarted before it said what it was told.');
  prove(refused.verdict === 'revoked', `The verdict over a revoked OS is ${refused.verdict}.`);
  prove(refused.clientChain.length === 0, 'A device with a revoked OS got a client certificate.');
  prove(refused.updateChain.length > 0, 'A device with a revoked OS got no update certificate.');
  const healed = await waitForRelease(telling, device, release.name);
  const seen = await client.call(ROUTES.device, { params: { tenantId, deviceId: device.deviceId } });
  prove(seen.attestation?.verdict === 'trusted', 'The service does not trust the updated device.');
  return {
    proved: [
      ...refusals,
      stopped,
      `OS ${osVersion} revoked: no client certificate, update certificate only (${refused.reasons.join('; ')})`,
      `updated itself to ${healed.osVersion}, ${healed.verdict} again`,
    ],
    facts: { refusals: String(refusals.length), verdicts: `${refused.verdict}, ${healed.verdict}` },
  };
}
