import { z } from 'zod';
import { defineRoute, json } from '../contract.ts';
import { guid, listOf, page, time } from '../primitives.ts';

/** One frame of a stack; file and line are null where the image has no symbols. */
const frame = z.object({
  function: z.string(),
  offset: z.int(),
  file: z.string().nullable(),
  line: z.int().nullable(),
});

/** Failures with the same fingerprint: one cause, as far as their stacks tell. */
const errorGroup = z.object({
  groupId: z.string(),
  title: z.string(),
  kind: z.enum(['AppCrash', 'AppExit', 'OsFallback', 'OsFailure']),
  status: z.enum(['open', 'fixed', 'regressed']),
  componentId: guid,
  imageIds: z.array(guid),
  osVersions: z.array(z.string()),
  firstSeen: time,
  lastSeen: time,
  count: z.int(),
  deviceCount: z.int(),
  fixedInImageId: guid.nullable(),
});
export type ErrorGroup = z.infer<typeof errorGroup>;

/** A group with its newest report. */
const errorGroupDetail = errorGroup.extend({
  latest: z.object({
    deviceId: z.string(),
    imageId: guid,
    osVersion: z.string(),
    time,
    trap: z.string().nullable(),
    exitCode: z.int().nullable(),
    frames: z.array(frame),
    log: z.array(z.string()),
    /** Of a real-time core, by name: `{"pc": "0x00100234"}`; of an app's memory: `sp`, `heap` and `end`. */
    registers: z.record(z.string(), z.string()).nullable(),
    /** Its stack, in hexadecimal, where the app's manifest asks for snapshots; of a real-time core always. */
    memory: z.object({ address: z.int(), bytes: z.string() }).nullable(),
  }),
});
export type ErrorGroupDetail = z.infer<typeof errorGroupDetail>;

const groupParams = z.strictObject({
  tenantId: guid,
  groupId: z.string().regex(/^[0-9a-f]{16,64}$/, 'hex digits in lower case'),
});

/** Failures of a tenant's devices, grouped. */
export const ERROR_ROUTES = {
  errorGroups: defineRoute({
    name: 'listErrorGroups',
    summary: 'Groups of failures, the latest seen first',
    method: 'GET',
    path: '/v1/tenants/{tenantId}/errors/groups',
    permission: 'Reader',
    scope: 'tenant',
    params: z.strictObject({ tenantId: guid }),
    query: page,
    reply: listOf(errorGroup),
  }),
  errorGroup: defineRoute({
    name: 'getErrorGroup',
    summary: 'One group with its newest report, symbolised',
    method: 'GET',
    path: '/v1/tenants/{tenantId}/errors/groups/{groupId}',
    permission: 'Reader',
    scope: 'tenant',
    params: groupParams,
    reply: errorGroupDetail,
  }),
  markErrorGroupFixed: defineRoute({
    name: 'markErrorGroupFixed',
    summary: 'Say in which image a failure is fixed; it regresses when that image or a later one fails alike',
    method: 'POST',
    path: '/v1/tenants/{tenantId}/errors/groups/{groupId}/fixed',
    permission: 'Contributor',
    scope: 'tenant',
    params: groupParams,
    body: json(z.strictObject({ imageId: guid })),
    reply: errorGroup,
  }),
} as const;
