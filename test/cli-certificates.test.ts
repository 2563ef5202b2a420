import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomBytes, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const command = join(import.meta.dirname, '../packages/cli/bin/sevenfold.mjs');
const folder = mkdtempSync(join(tmpdir(), 'sevenfold-certificates-'));
const path = (name: string): string => join(folder, name);

/** How a program is started that sees no network at all, not even loopback; nothing where the machine has no such way. */
const APART = ['unshare', '--map-root-user', '--net'] as const;
const canBeApart = spawnSync(APART[0], [...APART.slice(1), 'true']).status === 0;
if (!canBeApart)
  process.stdout.write(
    'skipped: a root without network (unshare makes no namespace here); it runs with one\n',
  );

interface Said {
  readonly code: number;
  readonly said: string;
}

/** Runs the command as a person would; both its streams. */
function sevenfold(...args: readonly string[]): Promise<Said> {
  return run([process.execPath, command, ...args]);
}

/** As `sevenfold`, on a machine without network. */
function sevenfoldApart(...args: readonly string[]): Promise<Said> {
  return run([...(canBeApart ? APART : []), process.execPath, command, ...args]);
}

function run([program = '', ...args]: readonly string[]): Promise<Said> {
  return new Promise((resolve) => {
    const env = { ...process.env, SEVENFOLD_PROFILE: path('profile') };
    execFile(program, args, { env, cwd: folder }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : 1, said: stdout + stderr }),
    );
  });
}

describe('certificates from the command line, with a root on another machine', () => {
  let service: ChildProcess | null = null;
  writeFileSync(path('service.key'), randomBytes(64), { mode: 0o600 });
  writeFileSync(path('root.key'), randomBytes(64), { mode: 0o600 });
  const atService = ['--data', path('service'), '--key-file', path('service.key')] as const;
  let serial = '';

  afterAll(async () => {
    if (service !== null && service.exitCode === null) {
      service.kill('SIGINT');
      await once(service, 'exit');
    }
    rmSync(folder, { recursive: true, force: true });
  });

  it('carries a request to the root, which has no network, and the answer back', async () => {
    const asked = await sevenfoldApart('pki', 'init', '--offline-root', '--curve', 'P-384', ...atService);
    expect(asked).toMatchObject({ code: 0 });
    const early = await sevenfold('service', 'run', ...atService);
    expect(early).toMatchObject({ code: 1, said: expect.stringContaining('sevenfold pki import') });
    const absent = await sevenfold('pki', 'sign', '--root', path('root'), '--key-file', path('no.key'));
    expect(absent).toMatchObject({ code: 1, said: expect.stringContaining('FileError') });
    const root = ['--root', path('root'), '--key-file', path('root.key')];
    expect(await sevenfoldApart('pki', 'sign', ...root, '--curve', 'P-384')).toMatchObject({ code: 0 });
    const thief = await sevenfoldApart(
      'pki',
      'sign',
      '--root',
      path('root'),
      '--key-file',
      path('service.key'),
    );
    expect(thief).toMatchObject({ code: 1, said: expect.stringContaining('WrongPassphrase') });
    expect(await sevenfoldApart('pki', 'import', ...atService)).toMatchObject({ code: 0 });
    for (const name of readdirSync(path('service/keys')).filter((one) => one.endsWith('.pem')))
      expect(readFileSync(path(`service/keys/${name}`), 'utf8')).toContain('SEVENFOLD SEALED KEY');
  });

  it('runs the service on sealed keys', async () => {
    const unsealed = await sevenfold('service', 'run', '--data', path('service'));
    expect(unsealed).toMatchObject({ code: 1, said: expect.stringContaining('WrongPassphrase') });
    service = spawn(process.execPath, [command, 'service', 'run', ...atService], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    service.stdout?.setEncoding('utf8');
    while (!said.includes('Ctrl-C')) {
      const [part] = (await once(service.stdout ?? service, 'data')) as [string];
      said += part;
    }
    const login = /npx sevenfold (login .*)/.exec(said)?.[1]?.split(' ') ?? [];
    expect(await sevenfold(...login)).toMatchObject({ code: 0 });
    expect(await sevenfold('tenant', 'create', 'Acme')).toMatchObject({ code: 0 });
  });

  it('downloads a CA, its chain and a proof of possession', async () => {
    const list = await sevenfold('ca-certificate', 'list', '--json');
    serial = /"serial": "([0-9a-f]+)"/.exec(list.said)?.[1] ?? '';
    const download = async (...args: string[]): Promise<void> =>
      expect(await sevenfold('ca-certificate', ...args)).toMatchObject({ code: 0 });
    await download('download', serial, '--output', path('ca.cer'));
    await download('download-chain', serial, '--output', path('ca.p7b'));
    await download('download-proof', serial, '--nonce', 'A1B2C3', '--output', path('proof.cer'));
    const ca = new X509Certificate(readFileSync(path('ca.cer')));
    const proof = new X509Certificate(readFileSync(path('proof.cer')));
    expect(proof.subject).toBe('CN=A1B2C3');
    expect(proof.checkIssued(ca) && proof.verify(ca.publicKey)).toBe(true);
    expect(readFileSync(path('ca.p7b')).includes(ca.raw)).toBe(true);
    const { said: pem } = await sevenfold('ca-certificate', 'download-chain', serial);
    expect(pem.match(/BEGIN CERTIFICATE/g)).toHaveLength(3);
  });

  it('takes a CA back, and asks the root where that is needed', async () => {
    const revoked = await sevenfold('ca-certificate', 'revoke', serial);
    expect(revoked).toMatchObject({ code: 0, said: expect.stringContaining('Active') });
    expect((await sevenfold('ca-certificate', 'list')).said).toMatch(new RegExp(`${serial} +Revoked`));
    const proof = await sevenfold('ca-certificate', 'download-proof', serial, '--nonce', 'x');
    expect(proof).toMatchObject({ code: 1, said: expect.stringContaining('CertificateUnavailable') });
    const { said } = await sevenfold('pki', 'list', '--json');
    const intermediate = /"serial": "([0-9a-f]+)"/.exec(said)?.[1] ?? '';
    const replaced = await sevenfold('pki', 'replace-intermediate', intermediate, '--compromised');
    expect(replaced).toMatchObject({ code: 1, said: expect.stringContaining('lives elsewhere') });
  });
});
