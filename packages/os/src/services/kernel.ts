import type { Port, PortValue } from '@sevenfold/formats';
import { bytesValue, listValue, numberValue, ReplyReader } from './values.ts';

/** One image as the Security Monitor lists it. */
export interface InstalledImage {
  readonly imageType: number;
  readonly componentId: string;
  readonly imageId: string;
  readonly digest: Uint8Array;
  /** Bytes of the package. */
  readonly size: number;
  readonly name: string;
  readonly state: string;
}

/** What the layers below found when they booted. */
export interface BootInfo {
  readonly trial: boolean;
  readonly stages: readonly { readonly imageType: number; readonly imageId: string; readonly name: string }[];
  readonly failures: readonly BootFailure[];
  /** Images that the last failed trial left for the other slots; null: none, or another system came since. */
  readonly fellBack: readonly string[] | null;
  /** What this device is unlocked for until reset. */
  readonly capabilities: readonly string[];
  /** The images that each failed trial left for good. */
  readonly left: readonly (readonly string[])[];
}

/** What the firewall stopped. */
export interface BusFaults {
  readonly count: number;
  readonly lines: readonly string[];
}

/** An image that a layer refused to start. */
export interface BootFailure {
  readonly imageType: number;
  readonly slot: string;
  readonly code: string;
  readonly message: string;
}

/** A key inside Pluton that lives until it is exported. */
export interface SessionKey {
  readonly keyId: number;
  readonly spki: Uint8Array;
  /** Gives this same software this same key again, after any number of boots. No secret. */
  readonly ticket: Uint8Array;
}

/** A certificate chain (leaf first, DER) with its private key (PKCS#8). */
export interface TlsIdentity {
  readonly chain: readonly Uint8Array[];
  readonly key: Uint8Array;
}

/** Whom `httpsOpen` connects to. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  readonly serverName: string;
  readonly roots: readonly Uint8Array[];
}

/** One request of an HTTPS session. */
export interface HttpsRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly contentType?: string;
  readonly body?: Uint8Array;
  readonly rangeStart?: number;
  readonly rangeLength?: number;
}

/** What the server answered; `retryAfter` in seconds. */
export interface HttpsResponse {
  readonly status: number;
  readonly contentType: string;
  readonly retryAfter: number | null;
  readonly body: Uint8Array;
}

/** An image to be staged. */
export interface StagedImage {
  readonly imageType: number;
  readonly componentId: string;
  readonly imageId: string;
  readonly size: number;
  readonly digest: Uint8Array;
}

/** The kernel as the services use it: its call table, with every answer parsed once. */
export type Kernel = ReturnType<typeof kernelOver>;

