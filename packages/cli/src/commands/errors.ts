import { buildCommand, buildRouteMap, type RouteMap } from '@stricli/core';
import { ROUTES, type ErrorGroup } from '@sevenfold/api';
import {
  allItems,
  positionals,
  tenantFlags,
  textFlag,
  inTenant,
  type CliContext,
  type TenantFlags,
} from '../context.ts';
import { describeErrorGroup, describeStatus } from '../describe-error-group.ts';
import { printable } from '../printable.ts';
import { formatTable } from '../table.ts';

const formatGroups = (groups: readonly ErrorGroup[]): string =>
  formatTable(
    groups,
    [
      { heading: 'GROUP', value: (group) => group.groupId },
      { heading: 'STATUS', value: (group) => group.status },
      { heading: 'COUNT', value: (group) => String(group.count) },
      { heading: 'DEVICES', value: (group) => String(group.deviceCount) },
      { heading: 'LAST SEEN', value: (group) => group.lastSeen },
      { heading: 'WHAT', value: (group) => group.title },
    ],
    'No failure reported.',
  );

const GROUP = { brief: 'Group id', placeholder: 'GROUP' } as const;

export const errorCommands: RouteMap<CliContext> = buildRouteMap({
  docs: { brief: 'Failures of the tenant’s devices, grouped by cause' },
  routes: {
    list: buildCommand<TenantFlags, [], CliContext>({
      docs: { brief: 'List groups, the latest seen first' },
      parameters: { flags: tenantFlags },
      func: inTenant(
        (client, tenantId) =>
          allItems<ErrorGroup>((query) => client.call(ROUTES.errorGroups, { params: { tenantId }, query })),
        formatGroups,
      ),
    }),
    show: buildCommand<TenantFlags, [string], CliContext>({
      docs: { brief: 'Show a group with its newest stack, symbolised' },
      parameters: { flags: tenantFlags, positional: positionals(GROUP) },
      func: inTenant(
        (client, tenantId, _flags, groupId) =>
          client.call(ROUTES.errorGroup, { params: { tenantId, groupId } }),
        describeErrorGroup,
      ),
    }),
    fix: buildCommand<TenantFlags & { readonly image: string }, [string], CliContext>({
      docs: { brief: 'Say in which image a failure is fixed' },
      parameters: {
        flags: { ...tenantFlags, image: textFlag('The image that fixes it', 'IMAGE') },
        positional: positionals(GROUP),
      },
      func: inTenant(
        (client, tenantId, { image }, groupId) =>
          client.call(ROUTES.markErrorGroupFixed, {
            params: { tenantId, groupId },
            body: { imageId: image },
          }),
        (group) => `${printable(group.title)}\n  ${describeStatus(group)}\n`,
      ),
    }),
  },
});
