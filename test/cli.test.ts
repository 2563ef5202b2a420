import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { appImagePackage, billOf, imageIdOf } from '../packages/service/src/images/testing-images.ts';

const command = join(import.meta.dirname, '../packages/cli/bin/sevenfold.mjs');
const folder = mkdtempSync(join(tmpdir(), 'sevenfold-cli-'));
const profile = join(folder, 'profile');

interface Ending {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command as a person would. */
function sevenfold(...args: readonly string[]): Promise<Ending> {
  return new Promise((resolve) => {
    const env = { ...process.env, SEVENFOLD_PROFILE: profile };
    execFile(process.execPath, [command, ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? 1 : 0, stdout, stderr }),
    );
  });
}

describe('the command line against a service of its own', () => {
  let service: ChildProcess;
  let login: readonly string[] = [];

  beforeAll(async () => {
    service = spawn(process.execPath, [command, 'service', 'run', '--data', join(folder, 'service')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    service.stdout?.setEncoding('utf8');
    while (!said.includes('Ctrl-C')) {
      const [part] = (await once(service.stdout ?? service, 'data')) as [string];
      said += part;
    }
    login = /npx sevenfold (login .*)/.exec(said)?.[1]?.split(' ') ?? [];
  });
  afterAll(async () => {
    if (service.exitCode === null) {
      service.kill('SIGINT');
      await once(service, 'exit');
    }
    rmSync(folder, { recursive: true, force: true });
  });

  it('says what to do before anybody has enrolled', async () => {
    const { code, stderr } = await sevenfold('tenant', 'list');
    expect(code).toBe(1);
    expect(stderr).toMatch(/NotEnrolled[\s\S]*sevenfold login/);
  });

  it('enrols with the printed command, once, with a key that only its owner can read', async () => {
    expect(await sevenfold(...login)).toMatchObject({ code: 0, stderr: '' });
    expect(statSync(join(profile, 'profile.json')).mode & 0o777).toBe(0o600);
    const again = await sevenfold(...login, '--profile', join(folder, 'thief'));
    expect(again.code).toBe(1);
    expect(again.stderr).toContain('EnrolmentTokenInvalid');
  });

  it('makes a tenant, a product and a device group, by names', async () => {
    expect((await sevenfold('tenant', 'create', 'Acme')).stdout).toContain('Acme');
    expect((await sevenfold('product', 'create', 'Kettle')).stdout).toContain('Kettle');
    const group = await sevenfold('device-group', 'create', 'Kitchen', '--product', 'kettle', '--json');
    expect(JSON.parse(group.stdout)).toMatchObject({
      name: 'Kitchen',
      osFeed: 'Retail',
      updatePolicy: 'UpdateAll',
    });
    expect((await sevenfold('device-group', 'list')).stdout).toMatch(/Kitchen +Retail +UpdateAll/);
    expect((await sevenfold('device', 'list')).stdout).toBe('No device claimed yet.\n');
    expect((await sevenfold('ca-certificate', 'list')).stdout).toMatch(/Active .*Sevenfold tenant/);
  });

  it('keeps an image with what it was linked from, and shows it', async () => {
    const [image, bill, copy] = ['app.imagepackage', 'app.cdx.json', 'copy'].map((name) =>
      join(folder, name),
    );
    writeFileSync(image ?? '', appImagePackage());
    writeFileSync(bill ?? '', billOf(imageIdOf(1), 'libfoo'));
    const added = await sevenfold('image', 'add', image ?? '', '--sbom', bill ?? '');
    expect(added.stdout).toMatch(/MATERIALS\n.* yes\n/);
    const shown = await sevenfold('image', 'show', imageIdOf(1), '--sbom', copy ?? '');
    expect(shown.stdout).toMatch(/library +libfoo +1\.2/);
    expect(readFileSync(copy ?? '').equals(billOf(imageIdOf(1), 'libfoo'))).toBe(true);
  });

  it('refuses what is wrong with code, field and rule, and a non-zero exit code', async () => {
    const notAnImage = join(folder, 'not-an-image');
    writeFileSync(notAnImage, 'x'.repeat(500));
    const cases: readonly (readonly [args: readonly string[], message: RegExp])[] = [
      [['image', 'add', notAnImage], /InvalidMetadata; field: /],
      [['image-package', 'show', notAnImage], /InvalidMetadata; field: /],
      [['image', 'add', join(folder, 'absent')], /Cannot read .*FileError/],
      [['device', 'show', 'nonsense'], /field: params\.deviceId|field: deviceId/],
      [['device', 'claim', 'f'.repeat(64)], /\(\w+;/],
      [['device-group', 'create', 'Kitchen', '--product', 'Toaster'], /no product .*Toaster.*NotFound/],
      [['tenant', 'create', 'Acme'], /AlreadyExists/],
      [['error', 'show', '0'.repeat(64)], /NotFound/],
      [['--profile'], /./],
    ];
    for (const [args, message] of cases) {
      const { code, stderr } = await sevenfold(...args);
      expect(code, args.join(' ')).not.toBe(0);
      expect(stderr, args.join(' ')).toMatch(message);
      // One clear error, no stack.
      expect(stderr, args.join(' ')).not.toMatch(/^\s+at /m);
    }
  });

  it('prints help for every command', async () => {
    for (const args of [['--help'], ['device', '--help'], ['image', 'add', '--help'], ['up', '--help']]) {
      const { code, stdout } = await sevenfold(...args);
      expect(code).toBe(0);
      expect(stdout).toContain('USAGE');
    }
  });

  it('stops cleanly on Ctrl-C', async () => {
    const ended = once(service, 'exit');
    service.kill('SIGINT');
    expect(await ended).toEqual([0, null]);
    expect((await sevenfold('tenant', 'list')).stderr).toContain('Unreachable');
  });
});
