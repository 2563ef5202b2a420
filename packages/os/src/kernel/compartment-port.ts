import {
  bytesArgument,
  choiceArgument,
  KERNEL_EVENTS,
  POWER_PROFILES,
  listArgument,
  PortError,
  recordArgument,
  serveCalls,
  textArgument,
  uintArgument,
  type CallImplementation,
  type Clock,
  type Port,
  type PortHandler,
  type PortValue,
  MOST_APP_STACK,
  type AppMemory,
} from '@sevenfold/formats';
import type { Applications } from './applications.ts';
import { COMPARTMENT_CALLS } from './compartment-calls.ts';
import type { ApplicationEnd, Compartment } from './compartments.ts';
import { KernelError } from './errors.ts';
import { readRoots, type Connections, type TlsWish } from './connections.ts';
import type { Http2Exchanges } from './http2.ts';
import type { Sockets } from './sockets.ts';
import type { Drivers } from './drivers/drivers.ts';
import { armPowerDown, setPowerProfile } from './drivers/power-driver.ts';
import type { InterCore } from './inter-core/inter-core.ts';
import { peripheralCalls, type CompartmentAnswer } from './peripheral-port.ts';
import type { DeviceSettings } from './settings/settings.ts';
import type { MutableStorage } from './storage.ts';
import type { SystemEvents } from './system-events.ts';
import type { TimeKeeper } from './time-keeper.ts';

/** What compartments' calls work on. */
export interface CompartmentServices {
  readonly applications: Applications;
  readonly drivers: Drivers;
  /** Sets the real-time clock, for an app that may. */
  readonly setHardwareClock: (compartment: Compartment) => Promise<null>;
  readonly connections: Connections;
  readonly exchanges: Http2Exchanges;
  readonly sockets: Sockets;
  readonly interCore: InterCore;
  readonly storage: MutableStorage;
  readonly settings: DeviceSettings;
  readonly systemEvents: SystemEvents;
  readonly monitor: Port;
  readonly timeKeeper: TimeKeeper;
  /** Ends every app and restarts the device. */
  readonly restart: () => Promise<void>;
  readonly clock: Clock;
  /** A line of an app's log. */
  readonly say: (compartment: Compartment, line: string) => void;
}

const LONGEST_LINE = 1023;
const MOST_ENTROPY = 256;
const LONGEST_HOST = 253;
const LONGEST_DEVICE_ID = 128;
const LONGEST_ID = 36;
const LARGEST_ROOTS = 16_384;
const LARGEST_TRANSFER = 65_536;
const MOST_FRAMES = 64;
const LONGEST_TRAP = 64;
const U32 = { max: 0xffffffff };
/** The last instant that a Date can be. */
const LATEST = { max: 8.64e15 };
const LONGEST_DATAGRAM = 65_507;
const MOST_PORT = 65_535;

function memoryArgument(untrusted: PortValue): AppMemory {
  const field = 'end.memory';
  const { stackPointer, heapStart, size, stack } = recordArgument(untrusted, field, [
    'stackPointer',
    'heapStart',
    'size',
    'stack',
  ]);
  const address = (value: PortValue, name: string): number | null =>
    value === null ? null : uintArgument(value, `${field}.${name}`, U32);
  return {
    stackPointer: address(stackPointer, 'stackPointer'),
    heapStart: address(heapStart, 'heapStart'),
    size: uintArgument(size, `${field}.size`, U32),
    stack: bytesArgument(stack, `${field}.stack`, { max: MOST_APP_STACK }),
  };
}

