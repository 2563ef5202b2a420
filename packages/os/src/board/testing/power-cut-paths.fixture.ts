import {
  CHIP_SKUS,
  FLASH_MAP,
  SLOT_PACKAGE_OFFSET,
  SYSTEM_IMAGE_FILES,
  SYSTEM_IMAGE_TYPES,
  utf8Encode,
  type SystemImageTypeName,
} from '@sevenfold/formats';
import { provisionFlash, type ProvisionImage } from '@sevenfold/silicon';
import {
  activeNames,
  blankBits,
  makeDevice,
  manufactureBits,
  settled,
  stage,
  type TestDevice,
} from './device.fixture.ts';
import type { PowerCutPath } from './power-cuts.fixture.ts';
import {
  APP_COMPONENT,
  keys,
  makeApp,
  makeImage,
  makeRelease,
  makeSystemImage,
  rootKeyHash,
  type ImageVariant,
} from './release.fixture.ts';

/** Throws with what was found. A path is judged without a test framework, so that it can be timed as well. */
function must(isSo: boolean, what: string): void {
  if (!isSo) throw new Error(what);
}

/** Both slots of a type hold this image. */
function holds({ chip }: TestDevice, type: SystemImageTypeName, image: Uint8Array): boolean {
  return (['A', 'B'] as const).every((slot) => {
    const { offset } = FLASH_MAP.system[type][slot];
    return Buffer.compare(chip.flash.read(offset + SLOT_PACKAGE_OFFSET, image.length), image) === 0;
  });
}

interface Facts {
  readonly names: Readonly<Record<string, string>>;
  readonly trial: boolean;
}

async function bootedFacts(device: TestDevice): Promise<Facts> {
  const outcome = await device.board.powerOn();
  must(outcome.kind === 'running', `the device does not run: ${outcome.kind}`);
  const { trial } = (await device.call('bootInfo')) as { readonly trial: boolean };
  return { names: await activeNames(device), trial };
}

async function updateTo(
  device: TestDevice,
  image: Uint8Array,
  acknowledge: (what: string) => void,
): Promise<void> {
  const ids = [await stage(device, image)];
  await device.call('commit', ids, []);
  acknowledge('committed');
  await device.call('restart').catch(() => {});
  must((await settled(device)) === 'running', 'the device does not come up after its restart');
  await device.call('confirmHealthy');
  acknowledge('healthy');
}

/** Everything of the OS but what an update changes is still the first release. */
function mustBeWhole(names: Facts['names'], changed: readonly SystemImageTypeName[]): void {
  const release: Readonly<Record<SystemImageTypeName, string>> = {
    TrustedKeystore: 'keystore 1.0.0',
    PlutonRuntime: 'pluton 1.0.0',
    SecurityMonitor: 'monitor 1.0.0',
    UpdateCertStore: 'certstore 1.0.0',
    NormalWorldKernel: 'kernel 1.0.0',
    Services: 'services 1.0.0',
  };
  for (const type of SYSTEM_IMAGE_TYPES) {
    const isAsItWas = names[type] === release[type];
    must(changed.includes(type) || isAsItWas, `${type} is ${String(names[type])}`);
  }
}

/**
 * What holds for an update of the system at any time: old before the commit was acknowledged, new after it; the counter
 * at most where what runs stands, and behind it as long as that is on trial; and what is confirmed is on trial no more.
 */
async function judgeSystem(
  device: TestDevice,
  acknowledged: ReadonlySet<string>,
  type: SystemImageTypeName,
  next: string,
): Promise<string> {
  const { names, trial } = await bootedFacts(device);
  mustBeWhole(names, [type]);
  const isNew = names[type] === next;
  must(isNew || names[type]?.endsWith(' 1.0.0') === true, `${type} is ${String(names[type])}`);
  must(isNew || !acknowledged.has('committed'), 'what was committed is lost');
  must(!trial || !acknowledged.has('healthy'), 'what was confirmed is on trial again');
  const counter = device.chip.fuses.securityVersion(type);
  must(counter <= (isNew && !trial ? 2 : 1), `the counter of ${type} ran ahead: ${counter}`);
  if (!isNew) return 'old';
  await device.call('confirmHealthy');
  must(device.chip.fuses.securityVersion(type) === 2, 'the counter does not follow what is confirmed');
  return trial ? 'trial' : 'new';
}

/** An image of the OS: staged, verified, committed, restarted into, tried, confirmed, its counter raised. */
export async function systemUpdatePath(): Promise<PowerCutPath> {
  const services = await makeSystemImage('Services', {
    version: '2.0.0',
    securityVersion: 2,
    services: `globalThis.stage = { async start(h) {
      h.serve(async (caller, method, args) => h.ports.kernel.call(method, ...args));
    } }; /* ${'filler '.repeat(2400)} */`,
  });
  return {
    name: 'an update of the system',
    before: manufactureBits(await makeRelease()),
    async run(device, acknowledge) {
      await device.board.powerOn();
      await updateTo(device, services, acknowledge);
    },
    judge: (device, acknowledged) => judgeSystem(device, acknowledged, 'Services', 'services 2.0.0'),
  };
}