/** Wraps the kernel's port. */
export function kernelOver(port: Port) {
  return {
    async identity(): Promise<{ deviceId: string; chipSku: number; manufacturingState: string }> {
      const reply = new ReplyReader(await port.call('identity'), 'identity');
      return {
        deviceId: reply.text('deviceId'),
        chipSku: reply.number('chipSku'),
        manufacturingState: reply.text('manufacturingState'),
      };
    },
    async bootInfo(): Promise<BootInfo> {
      const reply = new ReplyReader(await port.call('bootInfo'), 'bootInfo');
      const fellBack = reply.optional('fellBack')?.texts('imageIds') ?? null;
      return {
        trial: reply.flag('trial'),
        stages: reply.list('stages').map((stage) => ({
          imageType: stage.number('imageType'),
          imageId: stage.text('imageId'),
          name: stage.text('name'),
        })),
        failures: reply.list('failures').map((failure) => ({
          imageType: failure.number('imageType'),
          slot: failure.text('slot'),
          code: failure.text('code'),
          message: failure.text('message'),
        })),
        fellBack,
        capabilities: reply.textsIfKnown('capabilities'),
        left: reply.textLists('left') ?? (fellBack === null ? [] : [fellBack]),
      };
    },
    /** Accesses that the firewall stopped since reset: how many, and the newest, a line each. */
    async busFaults(): Promise<BusFaults> {
      const faults = new ReplyReader(await port.call('bootInfo'), 'bootInfo').optional('busFaults');
      if (faults === null) return { count: 0, lines: [] };
      const lines = faults.list('newest').map((fault) => {
        const address = fault.number('address').toString(16);
        return `${fault.text('master')} may not ${fault.text('access')} at 0x${address}`;
      });
      return { count: faults.number('count'), lines };
    },
    async loadCertStore(): Promise<Uint8Array> {
      return bytesValue(await port.call('loadFile', 'certStore'), 'loadFile');
    },
    /** As the monitor lists them, for the gateway. */
    listImagesRaw: (): Promise<PortValue> => port.call('listImages'),
    async listImages(): Promise<InstalledImage[]> {
      return listValue(await port.call('listImages'), 'listImages').map((image) => ({
        imageType: image.number('imageType'),
        componentId: image.text('componentId'),
        imageId: image.text('imageId'),
        digest: image.bytes('digest'),
        size: image.number('size'),
        name: image.text('name'),
        state: image.text('state'),
      }));
    },
    async stageBegin(image: StagedImage): Promise<{ stagingId: number; written: number }> {
      const reply = new ReplyReader(await port.call('stageBegin', { ...image }), 'stageBegin');
      return { stagingId: reply.number('stagingId'), written: reply.number('written') };
    },
    stageWrite: (stagingId: number, offset: number, bytes: Uint8Array) =>
      port.call('stageWrite', stagingId, offset, bytes),
    stageFinish: (stagingId: number) => port.call('stageFinish', stagingId),
    async commit(stagingIds: readonly number[], removeComponentIds: readonly string[]): Promise<boolean> {
      const reply = new ReplyReader(await port.call('commit', stagingIds, removeComponentIds), 'commit');
      return reply.flag('restartRequired');
    },
    confirmHealthy: () => port.call('confirmHealthy'),
    restart: () => port.call('restart'),
    recordAppend: (record: Uint8Array) => port.call('recordAppend', record),
    async recordList(most: number): Promise<{ id: number; record: Uint8Array }[]> {
      return listValue(await port.call('recordList', most), 'recordList').map((entry) => ({
        id: entry.number('id'),
        record: entry.bytes('record'),
      }));
    },
    recordRemove: (ids: readonly number[]) => port.call('recordRemove', ids),
    async attest(challenge: Uint8Array): Promise<Uint8Array> {
      return bytesValue(await port.call('attest', challenge), 'attest');
    },
    async verifySigned(
      use: string,
      message: Uint8Array,
      signature: Uint8Array,
      keyId: Uint8Array,
    ): Promise<boolean> {
      return (await port.call('verifySigned', use, message, signature, keyId)) === true;
    },
    /** A new key, or the one of a ticket that this very software got before. */
    async createSessionKey(ticket: Uint8Array | null = null): Promise<SessionKey> {
      const reply = new ReplyReader(await port.call('createSessionKey', ticket), 'createSessionKey');
      return { keyId: reply.number('keyId'), spki: reply.bytes('spki'), ticket: reply.bytes('ticket') };
    },
    async credentialsRead(): Promise<Uint8Array | null> {
      const kept = await port.call('credentialsRead');
      return kept === null ? null : bytesValue(kept, 'credentialsRead');
    },
    credentialsWrite: (bytes: Uint8Array | null) => port.call('credentialsWrite', bytes),
    async signWithSessionKey(keyId: number, message: Uint8Array): Promise<Uint8Array> {
      return bytesValue(await port.call('signWithSessionKey', keyId, message), 'signWithSessionKey');
    },
    async exportSessionKey(keyId: number): Promise<Uint8Array> {
      return bytesValue(await port.call('exportSessionKey', keyId), 'exportSessionKey');
    },
    async sha256(message: Uint8Array): Promise<Uint8Array> {
      return bytesValue(await port.call('sha256', message), 'sha256');
    },
    async random(length: number): Promise<Uint8Array> {
      return bytesValue(await port.call('random', length), 'random');
    },
    async httpsOpen(server: ServerAddress, client: TlsIdentity | null): Promise<number> {
      const identity = client === null ? {} : { clientChain: client.chain, clientKey: client.key };
      return numberValue(await port.call('httpsOpen', { ...server, ...identity }), 'httpsOpen');
    },
    async httpsExporter(session: number, label: string, length: number): Promise<Uint8Array> {
      return bytesValue(await port.call('httpsExporter', session, label, length), 'httpsExporter');
    },
    async httpsRequest(session: number, request: HttpsRequest): Promise<HttpsResponse> {
      const reply = new ReplyReader(await port.call('httpsRequest', session, { ...request }), 'httpsRequest');
      const retryAfter = reply.optionalNumber('retryAfter');
      return {
        status: reply.number('status'),
        contentType: reply.text('contentType'),
        retryAfter,
        body: reply.bytes('body'),
      };
    },
    httpsClose: (session: number) => port.call('httpsClose', session),
    setClientIdentity: (
      identity: { tenantId: string; chain: readonly Uint8Array[]; key: Uint8Array } | null,
    ) => port.call('setClientIdentity', identity),
    setTime: (milliseconds: number) => port.call('setTime', milliseconds),
    updateState: (state: 'none' | 'started' | 'complete') => port.call('updateState', state),
    /** Milliseconds for which apps put the installation off; 0: install now. */
    async updateReady(type: 'application' | 'system'): Promise<number> {
      return numberValue(await port.call('updateReady', type), 'updateReady');
    },
    appListRaw: (): Promise<PortValue> => port.call('appList'),
    setCapability: (file: PortValue) => port.call('setCapability', file),
    appInstalled: (componentId: string) => port.call('appInstalled', componentId),
    appRemoved: (componentId: string) => port.call('appRemoved', componentId),
  };
}
