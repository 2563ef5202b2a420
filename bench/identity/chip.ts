import { generateKeyPairSync, hash, sign, type KeyObject } from 'node:crypto';
import {
  attestationChallengeInput,
  encodeAttestRequest,
  encodePsaClaims,
  encodeSign1,
  fromHex,
  PSA_PROFILES,
  toHex,
} from '@sevenfold/formats';

/** An image that a chip measured. */
export interface MeasuredImage {
  readonly imageType: string;
  readonly name: string;
  readonly securityVersion: number;
  readonly digest: Uint8Array;
  /** SHA-256 of the signer's SPKI; zeros where the service has no signer to compare it with. */
  readonly signerId: Uint8Array;
}

/** A key whose holder signs with it many times. */
class SigningKey {
  readonly spki: Uint8Array;
  readonly #key: KeyObject;

  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    this.spki = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }));
    this.#key = privateKey;
  }

  sign(message: Uint8Array): Uint8Array {
    return new Uint8Array(sign('sha256', message, { key: this.#key, dsaEncoding: 'ieee-p1363' }));
  }
}

/** A chip of the fleet: its identity key, and what it measured when it booted. */
export class Chip {
  readonly #identity = new SigningKey();
  readonly #running: readonly MeasuredImage[];
  readonly spki = this.#identity.spki;
  readonly deviceId = toHex(sha256(this.spki));

  constructor(running: readonly MeasuredImage[]) {
    this.#running = running;
  }

  /** The body of an attestation with two fresh keys, for the connection with this exporter value. */
  attestation(exporter: Uint8Array): Uint8Array {
    const [client, update] = [new SigningKey(), new SigningKey()];
    const challenge = sha256(attestationChallengeInput(exporter, sha256(client.spki), sha256(update.spki)));
    const prove = (key: SigningKey) => ({ spki: key.spki, proof: key.sign(challenge) });
    return encodeAttestRequest({
      token: this.#token(challenge),
      clientKey: prove(client),
      updateKey: prove(update),
    });
  }

  #token(challenge: Uint8Array): Uint8Array {
    const payload = encodePsaClaims({
      profile: PSA_PROFILES[0],
      nonce: challenge,
      instanceId: Uint8Array.of(1, ...fromHex(this.deviceId)),
      implementationId: new Uint8Array(32),
      clientId: -1,
      securityLifecycle: 0x3000,
      softwareComponents: this.#running.map((image) => ({
        measurementType: image.imageType,
        measurementValue: image.digest,
        version: `${image.name};sv=${image.securityVersion}`,
        signerId: image.signerId,
      })),
    });
    const message = encodeSign1({ algorithm: 'ES256', payload });
    return message.finish(this.#identity.sign(message.toBeSigned));
  }
}

function sha256(message: Uint8Array): Uint8Array {
  return new Uint8Array(hash('sha256', message, 'buffer'));
}
