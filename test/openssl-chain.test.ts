import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createClient, createHttpsTransport, createRequestSigner, ROUTES, type Client } from '@sevenfold/api';
import { buildOsRelease, manufacture, openDevice, type OsRelease } from '@sevenfold/device';
import { CHIP_SKUS, IMAGE_TYPES, imageUse, utf8Encode } from '@sevenfold/formats';
import { generateKeyPair, signWithPkcs8, toPem, type KeyPair } from '@sevenfold/pki';
import { startService, type RunningService } from '@sevenfold/service';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);

/** What `openssl version` says; null where it is not installed. */
function opensslVersion(): string | null {
  try {
    return execFileSync('openssl', ['version'], { encoding: 'utf8' }).trim();
  } catch {
    // Not installed: the reason is printed below.
    return null;
  }
}

const version = opensslVersion();
if (version === null) console.warn('openssl-chain.test.ts is skipped: no openssl on this machine.');

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const signerOf = ({ spki, pkcs8 }: KeyPair) => ({
  spki,
  sign: (message: Uint8Array) => Promise.resolve(signWithPkcs8(pkcs8, message)),
});

/** The first Administrator, by the token that the service printed. */
async function enrol(service: RunningService): Promise<{ client: Client; close: () => void }> {
  const { transport, close } = createHttpsTransport({ tlsRootPem: service.tlsRootPem });
  const key = generateKeyPair();
  const baseUrl = service.peopleUrl;
  const body = { token: service.administratorToken ?? '', name: 'Ada', publicKey: base64(key.spki) };
  const { principalId } = await createClient({ baseUrl, transport, signer: null }).call(ROUTES.enrol, {
    body,
  });
  const signer = createRequestSigner(principalId, signerOf(key).sign);
  return { client: createClient({ baseUrl, transport, signer }), close };
}

/** The OS of this repository, published to everybody. */
async function publish(client: Client): Promise<OsRelease> {
  const [root, platform] = [generateKeyPair(), generateKeyPair()];
  const trust = await client.call(ROUTES.trust);
  const fromBase64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));
  const stages = [
    'PlutonRuntime',
    'SecurityMonitor',
    'UpdateCertStore',
    'NormalWorldKernel',
    'Services',
  ] as const;
  const release = await buildOsRelease({
    version: '26.11.0',
    platform: signerOf(platform),
    root: signerOf(root),
    keystore: {
      version: 1,
      keys: [
        { spki: platform.spki, uses: stages.map((type) => imageUse(IMAGE_TYPES[type])) },
        { spki: fromBase64(trust.planSigningKey), uses: ['plan'] },
      ],
    },
    certStore: {
      endpoints: [{ host: trust.deviceHost, port: trust.devicePort, serverName: trust.deviceServerName }],
      tlsRoots: trust.tlsRoots.map(fromBase64),
    },
  });
  for (const { spki } of [root, platform]) {
    await client.call(ROUTES.createPlatformKey, { body: { spki: base64(spki) } });
  }
  for (const { package: body } of release.images) await client.call(ROUTES.uploadOsImage, { body });
  const imageIds = release.images.map(({ imageId }) => imageId);
  const { name, chipSku } = release;
  await client.call(ROUTES.createOsRelease, {
    body: { name, feed: 'Retail', chipSku: CHIP_SKUS[chipSku], imageIds },
  });
  return release;
}

