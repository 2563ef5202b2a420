import { IMAGE_TYPES, encodeErrorReport, type ErrorReport, type PlanImage } from '@sevenfold/formats';
import { generateKeyPair, sha256 } from '@sevenfold/pki';
import { afterEach, beforeEach } from 'vitest';
import { startDeviceService, type TestDeviceService } from './device-service.ts';
import { createTestDevice, type Status, type TestDevice } from './test-device.ts';

/** The component of the one app that tests install. */
export const APP = '0a0a0001-0000-4000-8000-000000000001';
/** When everything begins: the machine's time, since real TLS judges the service's certificate. */
export const NOW = Date.now();

/** A device and its service, made anew for every test. */
export interface World {
  readonly service: TestDeviceService;
  readonly device: TestDevice;
  /** Puts an image into the plan, in place of another one of its component. */
  publish(componentId: string, seed: number, size?: number, imageType?: number): PlanImage;
  /** Queues error reports in the device's flash, as the kernel does. */
  queue(...numbers: number[]): void;
  /** Boots the device and waits for one whole round. */
  bootAndCheck(): Promise<Status>;
}

/** A report that is told from others by its number. */
export const report = (number: number): ErrorReport => ({
  reportId: new Uint8Array(16).fill(number),
  kind: 'AppCrash',
  componentId: APP,
  imageId: APP,
  osVersion: '26.11.0',
  time: 1_800_000_000,
  uptime: 3000,
  trap: 'memory access out of bounds',
  exitCode: null,
  frames: [{ function: 3, offset: 77 }],
  log: ['before'],
  count: 1,
});

/** Registers the set-up with the running test file; the world is there within its tests. */
export function useWorld(): World {
  let service: TestDeviceService;
  let device: TestDevice;
  beforeEach(async () => {
    service = await startDeviceService(NOW);
    const attestationKey = generateKeyPair();
    service.endorse(attestationKey.spki);
    const { certStore, planKey } = service;
    device = createTestDevice({ attestationKey, certStore, planSpki: planKey.spki, startTime: NOW });
  });
  afterEach(async () => {
    await device.close();
    await service.close();
  });
  return {
    get service() {
      return service;
    },
    get device() {
      return device;
    },
    publish(componentId, seed, size = 200_000, imageType = IMAGE_TYPES.Applications) {
      const bytes = new Uint8Array(size).map((_, index) => (index * seed) % 253);
      const imageId = `00000000-0000-4000-8000-${String(seed).padStart(12, '0')}`;
      service.blobs.set(imageId, bytes);
      const image = { imageType, componentId, imageId, digest: sha256(bytes), size, name: `image ${seed}` };
      const others = service.behaviour.images.filter((other) => other.componentId !== componentId);
      service.behaviour.images = [...others, image];
      return image;
    },
    queue(...numbers) {
      for (const number of numbers) {
        device.memory.records.push({ id: number, record: encodeErrorReport(report(number)) });
      }
    },
    async bootAndCheck() {
      await device.boot();
      return device.gateway('checkNow');
    },
  };
}
