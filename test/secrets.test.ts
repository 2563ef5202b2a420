import { createECDH, createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, readdirSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BroadcastChannel } from 'node:worker_threads';
import { SYSTEM_IMAGE_TYPES, toHex } from '@sevenfold/formats';
import {
  buildOsRelease,
  bundleStageWorker,
  manufacture,
  openDevice,
  type VirtualDevice,
} from '@sevenfold/device';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeSigner } from '../packages/device/src/testing/packages.ts';
import {
  startDeviceService,
  type TestDeviceService,
} from '../packages/os/src/services/testing/device-service.ts';

/**
 * Runs in each stage's thread, beside the stage: hands out every string of its heap, from a snapshot, and the bytes of
 * every buffer of every realm in it, which a snapshot leaves out. What is sought never enters the thread.
 */
const SEARCH = `;(() => {
  const { BroadcastChannel, threadName } = require('node:worker_threads');
  const { getHeapSnapshot } = require('node:v8');
  const { Session } = require('node:inspector');
  const channel = new BroadcastChannel('sevenfold heaps');
  const bytesOf = 'function () { return this.map((b) => { try { const u = new Uint8Array(b); let s = ""; for (let i = 0; i < u.length; i++) s += String.fromCharCode(u[i]); return s; } catch { return ""; } }); }';
  channel.onmessage = async () => {
    let json = '';
    for await (const chunk of getHeapSnapshot()) json += chunk;
    const strings = JSON.parse(json).strings;
    json = '';
    const session = new Session();
    session.connect();
    const contexts = [];
    session.on('Runtime.executionContextCreated', ({ params }) => contexts.push(params.context.id));
    const post = (method, params) => new Promise((done, fail) => session.post(method, params, (e, r) => (e ? fail(new Error(e.message)) : done(r))));
    await post('Runtime.enable');
    const buffers = [];
    for (const contextId of contexts) {
      const { result } = await post('Runtime.evaluate', { expression: 'ArrayBuffer.prototype', contextId });
      if (result.objectId === undefined) continue;
      const { objects } = await post('Runtime.queryObjects', { prototypeObjectId: result.objectId });
      const { result: found } = await post('Runtime.callFunctionOn', { objectId: objects.objectId, functionDeclaration: bytesOf, returnByValue: true });
      buffers.push(...found.value);
    }
    session.disconnect();
    channel.postMessage({ threadName, strings, buffers, contexts: contexts.length });
  };
})();`;

/** What one thread answers; strings and the content of buffers a character a byte. */
interface Answer {
  readonly threadName: string;
  readonly strings: readonly string[];
  readonly buffers: readonly string[];
  readonly contexts: number;
}

/** What the heap of one stage holds. */
interface Heap {
  readonly strings: Buffer;
  readonly buffers: Buffer;
  readonly what: string;
  readonly contexts: number;
}

let service: TestDeviceService;
let dir = '';
let device: VirtualDevice;
let exported: Uint8Array[] = [];

/** Opens the device, keeps what session keys leave Pluton's engine, boots and lets it attest. */
async function bringUp(wiring: 'thread' | 'process', stageWorker: string): Promise<void> {
  device = await openDevice({ dir, wiring, network: { resolve: () => '127.0.0.1' }, stageWorker });
  const { pluton } = device.chip;
  const exportKey = pluton.exportKey.bind(pluton);
  exported = [];
  pluton.exportKey = (slot) => {
    const key = exportKey(slot);
    exported.push(key.slice());
    return key;
  };
  expect(await device.boot(), device.bootLog.join('\n')).toMatchObject({ kind: 'running' });
  await device.checkNow();
}

beforeAll(async () => {
  service = await startDeviceService(Date.now());
  const root = makeSigner();
  const platform = makeSigner();
  const release = await buildOsRelease({
    version: '26.11.0',
    root,
    platform,
    keystore: {
      version: 1,
      keys: [
        { spki: platform.spki, uses: SYSTEM_IMAGE_TYPES.map((type) => `image:${type}`) },
        { spki: service.planKey.spki, uses: ['plan'] },
      ],
    },
    certStore: service.certStore,
  });
  dir = await mkdtemp(join(tmpdir(), 'sevenfold-secrets-'));
  const { attestationSpki } = await manufacture({
    dir,
    images: release.images,
    rootKeyHash: release.rootKeyHash,
  });
  service.endorse(attestationSpki);
  await bringUp('thread', (await bundleStageWorker()) + SEARCH);
});
afterAll(async () => {
  await device.close();
  await rm(dir, { recursive: true, force: true });
  await service.close();
});

