import { z } from 'zod';
import { defineRoute } from '../contract.ts';
import { deviceId, guid, time } from '../primitives.ts';

/** A message that a device published at the embedded broker. */
const telemetryMessage = z.object({
  deviceId,
  topic: z.string(),
  /** As UTF-8, cut after 4 KiB. */
  payload: z.string(),
  time,
});
export type TelemetryMessage = z.infer<typeof telemetryMessage>;

/** What comes in at the embedded broker: a window for people. Whoever needs every message has a broker of their own. */
export const TELEMETRY_ROUTES = {
  telemetry: defineRoute({
    name: 'listTelemetry',
    summary: 'The latest messages at the embedded broker, newest first; kept in memory only',
    method: 'GET',
    path: '/v1/tenants/{tenantId}/telemetry',
    permission: 'Reader',
    scope: 'tenant',
    params: z.strictObject({ tenantId: guid }),
    reply: z.object({ items: z.array(telemetryMessage) }),
  }),
} as const;