/** A rotation of the platform key: the keystore alone, then an image that only the new key has signed. */
export async function keyRotationPath(): Promise<PowerCutPath> {
  const keystore = await makeSystemImage('TrustedKeystore', {
    version: '2.0.0',
    keystoreVersion: 2,
    platformKeys: [keys.platform, keys.stranger],
  });
  const services = await makeSystemImage('Services', { version: '2.0.0' }, { signer: keys.stranger });
  return {
    name: 'a rotation of the platform key',
    before: manufactureBits(await makeRelease()),
    async run(device, acknowledge) {
      await device.board.powerOn();
      await updateTo(device, keystore, acknowledge);
      const ids = [await stage(device, services)];
      await device.call('commit', ids, []);
      acknowledge('image');
      await device.call('restart').catch(() => {});
      await settled(device);
      await device.call('confirmHealthy');
    },
    async judge(device, acknowledged) {
      const { names, trial } = await bootedFacts(device);
      mustBeWhole(names, ['TrustedKeystore', 'Services']);
      const hasKeys = names['TrustedKeystore'] === 'keystore 2.0.0';
      const hasImage = names['Services'] === 'services 2.0.0';
      must(hasKeys || !acknowledged.has('committed'), 'the keystore that was committed is lost');
      must(hasImage || !acknowledged.has('image'), 'the image that was committed is lost');
      must(!hasImage || hasKeys, 'an image of the new key runs under the old keystore');
      const isOnlyImageOnTrial = hasKeys && acknowledged.has('healthy');
      const counter = device.chip.fuses.securityVersion('TrustedKeystore');
      must(
        counter <= (hasKeys && (!trial || isOnlyImageOnTrial) ? 2 : 1),
        `the counter ran ahead: ${counter}`,
      );
      // Whatever was cut, the rotation can be finished from here, and leaves two copies.
      if (hasKeys) await device.call('confirmHealthy');
      must(!hasKeys || holds(device, 'TrustedKeystore', keystore), 'the keystore in force is alone');
      const isRefused = await stage(device, services).then(
        () => false,
        () => true,
      );
      must(isRefused === !hasKeys, 'the keys in force are not those of the keystore');
      return hasImage ? 'image' : hasKeys ? (trial ? 'trial' : 'keys') : 'old';
    },
  };
}

/** An app: replaced by its next version, which raises its least security version, with another one staged after it. */
export async function applicationPath(): Promise<PowerCutPath> {
  const version = (securityVersion: number): ImageVariant => ({ securityVersion });
  const first = makeApp('blink 1', 9000, version(1));
  const second = makeApp('blink 2', 9000, version(2));
  const third = makeApp('blink 3', 9000, version(3));
  const before = manufactureBits(await makeRelease());
  const factory = makeDevice(before);
  await factory.board.powerOn();
  await factory.call('commit', [await stage(factory, first)], []);
  await factory.board.powerOff();
  return {
    name: 'an update of an app',
    before,
    async run(device, acknowledge) {
      await device.board.powerOn();
      await device.call('commit', [await stage(device, second)], []);
      acknowledge('committed');
      // What follows may destroy nothing that was committed.
      await stage(device, third);
    },
    async judge(device, acknowledged) {
      await bootedFacts(device);
      const bytes = (await device.call('loadApplication', APP_COMPONENT)) as Uint8Array;
      const isNew = Buffer.compare(bytes, second) === 0;
      must(isNew || Buffer.compare(bytes, first) === 0, 'the app is neither the old nor the new one');
      must(isNew || !acknowledged.has('committed'), 'what was committed is lost');
      const isRefused = await stage(device, first).then(
        () => false,
        () => true,
      );
      must(isRefused === isNew, `the least version ${isNew ? 'did not follow' : 'ran ahead of'} the app`);
      return isNew ? 'new' : 'old';
    },
  };
}

/**
 * The factory: fuses, identity, OS in flash, `DeviceComplete`. Unless `isFull`, the two large images are small ones,
 * whose content means as little to a factory: what is judged is every bit of them.
 */
export async function manufacturePath(isFull = false): Promise<PowerCutPath> {
  const idle = {
    path: SYSTEM_IMAGE_FILES.bundle,
    bytes: utf8Encode('globalThis.stage = { async start() {} };'),
  };
  const release = (await makeRelease()).map((image): ProvisionImage => {
    const isLarge = image.type === 'PlutonRuntime' || image.type === 'SecurityMonitor';
    return isLarge && !isFull ? { ...image, package: makeImage(image.type, image.type, [idle]) } : image;
  });
  const isWhole = (device: TestDevice): boolean =>
    release.every(({ type, package: bytes }) => holds(device, type, bytes));
  const finish = (device: TestDevice, acknowledge: (what: string) => void): string => {
    const { chip } = device;
    chip.powerOn();
    const { deviceId } = chip.manufacture({ chipSku: CHIP_SKUS['SF-V1'], rootKeyHash });
    acknowledge(deviceId);
    chip.setManufacturingState('Module1Complete');
    provisionFlash(chip.flash, release);
    chip.setManufacturingState('DeviceComplete');
    acknowledge('complete');
    chip.powerOff();
    return deviceId;
  };
  return {
    name: 'the manufacture of a chip',
    before: blankBits(),
    run: (device, acknowledge) => Promise.resolve(void finish(device, acknowledge)),
    async judge(device, acknowledged) {
      const { fuses } = device.chip;
      const was = fuses.manufacturingState;
      must(was === 'DeviceComplete' || !acknowledged.has('complete'), 'a finished chip is unfinished again');
      const first = await device.board.powerOn();
      must(first.kind !== 'powerLost', 'the chip loses its power by itself');
      must(first.kind === 'running' || was !== 'DeviceComplete', 'a finished chip does not run');
      must(isWhole(device) || was !== 'DeviceComplete', 'a finished chip lacks something');
      await device.board.powerOff();
      // Begun again with the same values, it ends the same, and as the same device.
      const deviceId = was === 'DeviceComplete' ? device.chip.identity().deviceId : finish(device, () => {});
      const [known] = [...acknowledged].filter((what) => what !== 'complete');
      must(known === undefined || known === deviceId, 'an identity that was given out is lost');
      must((await device.board.powerOn()).kind === 'running', 'a chip that was made after all does not run');
      must(isWhole(device), 'a chip that was made after all lacks something');
      return was;
    },
  };
}
