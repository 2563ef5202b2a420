import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const command = join(import.meta.dirname, '../packages/cli/bin/sevenfold.mjs');
const folder = mkdtempSync(join(tmpdir(), 'sevenfold-app-'));
const app = join(folder, 'lamp');
const env = { ...process.env, SEVENFOLD_PROFILE: join(folder, 'profile') };

interface Ending {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command of the app's own `node_modules`, as `npx` would. */
function sevenfold(cwd: string, ...args: readonly string[]): Promise<Ending> {
  const own = join(app, 'node_modules/.bin/sevenfold');
  return new Promise((resolve) => {
    execFile(existsSync(own) ? own : command, args, { env, cwd }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? 1 : 0, stdout, stderr }),
    );
  });
}

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('an app developer on a machine without a network', () => {
  it('makes a new app, once, under a name that an app may have', async () => {
    expect(await sevenfold(folder, 'app', 'new', 'lamp')).toMatchObject({ code: 0, stderr: '' });
    expect(await sevenfold(folder, 'app', 'new', 'lamp')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('ProjectExists'),
    });
    expect(await sevenfold(folder, 'app', 'new', '1amp')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('NameInvalid'),
    });
  });

  it('builds it, and sees in the package what was built', async () => {
    const built = await sevenfold(app, 'app', 'build');
    expect(built).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining('lamp.imagepackage'),
    });
    const image = join(app, 'out/lamp.imagepackage');
    const { stdout } = await sevenfold(app, 'image-package', 'show', '--json', image);
    expect(JSON.parse(stdout)).toMatchObject({
      name: 'lamp',
      files: expect.arrayContaining([expect.objectContaining({ path: '/bin/app' })]),
    });
    await sevenfold(app, 'image-package', 'unpack', '--out', join(folder, 'parts'), image);
    expect(JSON.parse(readFileSync(join(folder, 'parts/app_manifest.json'), 'utf8'))).toMatchObject({
      Capabilities: { Gpio: [8, 12] },
    });
    const again = join(folder, 'again.imagepackage');
    expect(
      await sevenfold(app, 'image-package', 'pack', '--out', again, join(folder, 'parts')),
    ).toMatchObject({
      code: 0,
    });
  });

  it('is told a warning with its place, and the error that stops a build', async () => {
    const source = readFileSync(join(app, 'main.c'), 'utf8');
    writeFileSync(
      join(app, 'main.c'),
      source.replace('int main(void)\n{', 'int main(void)\n{\n    int spare;'),
    );
    const warned = await sevenfold(app, 'app', 'build');
    expect(warned).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^main\.c:\d+:9: warning: unused variable 'spare'/),
    });
    writeFileSync(join(app, 'main.c'), source.replace('return ExitCode_Led', 'return ExitCode_Lamp'));
    const refused = await sevenfold(app, 'app', 'build');
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^main\.c:\d+:16: error: use of undeclared/),
    });
    writeFileSync(join(app, 'main.c'), source);
  });

  it('passes the tests of the template, and fails one that the app fails', async () => {
    expect(await sevenfold(app, 'app', 'test')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('pass 2'),
    });
    const main = readFileSync(join(app, 'main.c'), 'utf8');
    writeFileSync(join(app, 'main.c'), main.replace('{500, 250, 125}', '{400, 250, 125}'));
    const failed = await sevenfold(app, 'app', 'test');
    expect(failed).toMatchObject({ code: 1, stdout: expect.stringContaining('fail 1') });
    writeFileSync(join(app, 'main.c'), main);
  });

  it('sees the app run with a partner, and its LED, until Ctrl-C', async () => {
    const trace = join(folder, 'lamp.vcd');
    const partner = join(folder, 'partner');
    mkdirSync(partner);
    const id = '3d5bd5a6-4f2e-4e0b-8b0e-0d6a0d1b6a11';
    const manifest = { SchemaVersion: 1, Name: 'partner', ComponentId: id, EntryPoint: '/bin/app' };
    writeFileSync(
      join(partner, 'app_manifest.json'),
      JSON.stringify({ ...manifest, CmdArgs: [], Capabilities: {}, ApplicationType: 'Default' }),
    );
    writeFileSync(join(partner, 'main.c'), 'int main(void) { return 0; }\n');
    const args = [command, 'app', 'run', '--trace', trace, '--partner', '../partner'];
    const child = spawn(process.execPath, args, {
      env,
      cwd: app,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let said = '';
    const isOver = (text: string): boolean => text.includes('APP_LED on') && text.includes('app partner (');
    for await (const part of child.stdout.setEncoding('utf8')) {
      const isFirst = !isOver(said);
      said += String(part);
      // The terminal tells the command and its children, and npx tells the command once more.
      if (isFirst && isOver(said)) {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGINT');
        child.kill('SIGINT');
      }
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    expect(said).toMatch(/lamp started[\s\S]*APP_LED on/);
    expect(said).toContain('app partner (');
    expect(child.exitCode).toBe(0);
    expect(readFileSync(trace, 'utf8')).toContain('$enddefinitions');
  });

  it('keeps a board’s header true to its definition', async () => {
    const definition = join(app, 'hardware.json');
    expect(await sevenfold(app, 'hardware-definition', 'generate-header', definition)).toMatchObject({
      code: 0,
    });
    expect(await sevenfold(app, 'hardware-definition', 'test-header', definition)).toMatchObject({ code: 0 });
    writeFileSync(join(app, 'inc/hw/hardware.h'), '#define APP_LED 9\n');
    expect(await sevenfold(app, 'hardware-definition', 'test-header', definition)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is not the header'),
    });
  });
});