/** The scalar that belongs to a seed and a label, as the chip derives it. */
function scalarOf(seed: Uint8Array, label: string, spki: Uint8Array): Uint8Array {
  const scalar = createHash('sha256').update(label).update(seed).update(Uint8Array.of(0)).digest();
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(scalar);
  expect(toHex(spki)).toContain(ecdh.getPublicKey('hex', 'uncompressed'));
  return Uint8Array.from(scalar);
}

/** What never leaves a chip, by name. */
function secretsOf({ fuses, pluton }: VirtualDevice['chip']) {
  const seed = fuses.identitySeed ?? new Uint8Array(0);
  return {
    seed,
    'attestation key': scalarOf(seed, 'sevenfold identity key v1', pluton.identitySpki),
    'general key': scalarOf(seed, 'sevenfold general key v1', pluton.generalSpki),
  };
}

/** The scalar of a PKCS#8 key of P-256. */
const scalarIn = (pkcs8: Uint8Array): Uint8Array => pkcs8.slice(36, 68);

/** A secret in every form that it might have: as bytes, and as texts, wherever in a longer text. */
function formsOf(secret: Uint8Array): readonly Buffer[] {
  const bytes = Buffer.from(secret);
  const hex = bytes.toString('hex');
  const base64 = [0, 1, 2].map((lead) =>
    Buffer.concat([Buffer.alloc(lead), bytes])
      .toString('base64')
      .slice(4, 40),
  );
  const texts = [
    hex,
    hex.toUpperCase(),
    ...base64,
    ...base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
    [...bytes].join(','),
    BigInt(`0x${hex}`).toString(),
  ];
  return [bytes, ...texts.map((text) => Buffer.from(text, 'latin1'))];
}

/** Those that take little time over hundreds of megabytes; with SEVENFOLD_DEPTH all of them. */
const fewFormsOf = (secret: Uint8Array): readonly Buffer[] => {
  const forms = formsOf(secret);
  return Number(process.env['SEVENFOLD_DEPTH'] ?? 0) > 0 ? forms : forms.slice(0, 2);
};

const isIn = (place: Buffer, secret: Uint8Array): boolean =>
  formsOf(secret).some((form) => place.includes(form));

/** Asks every thread for what its heap holds. */
async function heaps(): Promise<ReadonlyMap<string, Heap>> {
  const channel = new BroadcastChannel('sevenfold heaps');
  const found = new Map<string, Heap>();
  const all = new Promise<void>((resolve) => {
    channel.addEventListener('message', (event) => {
      const { threadName, strings, buffers, contexts } = (event as { data: Answer }).data;
      found.set(threadName, {
        strings: Buffer.from(strings.join('\n')),
        buffers: Buffer.from(buffers.join('\n'), 'latin1'),
        what: `${strings.length} strings, ${buffers.length} buffers`,
        contexts,
      });
      if (found.size === 4) resolve();
    });
  });
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel between threads, not a window
  channel.postMessage('search');
  await all;
  channel.close();
  return found;
}

/** The processes below one, as far as this machine tells. */
function descendantsOf(pid: number | 'self'): number[] {
  try {
    const tasks = readdirSync(`/proc/${pid}/task`);
    const children = tasks.flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    );
    return children.flatMap((child) => [child, ...descendantsOf(child)]);
  } catch {
    return [];
  }
}

/** All that a process may write, as it lies in memory, piece by piece; null where this machine does not show it. */
function memoryOf(pid: number): Buffer[] | null {
  const pieces: Buffer[] = [];
  try {
    const memory = openSync(`/proc/${pid}/mem`, 'r');
    for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
      const [, from = '', to = '', mode = ''] = /^([0-9a-f]+)-([0-9a-f]+) (\S+)/.exec(line) ?? [];
      if (!mode.startsWith('rw')) continue;
      const [start, end] = [Number(`0x${from}`), Number(`0x${to}`)];
      for (let at = start; at < end; at += PIECE) {
        // Each piece reaches into the next one, for what lies across.
        const piece = Buffer.alloc(Math.min(PIECE + OVERLAP, end - at));
        try {
          pieces.push(piece.subarray(0, readSync(memory, piece, 0, piece.length, at)));
        } catch {
          // Reserved, and nothing there.
        }
      }
    }
    closeSync(memory);
  } catch {
    return null;
  }
  // What was never touched is zeros.
  return pieces.filter((piece) => !piece.equals(NOTHING.subarray(0, piece.length)));
}
const PIECE = 4 * 1024 * 1024;
const OVERLAP = 1024;
const NOTHING = Buffer.alloc(PIECE + OVERLAP);

