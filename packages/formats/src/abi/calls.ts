import type { CallTable } from './argument-rules.ts';
import type { MONITOR_CALLS } from './monitor-calls.ts';

/*
 * The calls that each layer of a device offers to the layer above it: the whole of each interface, but for Pluton's
 * (`pluton-commands.ts`) and the Security Monitor's (`monitor-calls.ts`). One row a call: its arguments in order, and
 * what comes back. Everything else is refused with `UnknownCall`.
 */

/**
 * The kernel, as the OS services see it: these calls of the monitor pass through unchanged …
 */
export const SERVICES_MONITOR_CALLS = [
  'identity',
  'bootInfo',
  'loadFile',
  'listImages',
  'stageBegin',
  'stageWrite',
  'stageFinish',
  'stageAbort',
  'commit',
  'confirmHealthy',
  'restart',
  'recordList',
  'recordRemove',
  'recordAppend',
  'attest',
  'verifySigned',
  'createSessionKey',
  'signWithSessionKey',
  'exportSessionKey',
  'sha256',
  'random',
] as const satisfies readonly (keyof typeof MONITOR_CALLS)[];

/** … and these are its own. */
export const KERNEL_CALLS = {
  httpsOpen: {
    args: ['{host, port, serverName, roots: [DER], clientChain?: [DER], clientKey?: PKCS#8}'],
    returns: 'number: session id, TLS 1.3 up and the server authenticated',
  },
  httpsExporter: {
    args: ['session', 'label: string', 'length: number'],
    returns: 'bytes: RFC 8446 §7.5, empty context',
  },
  httpsRequest: {
    args: [
      'session',
      '{method, path, contentType?: string, body?: bytes, rangeStart?: number, rangeLength?: number}',
    ],
    returns: '{status: number, contentType: string, retryAfter: number | null, body: bytes}',
  },
  httpsClose: { args: ['session'], returns: 'null' },
  setClientIdentity: {
    args: ['{tenantId, chain: [DER], key: PKCS#8} | null'],
    returns: 'null; from now on apps of that tenant may use it, none may read the key',
  },
  credentialsRead: {
    args: [],
    returns: 'bytes | null: what these very services on this very system kept, through any number of boots',
  },
  credentialsWrite: {
    args: ['bytes, at most 32000 | null'],
    returns: 'null; kept in flash, sealed to what is measured; null: nothing is kept',
  },
  setTime: { args: ['milliseconds since 1970'], returns: 'null' },
  updateState: {
    args: ['"none" | "started" | "complete"'],
    returns: 'null; apps that registered are told (applibs/sysevent.h)',
  },
  updateReady: {
    args: ['"application" | "system"'],
    returns: 'number: ms for which apps put the installation off; 0: install now',
  },
  appList: {
    args: [],
    returns:
      '[{componentId, imageId, name, state: "running"|"backoff"|"stopped", restarts: number, uptime: number, cpuTime: number | null}]',
  },
  setCapability: {
    args: ['file: bytes | null'],
    returns: 'null; kept if it is signed and for this device, in force from the next boot on; null: removed',
  },
  appInstalled: { args: ['componentId'], returns: 'null; (re)starts it from the newly committed image' },
  appRemoved: { args: ['componentId'], returns: 'null' },
} as const satisfies CallTable;

/** The services, as the attached-device gateway (CLI, debuggers, tests) sees them. */
export const GATEWAY_CALLS = {
  status: {
    args: [],
    returns:
      '{deviceId, osVersion, verdict: string | null, reasons: [string], tenantId: string | null, clientChain: [DER], updateChain: [DER], nextCheck: ms, images: as listImages, apps: as appList, queuedReports: number, capabilities: [string], lastError: string | null, phase: "starting"|"attesting"|"updating"|"idle"|"offline"}',
  },
  setCapability: {
    args: ['file: bytes | null'],
    returns: 'null; kept, or null: removed; then the device restarts, and what it says is in force',
  },
  sideload: {
    args: ['package: bytes'],
    returns:
      '{restartRequired: boolean}; only where a capability or the manufacturing state allows it; the image must verify',
  },
  sideloadRemove: { args: ['componentId: string'], returns: 'null; as sideload' },
  checkNow: { args: [], returns: 'status, after one whole round: attest, plan, update, report' },
} as const satisfies CallTable;

