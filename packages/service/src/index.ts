export {
  importFromOfflineRoot,
  initPki,
  requestFromOfflineRoot,
  type PkiFolderOptions,
} from './certificates/pki-folder.ts';
export { startService, type RunningService, type ServiceOptions } from './service.ts';
export { ServiceError, type ServiceErrorCode } from './service-error.ts';
export type { Ports } from './data-folder.ts';
export { FLEET_SCHEDULE, type Schedule, type Window } from './device-port/schedule.ts';
export { createLog, SILENT_LOG, type LogDestination, type LogFields, type ServiceLog } from './http/log.ts';
export type { ServerLimits } from './http/people-server.ts';