describe('after a device has attested, its private halves', () => {
  it('are in no file but the fuses, in no log line and in no answer; session keys are in none of them', async () => {
    const status = JSON.stringify(await device.status(), (_key, value: unknown) =>
      value instanceof Uint8Array ? toHex(value) : value,
    );
    const own = secretsOf(device.chip);
    const secrets = [...Object.values(own), ...exported.map(scalarIn)];
    const files = (await readdir(dir)).toSorted();
    expect(files).toContain('flash.bin');
    for (const file of files) {
      const content = await readFile(join(dir, file));
      const held = secrets.filter((secret) => isIn(content, secret));
      // The fuse file is the silicon: it stands for what only Pluton's key engine is wired to.
      expect(held, file).toEqual(file === 'fuses.bin' ? [own.seed] : []);
    }
    const said = Buffer.from([status, ...device.bootLog].join('\n'));
    for (const secret of secrets) expect(isIn(said, secret)).toBe(false);
  });

  it('are in the heap of none of its stages, in no form', async () => {
    const secrets = secretsOf(device.chip);
    const found = await heaps();
    expect([...found.keys()].toSorted()).toEqual(['kernel', 'monitor', 'pluton', 'services']);
    const said: string[] = [];
    for (const [stage, { strings, buffers, contexts, what }] of found) {
      expect(contexts, stage).toBeGreaterThan(1);
      for (const [name, secret] of Object.entries(secrets))
        expect([stage, name, isIn(strings, secret), isIn(buffers, secret)]).toEqual([
          stage,
          name,
          false,
          false,
        ]);
      said.push(`${stage} ${what} (${Math.round(buffers.length / 1024)} KB)`);
    }
    console.log(`secrets: searched ${said.join('; ')}`);

    // What must be there is found by the same search: text and bytes, in the stage's own realm.
    expect(found.get('services')?.strings.includes(device.deviceId)).toBe(true);
    expect(found.get('monitor')?.buffers.includes('devices.example')).toBe(true);
    // Session keys are the OS's TLS's to hold, and pass through the layers below without a trace.
    expect(exported.length).toBeGreaterThanOrEqual(2);
    const [update = secrets.seed] = exported.slice(-2).map(scalarIn);
    const holders = [...found].filter(([, heap]) => isIn(heap.buffers, update)).map(([stage]) => stage);
    expect(holders).toEqual(['services']);
    for (const key of exported)
      for (const { strings } of found.values()) expect(isIn(strings, scalarIn(key))).toBe(false);
  });

  it('are nowhere in the memory of its stages’ processes, where each has one', async (context) => {
    await device.close();
    await bringUp('process', await bundleStageWorker());
    const secrets = secretsOf(device.chip);
    const memories = process.platform === 'linux' ? descendantsOf('self').map(memoryOf) : [];
    const sizeOf = (pieces: readonly Buffer[]): number =>
      pieces.reduce((sum, piece) => sum + piece.length, 0);
    // Whoever makes the walls of a stage is a process as well, of hardly any memory.
    const stages = memories.filter((pieces) => pieces !== null).filter((pieces) => sizeOf(pieces) > PIECE);
    if (stages.length < 4) {
      console.log(
        `secrets: this machine shows the memory of ${stages.length} stages, not of four: not searched`,
      );
      context.skip();
      return;
    }
    const has = (pieces: readonly Buffer[], secret: Uint8Array): boolean =>
      fewFormsOf(secret).some((form) => pieces.some((piece) => piece.includes(form)));
    for (const pieces of stages)
      for (const [name, secret] of Object.entries(secrets))
        expect([name, has(pieces, secret)]).toEqual([name, false]);
    const size = Math.round(sizeOf(stages.flat()) / 2 ** 20);
    console.log(`secrets: searched ${size} MB of ${stages.length} processes`);
    // What must be there is found by the same search: the services hold the key of their TLS.
    const update = exported.map(scalarIn).at(-1) ?? secrets.seed;
    expect(stages.some((pieces) => has(pieces, update))).toBe(true);
  });
});