describe.skipIf(version === null)(
  `the chains of a virtual device that was really attested, by ${version ?? 'openssl'}`,
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'sevenfold-openssl-'));
    let service: RunningService;
    let tenantChainPem: string;
    let clientChain: readonly Uint8Array[];
    let updateChain: readonly Uint8Array[];

    beforeAll(async () => {
      service = await startService({ dataDir: join(folder, 'service') });
      const { client, close } = await enrol(service);
      const release = await publish(client);
      const dir = join(folder, 'chip');
      const { deviceId, attestationSpki } = await manufacture({
        dir,
        images: release.images,
        rootKeyHash: release.rootKeyHash,
      });
      const maker = generateKeyPair();
      const { makerId } = await client.call(ROUTES.createSiliconMaker, {
        body: { name: 'Seven Silicon', spki: base64(maker.spki) },
      });
      const line = { deviceId, spki: base64(attestationSpki), chipSku: CHIP_SKUS[release.chipSku] };
      const batch = `${JSON.stringify(line)}\n`;
      const signature = base64(signWithPkcs8(maker.pkcs8, utf8Encode(batch)));
      await client.call(ROUTES.importEndorsements, { body: { makerId, batch, signature } });
      const { tenantId } = await client.call(ROUTES.createTenant, {
        body: { name: 'Contoso', allowedVirtualSkus: [release.chipSku] },
      });
      await client.call(ROUTES.claimDevice, { params: { tenantId }, body: { deviceId } });
      const { items } = await client.call(ROUTES.certificates, { params: { tenantId } });
      const params = { tenantId, serial: items[0]?.serial ?? '' };
      tenantChainPem = (await client.call(ROUTES.certificateChain, { params })).chainPem;
      close();

      const device = await openDevice({ dir, wiring: 'inline' });
      try {
        expect((await device.boot()).kind).toBe('running');
        const status = await device.checkNow();
        expect([status.verdict, status.tenantId]).toEqual(['trusted', tenantId]);
        ({ clientChain, updateChain } = status);
      } finally {
        await device.close();
      }
    });
    afterAll(async () => {
      await service.close();
      rmSync(folder, { recursive: true });
    });

    /** `openssl verify` for a TLS client, with nothing trusted but `trusted`; what it says. */
    async function verify(
      chain: readonly Uint8Array[],
      trusted: string,
      purpose = 'sslclient',
      options: readonly string[] = [],
    ): Promise<string> {
      const [leaf = new Uint8Array(), ...others] = chain;
      const pathOf = (name: string, pem: string): string => {
        const path = join(folder, name);
        writeFileSync(path, pem);
        return path;
      };
      const parameters = [
        'verify',
        '-x509_strict',
        '-purpose',
        purpose,
        ...options,
        '-no-CApath',
        '-no-CAstore',
        '-CAfile',
        pathOf('trusted.pem', trusted),
        ...(others.length > 0 ? ['-untrusted', pathOf('others.pem', toPem('CERTIFICATE', ...others))] : []),
        pathOf('leaf.pem', toPem('CERTIFICATE', leaf)),
      ];
      const { stdout, stderr } = await run('openssl', parameters).catch(
        (error: { stdout: string; stderr: string }) => error,
      );
      return `${stdout}${stderr}`;
    }

    it('hold for a TLS client, up to the root, by the strict rules', async () => {
      for (const chain of [clientChain, updateChain]) {
        expect(await verify(chain, service.tlsRootPem)).toMatch(/leaf\.pem: OK/);
      }
    });

    it('hold for nothing else: no server, no other root', async () => {
      expect(await verify(clientChain, service.tlsRootPem, 'sslserver')).toMatch(
        /unsuitable certificate purpose/i,
      );
      const stranger = await startService({ dataDir: join(folder, 'stranger') });
      expect(await verify(clientChain, stranger.tlsRootPem)).toMatch(/verification failed/);
      await stranger.close();
    });

    it('tell the tenant’s own from the updater’s where only the tenant CA is known', async () => {
      const [tenantCa = ''] = /-----BEGIN[^]*?-----END CERTIFICATE-----\n/.exec(tenantChainPem) ?? [];
      const partial = ['-partial_chain'];
      expect(await verify(clientChain.slice(0, 1), tenantCa, 'sslclient', partial)).toMatch(/leaf\.pem: OK/);
      expect(await verify(updateChain, tenantCa, 'sslclient', partial)).toMatch(/verification failed/);
    });
  },
);
