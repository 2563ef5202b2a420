import { createServer } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { confinement } from './confinement.ts';
import { NODE_FLAGS, spawnConfined } from './process-loader.ts';
import { systemCallFilter } from './system-call-filter.ts';

/**
 * What native code could do that took over a stage's process: here it is a program in place of the stage's own, with
 * all of Node at hand. `attempt` runs one expression and says how it ended.
 */
const PROGRAM = `
const attempt = async (name, run) => {
  let outcome;
  try { const value = await run(); outcome = value === undefined ? 'done' : String(value); } catch (error) { outcome = error.code || error.name; }
  process.stdout.write(name + ' = ' + outcome + '\\n');
};
const all = JSON.parse(process.argv[1]);
(async () => {
  for (const [name, source] of Object.entries(all)) await attempt(name, () => (0, eval)('(async () => ' + source + ')()'));
  process.exit(0);
})();`;

async function outcomes(
  flags: readonly string[],
  attempts: Readonly<Record<string, string>>,
): Promise<Readonly<Record<string, string>>> {
  const walls = confinement();
  const program = PROGRAM.replace(
    'process.argv[1]',
    `\`${JSON.stringify(attempts).replaceAll('\\', '\\\\')}\``,
  );
  const child = spawnConfined(walls, flags, `globalThis.require = require;${program}`);
  let text = '';
  child.stdout?.on('data', (chunk) => (text += String(chunk)));
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  // A process that did not come up, or not to its end, has been stopped by nothing that is looked for here.
  if (code !== 0) throw new Error(`The process ended with ${code ?? signal}, having said:\n${text}`);
  return Object.fromEntries(
    text
      .trim()
      .split('\n')
      .map((line) => line.split(' = ') as [string, string]),
  );
}

const FILES = {
  'reads a file': `require('fs').readFileSync('/etc/passwd').length`,
  'reads its own memory': `require('fs').openSync('/proc/self/mem', 'r')`,
  'reads its parent’s memory': `require('fs').openSync('/proc/' + process.ppid + '/mem', 'r')`,
  'lists processes': `require('fs').readdirSync('/proc').length`,
  'writes a file': `require('fs').writeFileSync('/tmp/x', 'x')`,
};

/** Bubblewrap says where it starts the process: at the root. */
const NO_ENVIRONMENT = /^(\{\}|\{"PWD":"\/"\})$/;

describe('native code in the process of a stage', () => {
  it('has no file, no network, no thread, no process, no add-on and no environment', async () => {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const seen = await outcomes(NODE_FLAGS, {
      ...FILES,
      connects: `new Promise((resolve, reject) => require('net').connect(${port}, '127.0.0.1').on('connect', resolve).on('error', reject))`,
      listens: `new Promise((resolve, reject) => require('net').createServer().listen(0).on('listening', resolve).on('error', reject))`,
      'starts a thread': `new (require('worker_threads').Worker)('0', { eval: true })`,
      'starts a process': `require('child_process').spawnSync('/node').pid`,
      'loads an add-on': `process.dlopen({ exports: {} }, '/usr/lib/x.node')`,
      'runs WASI': `new (require('wasi').WASI)({ version: 'preview1' })`,
      'opens the inspector': `require('inspector').open()`,
      'gives itself permission': `process.permission.has('fs.read') || process.permission.has('net')`,
      environment: `JSON.stringify(process.env)`,
    });
    server.close();
    for (const name of [
      ...Object.keys(FILES),
      'connects',
      'listens',
      'starts a thread',
      'starts a process',
    ]) {
      expect(seen[name], name).toMatch(/^ERR_ACCESS_DENIED$/);
    }
    expect(seen['runs WASI']).toBe('ERR_ACCESS_DENIED');
    expect(seen['opens the inspector']).toMatch(/^ERR_/);
    expect(seen['loads an add-on']).toMatch(/^ERR_(DLOPEN_DISABLED|ACCESS_DENIED)$/);
    expect(seen['gives itself permission']).toBe('false');
    expect(seen['environment']).toMatch(NO_ENVIRONMENT);
  });

  it.runIf(confinement().filter !== null)(
    'that got round the permission model as well stands before the walls of the machine',
    async () => {
      const seen = await outcomes(['--input-type=commonjs'], {
        ...FILES,
        root: `require('fs').readdirSync('/').sort().join()`,
        connects: `new Promise((resolve, reject) => require('net').connect(1, '127.0.0.1').on('connect', resolve).on('error', reject))`,
        'starts a process': `new Promise((resolve, reject) => require('child_process').spawn('/node', ['--version']).on('spawn', resolve).on('error', reject))`,
        'stops its parent': `process.kill(process.ppid, 'SIGKILL') && 'sent'`,
        'stops everybody': `process.kill(-1, 0) && 'sent'`,
        'user outside': `process.getuid()`,
        environment: `JSON.stringify(process.env)`,
      });
      for (const name of Object.keys(FILES)) expect(seen[name], name).toMatch(/^(ENOENT|EROFS|EACCES)$/);
      expect(seen['root']).toMatch(/^(lib,)?(lib64,)?node(,usr)?$/);
      expect(seen['connects']).toBe('EPERM');
      expect(seen['starts a process']).toMatch(/^(EPERM|ENOENT)$/);
      // There is nobody but itself, and the first process of its namespace, which takes no signal from inside.
      expect(seen['stops everybody']).toBe('ESRCH');
      expect(seen['environment']).toMatch(NO_ENVIRONMENT);
    },
  );
});

describe('the filter of system calls', () => {
  it('is made for the architectures that it knows', () => {
    expect(systemCallFilter('riscv64')).toBeNull();
    const filter = systemCallFilter('x64');
    expect(filter?.length).toBeGreaterThan(500);
    expect((filter?.length ?? 1) % 8).toBe(0);
    expect(systemCallFilter('arm64')?.length).toBeLessThan(filter?.length ?? 0);
  });
});
