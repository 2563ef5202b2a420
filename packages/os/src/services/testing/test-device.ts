import {
  IMAGE_TYPES,
  PSA_PROFILES,
  SERVICES_MONITOR_CALLS,
  KERNEL_CALLS,
  encodeCertStore,
  encodePsaClaims,
  encodeSign1,
  equalBytes,
  type CertStore,
  type Clock,
  type PlanImage,
  type Port,
  type PortHandler,
  type PortValue,
  type StageHandle,
} from '@sevenfold/formats';
import {
  generateKeyPair,
  sha256,
  signWithPkcs8,
  thumbprint,
  verifySignature,
  type KeyPair,
} from '@sevenfold/pki';
import { createBoardNetwork } from '../../board/network.ts';
import { start } from '../main.ts';

/** Time in a test's hands: short pauses pass by themselves, long ones when the test says so. */
interface TestClock extends Clock {
  advance(milliseconds: number): void;
  set(time: number): void;
}

const SHORT = 2500;

function createTestClock(startTime: number): TestClock {
  let elapsed = 0;
  let offset = startTime;
  let sleepers: { due: number; wake: () => void }[] = [];
  const advance = (milliseconds: number): void => {
    elapsed += milliseconds;
    const due = sleepers.filter((sleeper) => sleeper.due <= elapsed);
    sleepers = sleepers.filter((sleeper) => sleeper.due > elapsed);
    for (const { wake } of due) wake();
  };
  return {
    now: () => offset + elapsed,
    monotonic: () => elapsed,
    advance,
    set: (time) => {
      offset = time - elapsed;
    },
    sleep: (milliseconds) =>
      new Promise((wake) => {
        sleepers.push({ due: elapsed + milliseconds, wake });
        if (milliseconds <= SHORT) setImmediate(() => advance(milliseconds));
      }),
  };
}

/** What the kernel and the monitor below the services keep and were told. */
interface DeviceMemory {
  images: (PlanImage & { state: string })[];
  records: { id: number; record: Uint8Array }[];
  readonly identities: PortValue[];
  readonly events: string[];
  /** Ms for which apps put updates off. */
  deferral: number;
  /** What `bootInfo` says. */
  boot: {
    trial: boolean;
    failures: PortValue[];
    fellBack: PortValue;
    busFaults?: PortValue;
    capabilities?: PortValue;
  };
  /** Makes one call fail, once or for good. */
  failing: Map<string, { code: string; message: string }>;
  /** What each begun staging has so far, by image id: survives a restart of the services. */
  readonly staged: Map<string, { id: number; bytes: Uint8Array; written: number }>;
  /** What the services keep in flash, and the keys that Pluton gives back for a ticket. */
  credentials: Uint8Array | null;
  credentialWrites: number;
  readonly tickets: Map<string, KeyPair>;
  /** Session keys inside Pluton. */
  readonly sessionKeys: Map<number, KeyPair>;
}

/** A device under test: real services over a kernel that keeps everything in memory and uses real TLS. */
export interface TestDevice {
  readonly deviceId: string;
  readonly memory: DeviceMemory;
  readonly clock: TestClock;
  readonly log: string[];
  /** Starts the services stage, as after a boot. */
  boot(): Promise<void>;
  gateway(method: string, caller?: string): Promise<Status>;
  close(): Promise<void>;
}

/** The gateway's status, as far as tests look at it. */
export interface Status {
  readonly deviceId: string;
  readonly osVersion: string;
  readonly verdict: string | null;
  readonly reasons: readonly string[];
  readonly tenantId: string | null;
  readonly clientChain: readonly Uint8Array[];
  readonly updateChain: readonly Uint8Array[];
  readonly nextCheck: number;
  readonly queuedReports: number;
  readonly lastError: string | null;
  readonly phase: string;
}

