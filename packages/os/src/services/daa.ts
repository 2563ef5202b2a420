import {
  DEVICE_PATHS,
  attestationChallengeInput,
  decodeAttestReply,
  encodeAttestRequest,
  type AttestReply,
  type CertStore,
} from '@sevenfold/formats';
import { judgeAttestReply, type Judgement } from './attest-decision.ts';
import type { Kernel, SessionKey, TlsIdentity } from './kernel.ts';
import { openServiceSession } from './service-session.ts';

/** What one attestation brought. The keys are in memory only; what outlives them are the tickets. */
export interface Credentials {
  readonly judgement: Judgement;
  /** For updates and reports; no app reaches it. */
  readonly update: TlsIdentity;
  readonly tickets: { readonly update: Uint8Array; readonly client: Uint8Array | null };
}

/** Device authentication and attestation: proves this device to the service and keeps what it gets. */
export interface Daa {
  /** One attestation over a connection of its own. Leaves everything as it was when it fails. */
  attest(): Promise<Credentials>;
}

/** Seconds of the service's clock count whole: less of a difference is none. */
export const CLOCK_TOLERANCE = 1500;

/** Makes the DAA service. */
export function createDaa(kernel: Kernel, store: CertStore, clock: { now(): number }, deviceId: string): Daa {
  // Keys that are not certified yet are used again by the next try: Pluton has few slots.
  let clientKey: SessionKey | null = null;
  let updateKey: SessionKey | null = null;

  async function exchange(client: SessionKey, update: SessionKey): Promise<AttestReply> {
    const session = await openServiceSession(kernel, store, null);
    try {
      const binder = await session.exporter();
      const hashes = [await kernel.sha256(client.spki), await kernel.sha256(update.spki)] as const;
      const challenge = await kernel.sha256(attestationChallengeInput(binder, ...hashes));
      const request = encodeAttestRequest({
        token: await kernel.attest(challenge),
        clientKey: { spki: client.spki, proof: await kernel.signWithSessionKey(client.keyId, challenge) },
        updateKey: { spki: update.spki, proof: await kernel.signWithSessionKey(update.keyId, challenge) },
      });
      return decodeAttestReply(await session.post(DEVICE_PATHS.attest, request));
    } finally {
      await session.close();
    }
  }

  return {
    async attest() {
      clientKey ??= await kernel.createSessionKey();
      updateKey ??= await kernel.createSessionKey();
      const reply = await exchange(clientKey, updateKey);
      const judgement = judgeAttestReply(reply, {
        deviceId,
        clientSpki: clientKey.spki,
        updateSpki: updateKey.spki,
      });

      if (Math.abs(judgement.time - clock.now()) > CLOCK_TOLERANCE) await kernel.setTime(judgement.time);
      const update = { chain: judgement.updateChain, key: await kernel.exportSessionKey(updateKey.keyId) };
      const tickets = {
        update: updateKey.ticket,
        client: judgement.client === null ? null : clientKey.ticket,
      };
      updateKey = null;
      if (judgement.client === null) {
        // Not trusted: no app acts in this device's name any longer.
        await kernel.setClientIdentity(null);
      } else {
        const key = await kernel.exportSessionKey(clientKey.keyId);
        clientKey = null;
        await kernel.setClientIdentity({ ...judgement.client, key });
      }
      return { judgement, update, tickets };
    },
  };
}
