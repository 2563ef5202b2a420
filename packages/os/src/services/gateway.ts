import { GATEWAY_CALLS, serveCalls, type PortHandler, type PortValue } from '@sevenfold/formats';
import type { ServicesContext } from './round.ts';

/** What the gateway may ask of the main loop. */
export interface Rounds {
  /** Resolves after a whole round that began after this call. */
  checkNow(): Promise<void>;
  /** When the next round is due, ms since 1970. */
  nextCheck(): number;
}

/** The attached-device gateway: answers `GATEWAY_CALLS` for the caller `gateway`, and nobody else. */
export function serveGateway(context: ServicesContext, rounds: Rounds): PortHandler {
  const status = (): Promise<PortValue> => describeStatus(context, rounds.nextCheck());
  return serveCalls(GATEWAY_CALLS, (caller) => caller === 'gateway', {
    status,
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
    queuedReports: (await kernel.recordList(1000)).length,
    lastError: state.lastError,
    phase: state.phase,
  };
}
