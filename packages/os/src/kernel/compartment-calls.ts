import type { CallTable } from '@sevenfold/formats';

/** What a compartment's program may ask of the kernel: everything that needs a privilege. */
export const COMPARTMENT_CALLS = {
  started: {
    args: [],
    returns: 'null; the app runs as soon as this is answered, its uptime counts from here',
  },
  log: {
    args: ['line: string, at most 1023 characters'],
    returns: 'null; waits, so that a flood slows the app, not the kernel',
  },
  random: { args: ['length: number, at most 256'], returns: 'bytes' },
  gpioOpen: {
    args: ['pin', '"input" | "output" | "openDrain" | "openSource"', 'initial: 0 | 1'],
    returns: 'null',
  },
  gpioRead: { args: ['pin'], returns: '0 | 1' },
  gpioWrite: { args: ['pin', '0 | 1'], returns: 'null' },
  gpioClose: { args: ['pin'], returns: 'null' },
  uartOpen: {
    args: ['unit', '{baudRate, dataBits, parity, stopBits, flowControl}'],
    returns: 'null',
  },
  uartRead: { args: ['unit', 'most: at most 4096'], returns: 'bytes; waits for the first' },
  uartWrite: { args: ['unit', 'bytes: at most 4096'], returns: 'number: bytes taken, perhaps 0' },
  uartWritable: { args: ['unit'], returns: 'null; when it takes bytes again' },
  uartClose: { args: ['unit'], returns: 'null' },
  i2cOpen: { args: ['unit'], returns: 'null' },
  i2cTransfer: {
    args: [
      'unit',
      'address: 7 bits',
      'write: bytes | null',
      'read: number | null',
      'speed: index of I2C_SPEEDS',
      'timeout: ms',
    ],
    returns: 'bytes that were read',
  },
  i2cClose: { args: ['unit'], returns: 'null' },
  spiOpen: { args: ['unit', 'chipSelect: 0 | 1', 'isActiveHigh: boolean'], returns: 'null' },
  spiTransfer: {
    args: [
      'unit',
      'chipSelect: 0 | 1',
      '{mode, isLsbFirst, speed}',
      'segments: [bytes to write | number of bytes to read], at most 4096 bytes in all',
    ],
    returns: 'bytes that were read',
  },
  spiClose: { args: ['unit', 'chipSelect: 0 | 1'], returns: 'null' },
  adcOpen: { args: ['controller'], returns: 'null' },
  adcSample: { args: ['channel', 'reference: index of ADC_REFERENCES'], returns: 'number: 12 bits' },
  adcClose: { args: [], returns: 'null' },
  pwmOpen: { args: ['controller'], returns: 'null' },
  pwmApply: {
    args: ['controller', 'channel', '{period, duty, isInverted, isEnabled}: nanoseconds'],
    returns: 'null',
  },
  pwmClose: { args: ['controller'], returns: 'null' },
  powerDown: {
    args: ['seconds, at least 1'],
    returns: 'null; every app gets SIGTERM, then everything is off until the alarm, a day later at most',
  },
  setPowerProfile: { args: ['index of POWER_PROFILES'], returns: 'null' },
  setHardwareClock: {
    args: [],
    returns: 'null; the real-time clock is set to the time of the system',
  },
  settings: {
    args: ['operation: number of settings/settings.ts', 'request: bytes, rows of fields'],
    returns: 'bytes: rows of fields',
  },
  mutableRead: { args: [], returns: 'bytes; empty if there was no file: it is made' },
  mutableWrite: { args: ['content: bytes'], returns: 'null; in flash' },
  mutableDelete: { args: [], returns: 'null' },
  deviceAuthReady: {
    args: [],
    returns: 'boolean: the device has a certificate for the tenant of the manifest',
  },
  deviceId: { args: [], returns: 'string; only for apps with device authentication' },
  tlsRoots: {
    args: ['PEM: bytes, at most 16384'],
    returns: 'null; servers of this app are judged by these from now on',
  },
  tlsConnect: {
    args: [
      '{host, port, identity: "none" | "device", isHttp: boolean, isDirect: boolean, peer: string | null}',
    ],
    returns:
      'number: connection; isHttp: HTTP/2 is offered; isDirect: past the proxy; peer: a device of the tenant, this one or (empty) any',
  },
  tlsProtocol: { args: ['connection'], returns: '"h2" | "http/1.1" | ""' },
  tlsListen: {
    args: ['port', 'backlog'],
    returns: 'number: listener; devices of the same tenant come, nobody else',
  },
  tlsAccept: { args: ['listener'], returns: '{connection, deviceId, address, port}; waits for a device' },
  tlsUnlisten: { args: ['listener'], returns: 'null' },
  http2Request: {
    args: ['connection', '{method, path, fields: [[name, value]], body: bytes | null}'],
    returns: 'number: exchange, with the host of the connection',
  },
  http2Head: { args: ['exchange'], returns: '{status, fields: [[name, value]]}; waits for it' },
  http2Read: { args: ['exchange', 'most'], returns: 'bytes; empty at the end; waits for data' },
  http2Close: { args: ['exchange'], returns: 'null' },
  tlsRead: { args: ['connection', 'most'], returns: 'bytes; empty at the end; waits for data' },
  tlsWrite: { args: ['connection', 'bytes'], returns: 'null' },
  tlsClose: { args: ['connection'], returns: 'null' },
  watchSignals: {
    args: [],
    returns: 'null; from now on SIGTERM is an event, and its end comes half a second later',
  },
  nextEvent: {
    args: [],
    returns: '{kind: "signal", signal} | {kind: "system", event, status, updateType, minutes}; waits for one',
  },
  systemEvents: { args: ['mask: SysEvent_Events'], returns: 'null; once' },
  systemEventsEnd: { args: [], returns: 'null' },
  deferUpdate: { args: ['event', 'minutes'], returns: 'null' },
  resumeUpdate: { args: ['event'], returns: 'null' },
  watchdog: { args: ['milliseconds; 0: no longer'], returns: 'null; ended unless asked again in time' },
  setSystemTime: { args: ['milliseconds since 1970'], returns: 'null' },
  reboot: { args: [], returns: 'null; every app gets SIGTERM, then the device restarts' },
  netResolve: { args: ['name'], returns: '[IPv4 addresses as numbers] of a name that the manifest names' },
  netConnect: { args: ['address', 'port'], returns: '{socket, localAddress, localPort}' },
  netConnectHost: { args: ['host', 'port'], returns: 'as netConnect; through the device’s proxy' },
  netListen: { args: ['port', 'backlog'], returns: '{socket}' },
  netAccept: { args: ['socket'], returns: '{socket, address, port, localAddress, localPort}; waits' },
  netRead: { args: ['socket', 'most'], returns: 'bytes; empty at the end; waits for data' },
  netWrite: { args: ['socket', 'bytes'], returns: 'null' },
  netShutdown: { args: ['socket'], returns: 'null; nothing more will be written' },
  netDatagrams: { args: ['port: 0 for any'], returns: '{socket, localAddress, localPort}' },
  netSend: { args: ['socket', 'address', 'port', 'bytes'], returns: 'null' },
  netReceive: { args: ['socket'], returns: '{address, port, bytes}; waits' },
  netClose: { args: ['socket'], returns: 'null' },
  appConnect: {
    args: ['componentId: of a real-time app'],
    returns: 'number: connection; both manifests must name each other',
  },
  appSend: {
    args: ['connection', 'message: bytes, at most 1040'],
    returns: 'null; when it is in the ring: waits for room there',
  },
  appReceive: { args: ['connection'], returns: 'bytes: one message; waits for it' },
  appClose: { args: ['connection'], returns: 'null' },
  exited: {
    args: [
      '{kind: "exit", exitCode} | {kind: "trap", trap: string, frames: [{function, offset}], memory: {stackPointer: number | null, heapStart: number | null, size, stack: bytes, at most 2048}}',
    ],
    returns: 'null; the last call: the kernel ends the compartment',
  },
} as const satisfies CallTable;

/** What the kernel hands to `startCompartment` beside program and module, and the program reads from `module`. */
export interface CompartmentOptions {
  /** `argv`: the path of the entry point, then the manifest's CmdArgs. */
  readonly args: readonly string[];
  /** Path of the module in the image: reading it gives the module. */
  readonly entryPoint: string;
  /** Every other file of the image, by absolute path. */
  readonly files: readonly { readonly path: string; readonly bytes: Uint8Array }[];
  /** Bytes of mutable storage; 0: none. */
  readonly mutableQuota: number;
  readonly osVersion: string;
}