function endArgument(untrusted: PortValue | undefined): ApplicationEnd {
  const isExit =
    typeof untrusted === 'object' && untrusted !== null && Reflect.get(untrusted, 'kind') === 'exit';
  if (isExit) {
    const { exitCode } = recordArgument(untrusted, 'end', ['kind', 'exitCode']);
    return { kind: 'exit', exitCode: uintArgument(exitCode, 'end.exitCode', { max: 255 }) };
  }
  const { kind, trap, frames, memory } = recordArgument(untrusted, 'end', [
    'kind',
    'trap',
    'frames',
    'memory',
  ]);
  return {
    memory: memoryArgument(memory),
    kind: choiceArgument(kind, 'end.kind', ['trap']),
    trap: textArgument(trap, 'end.trap', LONGEST_TRAP),
    frames: listArgument(frames, 'end.frames', MOST_FRAMES, (item, field) => {
      const frame = recordArgument(item, field, ['function', 'offset']);
      return {
        function: uintArgument(frame.function, `${field}.function`, U32),
        offset: uintArgument(frame.offset, `${field}.offset`, U32),
      };
    }),
  };
}

function wishArgument(untrusted: PortValue | undefined): TlsWish {
  const { host, port, identity, isHttp, isDirect, peer } = recordArgument(untrusted, 'target', [
    'host',
    'port',
    'identity',
    'isHttp',
    'isDirect',
    'peer',
  ]);
  return {
    host: textArgument(host, 'target.host', LONGEST_HOST),
    port: uintArgument(port, 'target.port', { min: 1, max: MOST_PORT }),
    identity: choiceArgument(identity, 'target.identity', ['none', 'device']),
    isHttp: isHttp === true,
    isDirect: isDirect === true,
    // The empty id is any device.
    peer:
      peer === null
        ? null
        : { deviceId: textArgument(peer, 'target.peer', LONGEST_DEVICE_ID).toLowerCase() || null },
  };
}

function requireCapability(field: string, isThere: boolean): void {
  if (!isThere)
    throw new KernelError('AccessDenied', `The manifest does not name ${field}.`, {
      field: `Capabilities.${field}`,
    });
}

