import { IMAGE_TYPES, imageUse, type TrustedKeystore } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import { imageKeysOf, type ImageKeys } from '../deployments/image-keys.ts';
import { keystoreStep, type PublishedKeystore } from './keystore-step.ts';

const OLD = '0a'.repeat(20);
const NEW = '0b'.repeat(20);

const image = (signer: string): ImageKeys => ({ imageType: IMAGE_TYPES.Services, signer, keystore: null });

function keystore(version: number, ...signers: readonly string[]): PublishedKeystore {
  const document: TrustedKeystore = {
    version,
    rootSpki: Uint8Array.of(1),
    keys: signers.map((signer) => ({
      spki: Uint8Array.of(2),
      thumbprint: Uint8Array.from(Buffer.from(signer, 'hex')),
      uses: [imageUse(IMAGE_TYPES.Services)],
    })),
    revokedImageDigests: [],
  };
  return { digest: `keystore ${version}`, keystore: document };
}

const [first, between, last] = [keystore(1, OLD), keystore(2, OLD, NEW), keystore(3, NEW)];
const published = [first, between, last];

describe('a device that meets a rotation of the platform key', () => {
  it('gets the whole release while the new keystore knows what it runs', () => {
    const release = { keystore: between.keystore, images: [image(NEW)] };
    expect(keystoreStep({ keystore: first, running: [image(OLD)] }, release, published)).toEqual({
      kind: 'release',
    });
  });

  it('is led over the keystore in between where it has missed it: that, then the images, then the last one', () => {
    const release = { keystore: last.keystore, images: [image(NEW)] };
    const running = [image(OLD)];
    expect(keystoreStep({ keystore: first, running }, release, published)).toEqual({
      kind: 'prerequisite',
      digest: between.digest,
    });
    expect(keystoreStep({ keystore: between, running }, release, published)).toEqual({ kind: 'images' });
    expect(keystoreStep({ keystore: between, running: [image(NEW)] }, release, published)).toEqual({
      kind: 'release',
    });
  });

  it('is left alone where no published keystore knows both keys, or only one that is older than its own', () => {
    const release = { keystore: last.keystore, images: [image(NEW)] };
    const device = { keystore: first, running: [image(OLD)] };
    expect(keystoreStep(device, release, [first, last])).toEqual({ kind: 'none' });
    const newer = { keystore: keystore(3, OLD), running: [image(OLD)] };
    expect(keystoreStep(newer, release, published)).toEqual({ kind: 'none' });
  });

  it('reads no keys out of what is no image', () => {
    expect(imageKeysOf(new Uint8Array(500))).toBeNull();
  });
});
