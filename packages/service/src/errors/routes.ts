import type { ErrorGroup as GroupReply, ErrorGroupDetail } from '@sevenfold/api';

import { toTime, type Handlers } from '../http/handlers.ts';
import type { ServiceContext } from '../service-context.ts';
import type { ErrorGroup } from './error-group.ts';
import { getErrorGroup, listErrorGroups, markErrorGroupFixed } from './error-groups.ts';

type ErrorHandlers = Pick<Handlers, 'errorGroups' | 'errorGroup' | 'markErrorGroupFixed'>;

/** Answers the routes of `ERROR_ROUTES`. */
export function errorHandlers(context: Pick<ServiceContext, 'store' | 'clock'>): ErrorHandlers {
  return {
    async errorGroups({ params, query }) {
      const { items, next } = await listErrorGroups(context, params.tenantId, query);
      return { items: items.map(toReply), next };
    },
    errorGroup: async ({ params }) => toDetail(await getErrorGroup(context, params.tenantId, params.groupId)),
    markErrorGroupFixed: async ({ params, body }) =>
      toReply(await markErrorGroupFixed(context, params.tenantId, params.groupId, body.imageId)),
  };
}

const STATUS = { Open: 'open', Fixed: 'fixed', Regressed: 'regressed' } as const satisfies Record<
  ErrorGroup['state'],
  GroupReply['status']
>;

function toReply(group: ErrorGroup): GroupReply {
  return {
    groupId: group.groupId,
    title: group.title,
    kind: group.kind,
    status: STATUS[group.state],
    componentId: group.componentId,
    imageIds: group.images.map((image) => image.imageId),
    osVersions: [...group.osVersions],
    firstSeen: toTime(group.firstSeen),
    lastSeen: toTime(group.lastSeen),
    count: group.count,
    deviceCount: group.deviceCount,
    fixedInImageId: group.fixedImageId,
  };
}

function toDetail(group: ErrorGroup): ErrorGroupDetail {
  const { deviceId, imageId, osVersion, time, trap, exitCode, stack, log, registers, memory } = group.example;
  return {
    ...toReply(group),
    latest: {
      deviceId,
      imageId,
      osVersion,
      time: toTime(time),
      trap,
      exitCode,
      frames: [...stack],
      log: [...log],
      registers: registers === null ? null : { ...registers },
      memory: memory === null ? null : { ...memory },
    },
  };
}