/** Answers the calls of compartments that run; each only for what it itself holds and its manifest names. */
export function serveCompartments(services: CompartmentServices): PortHandler {
  const { applications, connections, exchanges, interCore, sockets, storage, monitor } = services;
  const of =
    (answer: CompartmentAnswer): CallImplementation =>
    (args, caller) => {
      const compartment = applications.find(caller);
      if (compartment === null)
        throw new PortError('CallerNotAllowed', `${caller} has been ended.`, { field: 'caller' });
      return answer(compartment, ...args);
    };
  const connectionOf = (value: PortValue | undefined): number => uintArgument(value, 'connection');
  const exchangeOf = (value: PortValue | undefined): number => uintArgument(value, 'exchange');
  const socketOf = (value: PortValue | undefined): number => uintArgument(value, 'socket');
  const portOf = (value: PortValue | undefined): number => uintArgument(value, 'port', { max: MOST_PORT });
  const peripherals = mapCalls(peripheralCalls(services.drivers), of);
  return serveCalls(COMPARTMENT_CALLS, (caller) => applications.find(caller) !== null, {
    started: of((compartment) => {
      compartment.startedAt = services.clock.monotonic();
      return null;
    }),
    log: of((compartment, line) => {
      services.say(compartment, textArgument(line, 'line', LONGEST_LINE));
      return null;
    }),
    random: of((_compartment, length) =>
      monitor.call('random', uintArgument(length, 'length', { min: 1, max: MOST_ENTROPY })),
    ),
    ...peripherals,
    setHardwareClock: of((compartment) => services.setHardwareClock(compartment)),
    settings: of((compartment, operation, request) =>
      services.settings.handle(
        compartment,
        uintArgument(operation, 'operation'),
        bytesArgument(request, 'request', { max: LARGEST_TRANSFER }),
      ),
    ),
    mutableRead: of((compartment) => storage.read(compartment)),
    mutableWrite: of((compartment, content) =>
      storage.write(compartment, bytesArgument(content, 'content', { max: LARGEST_TRANSFER })),
    ),
    mutableDelete: of((compartment) => storage.delete(compartment)),
    deviceAuthReady: of((compartment) => connections.isReady(compartment)),
    deviceId: of((compartment) => connections.deviceId(compartment)),
    tlsRoots: of((compartment, pem) => {
      compartment.tlsRoots = readRoots(bytesArgument(pem, 'pem', { max: LARGEST_ROOTS }));
      return null;
    }),
    tlsConnect: of((compartment, untrusted) => connections.connect(compartment, wishArgument(untrusted))),
    tlsProtocol: of((compartment, connection) => connections.protocol(compartment, connectionOf(connection))),
    tlsListen: of((compartment, port, backlog) =>
      connections.listen(compartment, portOf(port), uintArgument(backlog, 'backlog', U32)),
    ),
    tlsAccept: of((compartment, listener) =>
      connections.accept(compartment, uintArgument(listener, 'listener')),
    ),
    tlsUnlisten: of((compartment, listener) =>
      connections.closeListener(compartment, uintArgument(listener, 'listener')),
    ),
    http2Request: of((compartment, connection, request) =>
      exchanges.request(compartment, connectionOf(connection), request),
    ),
    http2Head: of((compartment, exchange) => exchanges.head(compartment, exchangeOf(exchange))),
    http2Read: of((compartment, exchange, most) =>
      exchanges.read(
        compartment,
        exchangeOf(exchange),
        uintArgument(most, 'most', { min: 1, max: LARGEST_TRANSFER }),
      ),
    ),
    http2Close: of((compartment, exchange) => exchanges.close(compartment, exchangeOf(exchange))),
    tlsRead: of((compartment, connection, most) =>
      connections.read(
        compartment,
        connectionOf(connection),
        uintArgument(most, 'most', { min: 1, max: LARGEST_TRANSFER }),
      ),
    ),
    tlsWrite: of((compartment, connection, bytes) =>
      connections.write(
        compartment,
        connectionOf(connection),
        bytesArgument(bytes, 'bytes', { max: LARGEST_TRANSFER }),
      ),
    ),
    tlsClose: of((compartment, connection) => connections.close(compartment, connectionOf(connection))),
    watchSignals: of((compartment) => {
      compartment.handlesSignals = true;
      return null;
    }),
    nextEvent: of((compartment) => compartment.events.next()),
    systemEvents: of((compartment, mask) => {
      services.systemEvents.register(compartment, uintArgument(mask, 'mask', U32));
      return null;
    }),
    systemEventsEnd: of((compartment) => {
      services.systemEvents.forget(compartment);
      return null;
    }),
    deferUpdate: of((compartment, event, minutes) => {
      services.systemEvents.defer(
        compartment,
        uintArgument(event, 'event', U32),
        uintArgument(minutes, 'minutes', U32),
      );
      return null;
    }),
    resumeUpdate: of((compartment, event) => {
      services.systemEvents.resume(compartment, uintArgument(event, 'event', U32));
      return null;
    }),
    watchdog: of((compartment, milliseconds) => {
      void applications.watch(compartment, uintArgument(milliseconds, 'milliseconds', U32));
      return null;
    }),
    setSystemTime: of(async (compartment, milliseconds) => {
      requireCapability('SystemTime', compartment.application.capabilities.systemTime);
      await services.timeKeeper.set(uintArgument(milliseconds, 'milliseconds', LATEST), 'app');
      return null;
    }),
    reboot: of((compartment) => {
      const { powerControls } = compartment.application.capabilities;
      requireCapability('PowerControls', powerControls.includes('ForceReboot'));
      // Not waited for: it ends the very compartment that this answers.
      void services.restart();
      return null;
    }),
    powerDown: of(async (compartment, seconds) => {
      const { powerControls } = compartment.application.capabilities;
      requireCapability('PowerControls', powerControls.includes('ForcePowerDown'));
      await armPowerDown(services.drivers.bus, uintArgument(seconds, 'seconds', { min: 1, ...U32 }));
      void services.restart();
      return null;
    }),
    setPowerProfile: of(async (compartment, profile) => {
      const { powerControls } = compartment.application.capabilities;
      requireCapability('PowerControls', powerControls.includes('SetPowerProfile'));
      const index = uintArgument(profile, 'profile', { max: POWER_PROFILES.length - 1 });
      await setPowerProfile(services.drivers.bus, index);
      return null;
    }),
    netResolve: of((compartment, name) =>
      sockets.resolve(compartment, textArgument(name, 'name', LONGEST_HOST)),
    ),
    netConnect: of((compartment, address, port) =>
      sockets.connect(compartment, uintArgument(address, 'address', U32), portOf(port)),
    ),
    netConnectHost: of((compartment, host, port) =>
      sockets.connectHost(compartment, textArgument(host, 'host', LONGEST_HOST), portOf(port)),
    ),
    netListen: of((compartment, port, backlog) =>
      sockets.listen(compartment, portOf(port), uintArgument(backlog, 'backlog', U32)),
    ),
    netAccept: of((compartment, socket) => sockets.accept(compartment, socketOf(socket))),
    netRead: of((compartment, socket, most) =>
      sockets.read(
        compartment,
        socketOf(socket),
        uintArgument(most, 'most', { min: 1, max: LARGEST_TRANSFER }),
      ),
    ),
    netWrite: of((compartment, socket, bytes) =>
      sockets.write(compartment, socketOf(socket), bytesArgument(bytes, 'bytes', { max: LARGEST_TRANSFER })),
    ),
    netShutdown: of((compartment, socket) => sockets.shutdown(compartment, socketOf(socket))),
    netDatagrams: of((compartment, port) => sockets.openDatagrams(compartment, portOf(port))),
    netSend: of((compartment, socket, address, port, bytes) =>
      sockets.send(
        compartment,
        socketOf(socket),
        [uintArgument(address, 'address', U32), portOf(port)],
        bytesArgument(bytes, 'bytes', { max: LONGEST_DATAGRAM }),
      ),
    ),
    netReceive: of((compartment, socket) => sockets.receive(compartment, socketOf(socket))),
    netClose: of((compartment, socket) => sockets.close(compartment, socketOf(socket))),
    appConnect: of((compartment, componentId) =>
      interCore.connect(compartment, textArgument(componentId, 'componentId', LONGEST_ID)),
    ),
    appSend: of(async (compartment, connection, message) => {
      const bytes = bytesArgument(message, 'message', { max: LARGEST_TRANSFER });
      await interCore.send(compartment, connectionOf(connection), bytes);
      return null;
    }),
    appReceive: of((compartment, connection) => interCore.receive(compartment, connectionOf(connection))),
    appClose: of((compartment, connection) => interCore.close(compartment, connectionOf(connection))),
    exited: of((compartment, end) => {
      // Not waited for: ending the compartment ends the very call that this answers.
      void applications.ended(compartment, endArgument(end));
      return null;
    }),
  });
}

