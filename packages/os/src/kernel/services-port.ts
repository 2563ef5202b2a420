import {
  CAPABILITY_COMPONENT_ID,
  bytesArgument,
  choiceArgument,
  KERNEL_CALLS,
  listArgument,
  MONITOR_CALLS,
  PortError,
  recordArgument,
  serveCalls,
  SERVICES_MONITOR_CALLS,
  textArgument,
  uintArgument,
  type Port,
  type PortHandler,
  type PortValue,
} from '@sevenfold/formats';
import type { Applications } from './applications.ts';
import type { ClientIdentity, Connections, ProxyRecord } from './connections.ts';
import type { SystemEvents } from './system-events.ts';
import type { CredentialStore } from './credentials.ts';
import type { FailureLog } from './failures.ts';
import type { TimeKeeper } from './time-keeper.ts';

/** What the services' calls work on. */
export interface ServicesHost {
  readonly monitor: Port;
  readonly hardware: Port;
  readonly applications: Applications;
  readonly connections: Connections;
  readonly timeKeeper: TimeKeeper;
  /** The device's proxy for a host; null: none. */
  readonly proxyFor: (host: string) => Promise<ProxyRecord | null>;
  readonly systemEvents: SystemEvents;
  readonly credentials: CredentialStore;
  readonly failures: FailureLog;
  /** Ends every app and restarts the device. */
  readonly restart: () => Promise<void>;
}

const LONGEST_ID = 64;
const MOST_CERTIFICATES = 16;
const LARGEST_CERTIFICATE = 16 * 1024;
const LARGEST_KEY = 8192;
/** The last instant that a Date can be. */
const LATEST = { max: 8.64e15 };

function identityArgument(untrusted: PortValue | undefined): ClientIdentity | null {
  if (untrusted === null) return null;
  const { tenantId, chain, key } = recordArgument(untrusted, 'identity', ['tenantId', 'chain', 'key']);
  return {
    tenantId: textArgument(tenantId, 'identity.tenantId', LONGEST_ID),
    chain: listArgument(chain, 'identity.chain', MOST_CERTIFICATES, (item, field) =>
      bytesArgument(item, field, { min: 1, max: LARGEST_CERTIFICATE }),
    ),
    key: bytesArgument(key, 'identity.key', { min: 1, max: LARGEST_KEY }),
  };
}

const isServices = (caller: string): boolean => caller === 'services';

/** Answers the OS services: the kernel's own calls, and those of the monitor that pass through unchanged. */
export function serveServices(services: ServicesHost): PortHandler {
  const { proxyFor } = services;
  const { monitor, hardware, applications, connections, credentials, systemEvents, failures, restart } =
    services;
  const componentOf = (value: PortValue | undefined): string =>
    textArgument(value, 'componentId', LONGEST_ID);
  const own = serveCalls(KERNEL_CALLS, isServices, {
    async httpsOpen([target]) {
      const host = typeof target === 'object' && target !== null ? Reflect.get(target, 'host') : null;
      const proxy = typeof host === 'string' ? await proxyFor(host) : null;
      return hardware.call('httpsOpen', proxy === null ? (target ?? null) : { ...Object(target), proxy });
    },
    httpsExporter: (args) => hardware.call('httpsExporter', ...args),
    httpsRequest: (args) => hardware.call('httpsRequest', ...args),
    httpsClose: (args) => hardware.call('httpsClose', ...args),
    async setTime([milliseconds]) {
      await services.timeKeeper.set(uintArgument(milliseconds, 'milliseconds', LATEST), 'service');
      return null;
    },
    setClientIdentity: ([identity]) => {
      connections.setIdentity(identityArgument(identity));
      return null;
    },
    updateState: ([state]) => {
      systemEvents.announce(choiceArgument(state, 'state', ['none', 'started', 'complete']));
      return null;
    },
    updateReady: ([type]) => systemEvents.ready(choiceArgument(type, 'type', ['application', 'system'])),
    credentialsRead: () => credentials.read(),
    credentialsWrite: ([bytes]) => credentials.write(bytes),
    appList: () => applications.list(),
    setCapability: async ([file]) => {
      await monitor.call('mutableWrite', CAPABILITY_COMPONENT_ID, file ?? null);
      return null;
    },
    appInstalled: async ([componentId]) => {
      await applications.install(componentOf(componentId));
      return null;
    },
    appRemoved: async ([componentId]) => {
      await applications.remove(componentOf(componentId));
      return null;
    },
  });
  return async (caller, method, args) => {
    const passed = SERVICES_MONITOR_CALLS.find((name) => name === method);
    if (passed === undefined) return own(caller, method, args);
    if (!isServices(caller))
      throw new PortError('CallerNotAllowed', `${caller} may not call here.`, { field: 'caller' });
    if (args.length !== MONITOR_CALLS[passed].args.length) {
      throw new PortError('BadArgument', `${passed} takes ${MONITOR_CALLS[passed].args.length} arguments.`, {
        field: 'args',
      });
    }
    if (passed === 'restart') {
      await restart();
      return null;
    }
    if (passed !== 'recordList') return monitor.call(passed, ...args);
    // What the services have seen may be on its way: from now on it stays as it is.
    failures.freeze();
    const records = await monitor.call(passed, ...args);
    failures.freeze();
    return records;
  };
}
