import { toHex } from '@sevenfold/formats';

import { TooSoon } from '../device-port/admission.ts';
import type { ServiceContext } from '../service-context.ts';
import { ServiceError } from '../service-error.ts';
import { countNonces, deleteNoncesBefore, insertNonce, takeNonce } from './queries.ts';

/** How long a service nonce may be answered. */
export const NONCE_LIFETIME_MS = 60_000;
/** Anybody may ask for nonces: so many may wait, the others come back later. */
const MOST_NONCES = 100_000;

/** What the verbs of this file stand on. */
export type ChallengeContext = Pick<ServiceContext, 'store' | 'clock' | 'entropy'>;

/** A fresh nonce of 32 bytes, for one attestation within 60 s, for clients whose TLS gives no exporter value. */
export async function makeNonce(context: ChallengeContext): Promise<Uint8Array> {
  const nonce = context.entropy.random(32);
  const now = context.clock.now();
  await context.store.write(async (tx) => {
    await deleteNoncesBefore(tx, now);
    if ((await countNonces(tx)) >= MOST_NONCES) {
      throw new TooSoon(
        'Too many challenges wait for their answer.',
        NONCE_LIFETIME_MS / 1000,
        `at most ${MOST_NONCES}, each for ${NONCE_LIFETIME_MS / 1000} s`,
      );
    }
    await insertNonce(tx, toHex(nonce), now + NONCE_LIFETIME_MS);
  });
  return nonce;
}

/** Uses a nonce up, whatever becomes of the attestation. Refuses one that is not (or no longer) valid with `StaleChallenge`. */
export async function useNonce(context: ChallengeContext, nonce: Uint8Array): Promise<void> {
  const expiresAt = await context.store.write((tx) => takeNonce(tx, toHex(nonce)));
  if (expiresAt === null || expiresAt < context.clock.now()) {
    throw new ServiceError(
      'StaleChallenge',
      'The nonce was not given by this service, was used before, or is too old.',
      {
        field: 'nonce',
        rule: `used once, within ${NONCE_LIFETIME_MS / 1000} s`,
      },
    );
  }
}