/** The same for every answer of a table. */
function mapCalls<Name extends string>(
  answers: Readonly<Record<Name, CompartmentAnswer>>,
  wrap: (answer: CompartmentAnswer) => CallImplementation,
): Record<Name, CallImplementation> {
  const names = Object.keys(answers) as Name[];
  return Object.fromEntries(names.map((name) => [name, wrap(answers[name])])) as Record<
    Name,
    CallImplementation
  >;
}

const LONGEST_REASON = 64;
const MOST_LINES = 100;

/**
 * Answers the hardware, which tells of interrupts, and of compartments whose thread ended by itself: out of memory,
 * most likely.
 */
export function serveHardware(applications: Applications, drivers: Drivers): PortHandler {
  return serveCalls(KERNEL_EVENTS, (caller) => caller === 'hardware', {
    compartmentEnded: ([id, reason]) => {
      const compartment = applications.find(`compartment:${uintArgument(id, 'id')}`);
      const trap = `compartment lost: ${textArgument(reason, 'reason', LONGEST_REASON)}`;
      if (compartment !== null) void applications.ended(compartment, { kind: 'trap', trap, frames: [] });
      return null;
    },
    compartmentHeld: ([id, isHeld]) => {
      const compartment = applications.find(`compartment:${uintArgument(id, 'id')}`);
      if (compartment !== null) applications.hold(compartment, isHeld === true);
      return null;
    },
    interrupt: async ([lines]) => {
      const high = listArgument(lines, 'lines', MOST_LINES, (line, field) => uintArgument(line, field));
      await drivers.interrupted(high);
      await applications.interrupted(high);
      return null;
    },
  });
}