/** Pluton's own hardware, behind its mailbox core: silicon's side. */
export const PLUTON_HARDWARE_CALLS = {
  bootSelection: {
    args: [],
    returns:
      '{config: "current" | "fallback", record: bytes, failures: [...], resetReason, provided: [{version, kind}]: interfaces of the Pluton runtime}',
  },
  trustedKeystore: { args: [], returns: 'bytes: the keystore package that the ROM verified' },
  readFuses: {
    args: [],
    returns:
      '{chipSku, manufacturingState, rootKeyHash, securityVersions: {[imageType]: n}, stateEpoch, needsSecondSignature: boolean}',
  },
  programSecurityVersion: { args: ['imageType', 'version'], returns: 'null; thermometer bits, one way' },
  raiseStateEpoch: { args: [], returns: 'null; one thermometer bit, one way' },
  identityKey: { args: [], returns: 'bytes: SPKI of the attestation key' },
  signIdentity: { args: ['message: bytes'], returns: 'bytes64: r‖s over SHA-256; the key stays' },
  generalKey: { args: [], returns: 'bytes: SPKI of the general key' },
  signRecord: {
    args: ['record: bytes'],
    returns:
      'bytes64: r‖s by the general key over SHA-256 of "sevenfold device record v1", a zero and the record',
  },
  openDelivery: {
    args: ['ephemeral: SPKI', 'context: bytes', 'box: nonce, ciphertext, tag'],
    returns: 'bytes: what was sealed to the general key, or refused with NotAuthentic',
  },
  makeKey: {
    args: ['context: bytes32', 'salt: bytes32 | null for a fresh one'],
    returns: '{slot: number, spki, salt: bytes32}: the same key for the same chip, context and salt',
  },
  signKey: { args: ['slot', 'message'], returns: 'bytes64' },
  exportKey: { args: ['slot'], returns: 'bytes: PKCS#8; slot emptied' },
  verify: {
    args: ['spki: bytes', 'message', 'signature: bytes64'],
    returns: 'boolean: ECDSA P-256, SHA-256',
  },
  verifyDigest: {
    args: ['spki: bytes', 'digest: bytes32', 'signature: bytes64'],
    returns: 'boolean: ECDSA P-256 over what SHA-256 gave already',
  },
  verifySecond: {
    args: ['spki: bytes', 'message', 'signature: bytes3309'],
    returns: 'boolean: ML-DSA-65 (FIPS 204)',
  },
  sha256: { args: ['message'], returns: 'bytes32' },
  sha256Tails: {
    args: ['head: bytes', 'tails: [bytes] at most 4'],
    returns: '[bytes32]: of the head with each of the tails, in one pass over the head',
  },
  verifyRsa: {
    args: ['spki: bytes, RSA-2048', 'message', 'signature: bytes256'],
    returns: 'boolean: RSASSA-PKCS1-v1_5, SHA-256',
  },
  makeRsaKey: {
    args: [],
    returns: '{slot: number, spki}: a new RSA-2048 pair, until dropped or reset; never exported',
  },
  signRsa: { args: ['slot', 'message'], returns: 'bytes256: RSASSA-PKCS1-v1_5, SHA-256' },
  encryptRsa: {
    args: ['spki: bytes, RSA-2048', 'plaintext: at most 190 bytes'],
    returns: 'bytes256: RSAES-OAEP, SHA-256, no label',
  },
  decryptRsa: {
    args: ['slot', 'encrypted: bytes256'],
    returns: 'bytes, or refused with NotAuthentic',
  },
  dropRsaKey: { args: ['slot'], returns: 'null; slot emptied' },
  seal: {
    args: ['context: bytes', 'plaintext: bytes'],
    returns: 'bytes: salt, ciphertext, tag; AES-256-GCM under a key of chip, context and salt',
  },
  unseal: { args: ['context', 'box'], returns: 'bytes, or refused with NotAuthentic' },
  authenticate: {
    args: ['message: bytes'],
    returns: 'bytes32: HMAC-SHA-256 under the key for Pluton’s own state in flash',
  },
  digest: { args: ['"SHA-256" | "SHA-384" | "SHA-512"', 'message'], returns: 'bytes' },
  hmac: { args: ['key', 'message'], returns: 'bytes32: HMAC-SHA-256' },
  hkdf: { args: ['key', 'salt', 'info', 'length'], returns: 'bytes: HKDF-SHA-256' },
  gcmSeal: {
    args: ['key: bytes32', 'nonce: bytes12', 'associated', 'plaintext'],
    returns: 'bytes: AES-256-GCM ciphertext and tag',
  },
  gcmOpen: {
    args: ['key: bytes32', 'nonce: bytes12', 'associated', 'sealed'],
    returns: 'bytes, or refused with NotAuthentic',
  },
  keyWrap: { args: ['key: bytes32', 'plaintext'], returns: 'bytes: AES-256 key wrap, RFC 3394' },
  keyUnwrap: { args: ['key: bytes32', 'wrapped'], returns: 'bytes, or refused with NotAuthentic' },
  sha1: { args: ['message'], returns: 'bytes20: thumbprints only' },
  random: {
    args: ['length', 'fresh: boolean, new entropy first'],
    returns: 'bytes, or refused with EntropyFailure',
  },
  extendMeasurement: { args: ['{imageType, name, digest, signerId, securityVersion}'], returns: 'null' },
  measurements: { args: [], returns: '[as extended, in order]' },
  bootSeed: { args: [], returns: 'bytes32, fresh at each reset' },
  readFlash: { args: ['offset', 'length'], returns: 'bytes' },
  programFlash: {
    args: ['offset', 'bytes'],
    returns: 'null; the firewall lets Pluton write its own state alone',
  },
  eraseFlash: { args: ['offset', 'length: whole sectors'], returns: 'null; likewise' },
  startStage: { args: ['stage: "monitor"', 'bundle: bytes'], returns: 'null when its start() resolved' },
} as const satisfies CallTable;

