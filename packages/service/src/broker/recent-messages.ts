import { utf8DecodeLossy } from '@sevenfold/formats';
import type { TelemetryMessage } from '@sevenfold/api';

import { toTime, type Handlers } from '../http/handlers.ts';
import type { DeviceMessage } from './tenant-broker.ts';

/** A message with the tenant whose broker took it. */
export interface TenantMessage extends DeviceMessage {
  readonly tenantId: string;
}

const MOST_MESSAGES = 200;
/** Bytes of a payload that are kept. */
const MOST_PAYLOAD = 4096;

/** The newest messages of each tenant, in memory: a window for people, bounded, gone at the end of the process. */
export class RecentMessages {
  readonly #byTenant = new Map<string, TelemetryMessage[]>();

  /** Remembers a message that came at `now` (ms since 1970). */
  add(message: TenantMessage, now: number): void {
    const messages = this.#byTenant.get(message.tenantId) ?? [];
    const payload = utf8DecodeLossy(message.payload.subarray(0, MOST_PAYLOAD));
    messages.unshift({ deviceId: message.deviceId, topic: message.topic, payload, time: toTime(now) });
    messages.length = Math.min(messages.length, MOST_MESSAGES);
    this.#byTenant.set(message.tenantId, messages);
  }

  /** Newest first. */
  of(tenantId: string): readonly TelemetryMessage[] {
    return this.#byTenant.get(tenantId) ?? [];
  }
}

/** Answers the routes of `TELEMETRY_ROUTES`. */
export function telemetryHandlers(messages: RecentMessages): Pick<Handlers, 'telemetry'> {
  return { telemetry: ({ params }) => ({ items: [...messages.of(params.tenantId)] }) };
}
