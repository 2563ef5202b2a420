import { join } from 'node:path';
import { ROUTES, type Client, type ErrorGroupDetail, type Image } from '@sevenfold/api';
import type { DeviceApp, VirtualDevice } from '@sevenfold/device';
import { encodeSymbolMap } from '@sevenfold/formats';
import { openFileKeyStore, thumbprint } from '@sevenfold/pki';
import { buildApps, type BuiltApp } from '@sevenfold/sdk';
import { describeErrorGroup } from '../../describe-error-group.ts';
import type { Progress } from '../../narrator.ts';
import { installationFolder } from '../../profile.ts';
import { checkNow, statusOf } from '../device-state.ts';
import { prove, waitFor, type StepResult, type Telling } from '../environment.ts';
import type { Journal } from '../journal.ts';
import { signerOf } from '../../platform/os-releases.ts';

/** One of the three lives of `examples/blink` (it works, it fails after seconds, it is fixed), for one tenant's devices. */
interface BlinkVariant {
  readonly version: 1 | 2 | 3;
  readonly tenantId: string;
}
/** The LED of the board: `BLINK_LED` in the example's hardware definition. */
const LED_PIN = 8;

/** Builds variants of `examples/blink` in one run of the compiler. */
async function buildBlink(
  telling: Telling,
  client: Client,
  variants: readonly BlinkVariant[],
  progress: Progress,
): Promise<readonly BuiltApp[]> {
  const keys = await openFileKeyStore(join(telling.dataDir, 'sdk', 'keys'));
  const developer = await signerOf(keys, 'development');
  const signer = { ...developer, thumbprint: thumbprint(developer.spki) };
  const { brokerHost, brokerPort } = await client.call(ROUTES.trust);
  prove(brokerPort !== null, 'The service has no broker.');
  progress.report(0, variants.length, 'compiling');
  const builds = variants.map(({ version, tenantId }) => ({
    sourceDir: join(installationFolder, 'examples', 'blink'),
    defines: { BLINK_VERSION: String(version) },
    manifestOverrides: {
      allowedConnections: [brokerHost],
      cmdArgs: [brokerHost, String(brokerPort)],
      deviceAuthentication: tenantId,
    },
    signer,
  }));
  return buildApps(builds);
}

/** Uploads an app with its symbols and its bill of materials and deploys it, alone, to a device group. */
export async function deploy(
  client: Client,
  journal: Journal,
  target: { readonly tenantId: string; readonly deviceGroupId: string },
  app: BuiltApp,
): Promise<Image> {
  const { tenantId, deviceGroupId } = target;
  const uploaded = await client.call(ROUTES.uploadImage, { params: { tenantId }, body: app.imagePackage });
  const params = { tenantId, imageId: uploaded.imageId };
  await client.call(ROUTES.uploadSymbols, { params, body: encodeSymbolMap(app.symbols) });
  const image = await client.call(ROUTES.uploadMaterials, { params, body: app.materials });
  journal.acknowledge({ kind: 'image', id: image.imageId, within: tenantId });
  const deployment = await client.call(ROUTES.createDeployment, {
    params: { tenantId, deviceGroupId },
    body: { imageIds: [image.imageId] },
  });
  journal.acknowledge({
    kind: 'deployment',
    id: deployment.deploymentId,
    within: `${tenantId}/${deviceGroupId}`,
  });
  return image;
}

/** Has the device ask for its plan until `image` runs on it. */
export async function waitForApp(
  telling: Telling,
  device: VirtualDevice,
  image: Pick<Image, 'imageId' | 'name'>,
): Promise<DeviceApp> {
  const status = await checkNow(telling, device);
  const isUnlocked = status?.capabilities.includes('appDevelopment') === true;
  const says = isUnlocked
    ? 'I am unlocked for development and take no apps from the service: `sevenfold device capability update` locks me'
    : (status?.lastError ?? 'nothing wrong');
  return waitFor(telling, `${image.name} to run (the device says: ${says})`, 20, async () => {
    const apps = (await statusOf(telling, device))?.apps ?? [];
    return apps.find((app) => app.imageId === image.imageId && app.state === 'running') ?? null;
  });
}

/** Watches the LED until it changed `changes` times; answers the milliseconds from change to change. */
async function watchLed(
  telling: Telling,
  device: VirtualDevice,
  changes: number,
): Promise<readonly number[]> {
  const times: number[] = [];
  const stop = device.onPin(LED_PIN, (_level, time) => times.push(time));
  try {
    await waitFor(telling, 'the LED to blink', 20, () => (times.length >= changes ? true : null));
  } finally {
    stop();
  }
  return times.slice(1).map((time, index) => time - (times[index] ?? time));
}

export interface BuildStep extends StepResult {
  /** The first version, deployed. */
  readonly image: Image;
  /** The versions of later steps, and the one for the other tenant's device. */
  readonly failing: BuiltApp;
  readonly fixed: BuiltApp;
  readonly neighbours: BuiltApp;
}