/** The secure world's bus: silicon's side. */
export const MONITOR_HARDWARE_CALLS = {
  bootSelection: { args: [], returns: 'as Pluton' },
  readFlash: { args: ['offset', 'length'], returns: 'bytes' },
  programFlash: {
    args: ['offset', 'bytes: any length within whole flash; pages are programmed in order'],
    returns: 'null',
  },
  eraseFlash: { args: ['offset', 'length: whole sectors'], returns: 'null' },
  configureFirewall: { args: ['rules: [{master, region, read, write, execute}]'], returns: 'null' },
  busFaults: {
    args: [],
    returns:
      '{count: number since reset, newest: [{master, region: string | null, address, access}] at most 16}',
  },
  lockFirewall: { args: [], returns: 'null; sticky until reset' },
  setWatchdog: { args: ['milliseconds'], returns: 'null' },
  reset: {
    args: ['reason: of RESET_REASONS'],
    returns: 'null; a restart of a chip that is armed for it powers down until its alarm',
  },
  startStage: { args: ['stage: "kernel"', 'bundle: bytes'], returns: 'null when its start() resolved' },
  assignRegions: {
    args: ['core: 0 or 1', '[region]: of ASSIGNABLE_REGIONS'],
    returns:
      'null; the core has exactly these from now on, and nobody else does until reset. Locks the firewall, and works although it is locked. FirewallLocked: one of them belongs to the other core',
  },
  loadCore: {
    args: [
      'core',
      '[{address, bytes}]: in TCM, SYSRAM or XIP',
      'isDebuggable: whether the core’s debug port is open for it',
    ],
    returns: 'null; what ran there is over, memories are zero but for these bytes, mailboxes are empty',
  },
  startCore: {
    args: ['core'],
    returns: 'null; SP and PC are the first words of TCM. What waits in its mailbox goes on to wait',
  },
  stopCore: { args: ['core'], returns: 'null; memories stay' },
  coreStatus: {
    args: ['core'],
    returns:
      '{state: "off" | "running" | "failed", failure: null | {kind: "lockup" | "fault" | "watchdog" | "reset", fault: string | null, registers: [16 numbers], xpsr, msp, psp, control, cfsr, hfsr, mmfar, bfar, note: null | {kind: "assertion" | "stack" | "interrupt", text, line}: what the program left of its end, stack: bytes from SP on, at most 4096, microseconds: of the core’s time}}',
  },
} as const satisfies CallTable;

