import { finishImagePackage, replaceSigner, type ImagePackage } from '@sevenfold/formats';
import { ensureKey, thumbprint, type KeyStore } from '@sevenfold/pki';

/** The service's key for application images; devices know its public half from their TrustedKeystore. */
const IMAGE_SIGNING_KEY = 'image-signing';

/** The public half (SPKI, DER); the key is made when it is asked for the first time. */
export function imageSigningKey(keys: KeyStore): Promise<Uint8Array> {
  return ensureKey(keys, IMAGE_SIGNING_KEY);
}

/** The same image with the service's signature in place of the uploader's. */
export async function signImage(keys: KeyStore, image: ImagePackage): Promise<Uint8Array> {
  const unsigned = replaceSigner(image, thumbprint(await imageSigningKey(keys)));
  return finishImagePackage(unsigned, await keys.sign(IMAGE_SIGNING_KEY, unsigned));
}