/** Makes a device with an identity of its own. */
export function createTestDevice(options: {
  attestationKey: KeyPair;
  certStore: CertStore;
  planSpki: Uint8Array;
  startTime: number;
  /** Names that resolve to loopback; all others do not exist. */
  names?: readonly string[];
}): TestDevice {
  const { attestationKey, certStore, planSpki } = options;
  const deviceId = Buffer.from(sha256(attestationKey.spki)).toString('hex');
  const clock = createTestClock(options.startTime);
  const names = options.names ?? ['devices.example'];
  const network = createBoardNetwork({ resolve: (host) => (names.includes(host) ? '127.0.0.1' : null) });
  const log: string[] = [];
  const memory: DeviceMemory = {
    images: [],
    records: [],
    identities: [],
    events: [],
    deferral: 0,
    boot: { trial: false, failures: [], fellBack: null },
    failing: new Map(),
    staged: new Map(),
    sessionKeys: new Map(),
    credentials: null,
    credentialWrites: 0,
    tickets: new Map(),
  };
  let counter = 0;
  let serving: PortHandler | null = null;

  const bytes = (value: PortValue | undefined): Uint8Array => {
    if (!(value instanceof Uint8Array)) throw new Error('bytes expected');
    return value;
  };
  const text = (value: PortValue | undefined): string => (typeof value === 'string' ? value : '');
  const stagingOf = (id: PortValue | undefined) => {
    const found = [...memory.staged].find(([, staging]) => staging.id === id);
    if (found === undefined) throw Object.assign(new Error('no such staging'), { code: 'NoSuchStaging' });
    return { imageId: found[0], staging: found[1] };
  };
  const begun = new Map<string, PlanImage>();
  const finished = new Set<number>();

  const calls: Record<string, (...args: PortValue[]) => PortValue | Promise<PortValue>> = {
    identity: () => ({
      deviceId,
      spki: attestationKey.spki,
      chipSku: 1,
      manufacturingState: 'DeviceComplete',
    }),
    bootInfo: () => ({
      resetReason: 'PowerOn',
      ...memory.boot,
      stages: [{ imageType: IMAGE_TYPES.Services, slot: 'A', imageId: 'x', name: 'services 26.11.0' }],
    }),
    loadFile: () => encodeCertStore(certStore),
    listImages: () => memory.images.map((image) => ({ ...image, slot: 'A', securityVersion: 1 })),
    stageBegin: (value) => {
      const image = value as unknown as PlanImage;
      begun.set(image.imageId, image);
      const present = memory.staged.get(image.imageId);
      const staging = present ?? { id: ++counter, bytes: new Uint8Array(image.size), written: 0 };
      memory.staged.set(image.imageId, staging);
      return { stagingId: staging.id, written: staging.written };
    },
    stageWrite: (id, offset, part) => {
      const { staging } = stagingOf(id);
      if (offset !== staging.written || bytes(part).length > 65_536) throw new Error('out of order');
      staging.bytes.set(bytes(part), staging.written);
      staging.written += bytes(part).length;
      return null;
    },
    stageFinish: (id) => {
      const { imageId, staging } = stagingOf(id);
      if (!equalBytes(sha256(staging.bytes), begun.get(imageId)?.digest ?? new Uint8Array())) {
        memory.staged.delete(imageId);
        throw Object.assign(new Error('The image is not what was announced.'), { code: 'DigestMismatch' });
      }
      finished.add(staging.id);
      return null;
    },
    stageAbort: (id) => {
      memory.staged.delete(stagingOf(id).imageId);
      return null;
    },
    commit: (ids, remove) => {
      const list = (ids as number[]).map((id) => stagingOf(id));
      if (list.some(({ staging }) => !finished.has(staging.id))) throw new Error('not finished');
      const gone = new Set(remove as string[]);
      let restartRequired = false;
      for (const { imageId } of list) {
        const image = begun.get(imageId);
        if (image === undefined) throw new Error('not begun');
        gone.add(image.componentId);
        restartRequired ||= image.imageType !== IMAGE_TYPES.Applications;
      }
      const added = list.map(({ imageId }) => ({
        ...(begun.get(imageId) as PlanImage),
        name: 'new',
        state: 'active',
      }));
      memory.images = [...memory.images.filter((image) => !gone.has(image.componentId)), ...added];
      for (const { imageId } of list) memory.staged.delete(imageId);
      memory.events.push(`commit ${added.length}`);
      return { restartRequired };
    },
    confirmHealthy: () => {
      memory.events.push('healthy');
      return null;
    },
    restart: () => {
      memory.events.push('restart');
      return null;
    },
    recordAppend: (record) => {
      memory.records.push({ id: ++counter, record: bytes(record) });
      return counter;
    },
    recordList: (most) => memory.records.slice(0, Number(most)),
    recordRemove: (ids) => {
      memory.records = memory.records.filter(({ id }) => !(ids as number[]).includes(id));
      return null;
    },
    attest: (challenge) => {
      const payload = encodePsaClaims({
        profile: PSA_PROFILES[0],
        nonce: bytes(challenge),
        instanceId: Uint8Array.of(1, ...sha256(attestationKey.spki)),
        implementationId: new Uint8Array(32),
        clientId: 1,
        securityLifecycle: 0x3000,
        softwareComponents: [{ measurementValue: new Uint8Array(32), signerId: new Uint8Array(32) }],
      });
      const message = encodeSign1({ algorithm: 'ES256', payload });
      return message.finish(signWithPkcs8(attestationKey.pkcs8, message.toBeSigned));
    },
    verifySigned: (use, message, signature, keyId) =>
      use === 'plan' &&
      equalBytes(bytes(keyId), thumbprint(planSpki)) &&
      verifySignature(planSpki, bytes(message), bytes(signature)),
    createSessionKey: (ticket) => {
      const pair =
        ticket === null ? generateKeyPair() : memory.tickets.get(Buffer.from(bytes(ticket)).toString());
      if (pair === undefined) throw Object.assign(new Error('no such ticket'), { code: 'PolicyNotMet' });
      memory.sessionKeys.set(++counter, pair);
      if (ticket === null) memory.tickets.set(`ticket ${counter}`, pair);
      return { keyId: counter, spki: pair.spki, ticket: ticket ?? Buffer.from(`ticket ${counter}`) };
    },
    credentialsRead: () => memory.credentials,
    credentialsWrite: (kept) => {
      memory.credentials = kept === null ? null : bytes(kept);
      if (kept !== null) memory.credentialWrites += 1;
      return null;
    },
    signWithSessionKey: (id, message) => {
      const pair = memory.sessionKeys.get(Number(id));
      if (pair === undefined) throw new Error('no such key');
      return signWithPkcs8(pair.pkcs8, bytes(message));
    },
    exportSessionKey: (id) => {
      const pair = memory.sessionKeys.get(Number(id));
      if (pair === undefined) throw new Error('no such key');
      memory.sessionKeys.delete(Number(id));
      return pair.pkcs8;
    },
    sha256: (message) => sha256(bytes(message)),
    random: (length) => crypto.getRandomValues(new Uint8Array(Number(length))),
    setClientIdentity: (identity) => {
      memory.identities.push(identity);
      return null;
    },
    setTime: (time) => {
      clock.set(Number(time));
      memory.events.push('setTime');
      return null;
    },
    updateState: () => null,
    updateReady: () => memory.deferral,
    appList: () => [],
    appInstalled: (id) => {
      memory.events.push(`appInstalled ${text(id)}`);
      return null;
    },
    appRemoved: (id) => {
      memory.events.push(`appRemoved ${text(id)}`);
      return null;
    },
  };

  const kernel: Port = {
    async call(method, ...args) {
      const isKnown =
        Object.hasOwn(KERNEL_CALLS, method) || SERVICES_MONITOR_CALLS.some((name) => name === method);
      if (!isKnown) throw Object.assign(new Error(`no call ${method}`), { code: 'UnknownCall' });
      const failure = memory.failing.get(method);
      if (failure !== undefined) throw Object.assign(new Error(failure.message), { code: failure.code });
      if (method.startsWith('https')) return network.handle(method, structuredClone(args));
      return structuredClone(await (calls[method] ?? (() => null))(...args));
    },
  };
  const handle: StageHandle = {
    clock,
    log: (line) => log.push(line),
    ports: { kernel },
    serve: (handler) => {
      serving = handler;
    },
  };
  return {
    deviceId,
    memory,
    clock,
    log,
    boot: () => start(handle),
    async gateway(method, caller = 'gateway') {
      if (serving === null) throw new Error('nothing is served');
      return (await serving(caller, method, [])) as unknown as Status;
    },
    close: () => network.close(),
  };
}
