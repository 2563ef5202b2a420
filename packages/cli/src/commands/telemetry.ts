import { buildCommand, buildRouteMap, type RouteMap } from '@stricli/core';
import { ROUTES, type TelemetryMessage } from '@sevenfold/api';
import { tenantFlags, inTenant, type CliContext, type TenantFlags } from '../context.ts';
import { formatTable } from '../table.ts';

export const telemetryCommands: RouteMap<CliContext> = buildRouteMap({
  docs: { brief: 'What devices publish at the embedded broker' },
  routes: {
    list: buildCommand<TenantFlags, [], CliContext>({
      docs: { brief: 'List the latest messages, newest first' },
      parameters: { flags: tenantFlags },
      func: inTenant(
        async (client, tenantId) => (await client.call(ROUTES.telemetry, { params: { tenantId } })).items,
        (items) =>
          formatTable<TelemetryMessage>(
            items,
            [
              { heading: 'TIME', value: (message) => message.time },
              { heading: 'DEVICE', value: (message) => `${message.deviceId.slice(0, 16)}…` },
              { heading: 'PAYLOAD', value: (message) => message.payload },
            ],
            'No message yet.',
          ),
      ),
    }),
  },
});