/** The normal world's bus and devices: silicon's side, plus the board's network. */
export const KERNEL_HARDWARE_CALLS = {
  bus: {
    args: [
      'operations: [["read", address] | ["write", address, value] | ["load", address, length] | ["store", address, bytes] | ["check", address, mask, value] | ["wait", address, mask, value, ms] | ["push", address, bytes, statusAddress, mask, value, ms] | ["pull", address, length, statusAddress, mask, value, ms]]',
    ],
    returns: '[number | null | bytes]: of each operation; see silicon/src/bus-transaction.ts',
  },
  tlsConnect: {
    args: [
      '{host, port, address?: IPv4 as a number, proxy?: {host, port, username?, password?}, serverName, roots: [DER], clientChain?, clientKey?, alpn?: [string], peer?: "server" | "device", issuer?: DER}',
    ],
    returns:
      'number: connection id; address: where the host is, if the caller resolved it; device: a device’s certificate in place of a host’s',
  },
  tlsRead: { args: ['connection', 'most'], returns: 'bytes; empty at the end; waits for data' },
  tlsWrite: { args: ['connection', 'bytes'], returns: 'null' },
  tlsClose: { args: ['connection'], returns: 'null' },
  tlsExporter: { args: ['connection', 'label', 'length'], returns: 'bytes' },
  tlsProtocol: { args: ['connection'], returns: 'string: what ALPN chose; empty: nothing' },
  tlsListen: {
    args: ['{port, backlog, chain: [DER], key: PKCS#8, roots: [DER], issuer?: DER}'],
    returns:
      'number: listener; it takes devices whose certificate leads to the roots, or to a later authority of the first one’s name that the issuer certified',
  },
  tlsAccept: { args: ['listener'], returns: '{connection, deviceId, address, port}; waits for a device' },
  tlsRenew: {
    args: ['listener', '{chain: [DER], key: PKCS#8, roots: [DER], issuer?: DER}'],
    returns: 'null: as whom it answers from the next peer on',
  },
  tlsUnlisten: { args: ['listener'], returns: 'null' },
  http2Request: {
    args: ['connection', '{method, path, authority, fields: [[name, value]], body: bytes | null}'],
    returns: 'number: exchange; only where ALPN chose h2',
  },
  http2Head: { args: ['exchange'], returns: '{status, fields: [[name, value]]}; waits for it' },
  http2Read: { args: ['exchange', 'most'], returns: 'bytes of the body; empty at its end; waits for data' },
  http2Close: { args: ['exchange'], returns: 'null' },
  resolveName: {
    args: ['name: lower case'],
    returns: '{addresses: [IPv4 as a number], ttl: seconds}; nothing that is the device’s own',
  },
  tcpConnect: { args: ['address', 'port'], returns: '{connection, localAddress, localPort}' },
  tcpConnectHost: {
    args: ['{host, port, address?, proxy?}'],
    returns: 'as tcpConnect; through the proxy, where one is named',
  },
  tcpListen: { args: ['port', 'backlog'], returns: 'number: listener' },
  tcpAccept: {
    args: ['listener'],
    returns: '{connection, address, port, localAddress, localPort}; waits for a peer',
  },
  tcpRead: { args: ['connection', 'most'], returns: 'bytes; empty at the end; waits for data' },
  tcpWrite: { args: ['connection', 'bytes'], returns: 'null' },
  tcpShutdown: { args: ['connection'], returns: 'null; nothing more will be written' },
  udpOpen: {
    args: ['port: 0 for any', '"any" | "eth0": the private network alone'],
    returns: '{socket, localAddress, localPort}',
  },
  udpSend: { args: ['socket', 'address', 'port', 'bytes'], returns: 'null' },
  udpReceive: { args: ['socket'], returns: '{address, port, bytes}; waits for a datagram' },
  socketClose: { args: ['listener, connection or socket'], returns: 'null' },
  radioScan: {
    args: ['SSIDs to ask for by name: [bytes]'],
    returns:
      '[{ssid: bytes, bssid: bytes, security: "open" | "wpa2-psk" | "wpa2-eap", frequency: MHz, signal: dBm}]',
  },
  radioJoin: {
    args: ['{ssid: bytes, security, key, identity, certificates: {certificate, key, password, root} in PEM}'],
    returns:
      'null; RadioNoSuchNetwork, RadioOtherSecurity, RadioWrongKey, RadioNotAuthenticated, RadioServerNotTrusted, RadioClientRefused',
  },
  radioLeave: { args: [], returns: 'null' },
  linkSet: {
    args: ['"eth0" | "wlan0"', 'isUp: boolean', 'address: 0 for none', 'mask'],
    returns:
      '{leadsTo: "world" | "wire", address: the board’s own in the world}; what was open over an interface ends with it',
  },
  httpsOpen: KERNEL_CALLS.httpsOpen,
  httpsExporter: KERNEL_CALLS.httpsExporter,
  httpsRequest: KERNEL_CALLS.httpsRequest,
  httpsClose: KERNEL_CALLS.httpsClose,
  setTime: KERNEL_CALLS.setTime,
  startStage: { args: ['stage: "services"', 'bundle: bytes'], returns: 'null when its start() resolved' },
  startCompartment: {
    args: ['number: id chosen by the kernel', 'program: bytes', 'module: bytes (WebAssembly)', 'options'],
    returns: 'null when its start() resolved; its calls arrive at the kernel as caller "compartment:<id>"',
  },
  stopCompartment: { args: ['id'], returns: 'null; the thread is ended, whatever it does' },
  compartmentCpuTime: {
    args: ['id'],
    returns: 'number | null: ms of processor time, where that is known apart from others',
  },
} as const satisfies CallTable;

/** What the hardware tells the kernel by itself, as caller `hardware`: no stage and no compartment can forge that. */
export const KERNEL_EVENTS = {
  compartmentEnded: {
    args: ['number: id', 'reason: string'],
    returns: 'null; the thread of a compartment died by itself',
  },
  compartmentHeld: {
    args: ['number: id', 'boolean: held'],
    returns: 'null; a debugger holds its thread, or has let it go: while it is held its watchdog waits',
  },
  interrupt: {
    args: ['[number]: interrupt lines that are high'],
    returns: 'null; when the drivers have come round: a line that is still high is told again',
  },
} as const satisfies CallTable;

/** What a compartment's program may ask its own thread for. */
export const COMPARTMENT_HARDWARE_CALLS = {
  module: { args: [], returns: '{module: bytes, options}: as given to startCompartment' },
} as const satisfies CallTable;