/** Step 7: C becomes WebAssembly, an image package, an image signed by the service, a deployment. */
export async function buildAndDeploy(
  telling: Telling,
  client: Client,
  journal: Journal,
  target: { readonly tenantId: string; readonly deviceGroupId: string },
  neighbourTenantId: string,
  progress: Progress,
): Promise<BuildStep> {
  const { tenantId } = target;
  const variants: readonly BlinkVariant[] = [
    { version: 1, tenantId },
    { version: 2, tenantId },
    { version: 3, tenantId },
    { version: 1, tenantId: neighbourTenantId },
  ];
  const [first, failing, fixed, neighbours] = await buildBlink(telling, client, variants, progress);
  prove(first !== undefined && failing !== undefined, 'The compiler answered fewer apps than asked for.');
  prove(fixed !== undefined && neighbours !== undefined, 'The compiler answered fewer apps than asked for.');
  const image = await deploy(client, journal, target, first);
  return {
    image,
    failing,
    fixed,
    neighbours,
    proved: [
      `examples/blink: C → WebAssembly → image package of ${first.imagePackage.length} bytes, ${first.symbols.lines.length} line symbols`,
      `image ${image.imageId} of component ${image.componentId}, signed by the service`,
      'deployed to the device group',
    ],
    facts: { component: image.componentId, name: image.name },
  };
}

/** Step 8: the device fetches its plan, stages, commits and runs the app: the LED of the board blinks. */
export async function updateOverTheAir(
  telling: Telling,
  client: Client,
  tenantId: string,
  device: VirtualDevice,
  image: Image,
): Promise<StepResult> {
  await waitForApp(telling, device, image);
  const gaps = await watchLed(telling, device, 6);
  // The median: the app blinks from the same event loop in which it waits for its cloud.
  const usual = gaps.toSorted((one, other) => one - other)[Math.floor(gaps.length / 2)] ?? 0;
  prove(usual > 200 && usual < 300, `The LED changes every ${Math.round(usual)} ms, not every 250.`);
  await checkNow(telling, device);
  const seen = await client.call(ROUTES.device, { params: { tenantId, deviceId: device.deviceId } });
  prove(
    seen.installedImages.some((installed) => installed.imageId === image.imageId),
    'The service does not see the image on the device.',
  );
  return {
    proved: [
      'plan signed by the service and bound to the device’s nonce; image staged, verified, committed, started',
      `LED on pin ${LED_PIN} of the board changes every ${Math.round(usual)} ms`,
      'the service sees the image installed',
    ],
    facts: { led: 'blinks' },
  };
}

/** Step 11: the second version stores out of bounds; restarted, reported, symbolised, grouped. */
export async function failAndReport(
  telling: Telling,
  client: Client,
  journal: Journal,
  target: { readonly tenantId: string; readonly deviceGroupId: string },
  device: VirtualDevice,
  app: BuiltApp,
): Promise<StepResult & { readonly group: ErrorGroupDetail; readonly text: string }> {
  const { tenantId } = target;
  const image = await deploy(client, journal, target, app);
  await waitForApp(telling, device, image);
  const restarted = await waitFor(telling, 'the app to fail and to be restarted', 60, async () => {
    const status = await statusOf(telling, device);
    return status?.apps.find((each) => each.imageId === image.imageId && each.restarts >= 1) ?? null;
  });
  await checkNow(telling, device);
  const group = await waitFor(telling, 'the failure to be reported', 30, async () => {
    const { items } = await client.call(ROUTES.errorGroups, { params: { tenantId }, query: { limit: 50 } });
    const found = items.find((each) => each.kind === 'AppCrash' && each.imageIds.includes(image.imageId));
    return found ? client.call(ROUTES.errorGroup, { params: { tenantId, groupId: found.groupId } }) : null;
  });
  journal.acknowledge({ kind: 'errorGroup', id: group.groupId, within: tenantId });
  const [top] = group.latest.frames;
  prove(
    top?.file?.endsWith('main.c') === true && top.line !== null,
    `The stack is not symbolised:\n${describeErrorGroup(group)}`,
  );
  return {
    group,
    text: describeErrorGroup(group),
    proved: [
      `restarted ${restarted.restarts} ${restarted.restarts === 1 ? 'time' : 'times'} with back-off; the failure was queued in flash and uploaded`,
      `symbolised to ${top.function} at ${top.file}:${top.line}, grouped:`,
    ],
    facts: { trap: group.latest.trap ?? '', function: top.function, place: `${top.file}:${top.line}` },
  };
}

/** The first half of step 12: the third version is deployed and runs past the moment at which the second failed. */
export async function healApp(
  telling: Telling,
  client: Client,
  journal: Journal,
  target: { readonly tenantId: string; readonly deviceGroupId: string },
  device: VirtualDevice,
  app: BuiltApp,
  group: ErrorGroupDetail,
): Promise<Image> {
  const { tenantId } = target;
  const image = await deploy(client, journal, target, app);
  await waitForApp(telling, device, image);
  // The second version failed at its thirteenth blink.
  await watchLed(telling, device, 16);
  const running = (await statusOf(telling, device))?.apps.find((each) => each.imageId === image.imageId);
  prove(running?.state === 'running' && running.restarts === 0, 'The fixed version does not keep running.');
  const fixed = await client.call(ROUTES.markErrorGroupFixed, {
    params: { tenantId, groupId: group.groupId },
    body: { imageId: image.imageId },
  });
  prove(fixed.status === 'fixed', `The group is ${fixed.status}, not fixed.`);
  return image;
}
