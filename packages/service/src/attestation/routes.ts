import { toTime, type Handlers } from '../http/handlers.ts';
import { getDevice } from '../registry/devices.ts';
import type { ServiceContext } from '../service-context.ts';
import { attestationFor, lastRefusal } from './attestation-record.ts';
import { toEar } from './ear.ts';

/** Answers the route on verdicts: for support, who has to say why a device got no certificate. */
export function attestationHandlers(
  context: Pick<ServiceContext, 'store'>,
): Pick<Handlers, 'deviceAttestation'> {
  return {
    async deviceAttestation({ params }) {
      const { deviceId } = await getDevice(context.store.read, params.tenantId, params.deviceId);
      const own = await attestationFor(context, params.tenantId, deviceId);
      const refusal = await lastRefusal(context, deviceId);
      return {
        result: own === null ? null : toEar(own),
        refusal: refusal === null ? null : { ...refusal, time: toTime(refusal.time) },
      };
    },
  };
}
