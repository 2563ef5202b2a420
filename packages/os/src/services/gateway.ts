import { GATEWAY_CALLS, serveCalls, type PortHandler, type PortValue } from '@sevenfold/formats';
import type { ServicesContext } from './round.ts';
import { sideload, sideloadRemove } from './sideload.ts';

/** What the gateway may ask of the main loop. */
export interface Rounds {
  /** Resolves after a whole round that began after this call. */
  checkNow(): Promise<void>;
  /** When the next round is due, ms since 1970. */
  nextCheck(): number;
}

/** Milliseconds between an answer and the restart that it announces. */
const RESTART_DELAY = 500;

/** The attached-device gateway: answers `GATEWAY_CALLS` for the caller `gateway`, and nobody else. */
export function serveGateway(context: ServicesContext, rounds: Rounds): PortHandler {
  const status = (): Promise<PortValue> => describeStatus(context, rounds.nextCheck());
  return serveCalls(GATEWAY_CALLS, (caller) => caller === 'gateway', {
    status,
    async setCapability([file]) {
      await context.kernel.setCapability(file ?? null);
      // In force from the next boot on: that is measured, and so seen by whoever is shown a token.
      void context.clock.sleep(RESTART_DELAY).then(() => context.kernel.restart());
      return null;
    },
    sideload: async ([untrusted]) => ({ ...(await sideload(context, untrusted)) }),
    async sideloadRemove([untrusted]) {
      await sideloadRemove(context, untrusted);
      return null;
    },
    async checkNow() {
      await rounds.checkNow();
      return status();
    },
  });
}

async function describeStatus(context: ServicesContext, nextCheck: number): Promise<PortValue> {
  const { kernel, state } = context;
  const judgement = state.credentials?.judgement ?? null;
  return {
    deviceId: context.deviceId,
    osVersion: context.osVersion,
    verdict: judgement?.verdict ?? null,
    reasons: judgement?.reasons ?? [],
    tenantId: judgement?.tenantId ?? null,
    clientChain: judgement?.client?.chain ?? [],
    updateChain: judgement?.updateChain ?? [],
    nextCheck,
    images: await kernel.listImagesRaw(),
    apps: await kernel.appListRaw(),
    capabilities: [...context.boot.capabilities],
    queuedReports: (await kernel.recordList(1000)).length,
    lastError: state.lastError,
    phase: state.phase,
  };
}
