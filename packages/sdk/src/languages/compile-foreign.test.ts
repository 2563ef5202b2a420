import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { buildApp, type BuildOptions } from '../build-app.ts';
import { customSection } from '../toolchain/wasm-sections.ts';
import { newApp, type AppTemplate } from '../new-app.ts';

const folder = mkdtempSync(join(tmpdir(), 'sevenfold-foreign-'));
const installation = join(import.meta.dirname, '../../../..');
afterEach(() => {
  vi.unstubAllEnvs();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const signer: BuildOptions['signer'] = {
  thumbprint: new Uint8Array(20),
  sign: async () => new Uint8Array(64),
};

async function project(name: string, template: AppTemplate): Promise<string> {
  const path = join(folder, name);
  await newApp({ folder: path, template, installation });
  return path;
}

const onPath = (program: string): boolean =>
  (process.env['PATH'] ?? '').split(delimiter).some((place) => existsSync(join(place, program)));

/** Whether rustc is here with its library for WebAssembly. */
function hasRust(): boolean {
  const libraryOf = (target: string): string =>
    execFileSync('rustc', ['--print', 'target-libdir', '--target', target], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  return ['wasm32-wasip1', 'wasm32-wasi'].some((target) => {
    try {
      return existsSync(libraryOf(target));
    } catch {
      return false;
    }
  });
}

const compilers = [
  ['assemblyscript', onPath('asc'), 'asc', 'assembly/index.ts', 'const wrong: i32 = "text";\n'],
  [
    'rust',
    onPath('cargo') && hasRust(),
    'rustc with wasm32-wasip1',
    'src/main.rs',
    'fn main() { wrong() }\n',
  ],
] as const;

describe('an app in another language', () => {
  it('says which compiler is missing', async () => {
    vi.stubEnv('PATH', '/nowhere');
    await expect(
      buildApp({ sourceDir: await project('noscript', 'assemblyscript'), signer }),
    ).rejects.toMatchObject({ code: 'CompilerMissing', message: expect.stringContaining('npm install') });
    await expect(buildApp({ sourceDir: await project('norust', 'rust'), signer })).rejects.toMatchObject({
      code: 'CompilerMissing',
      message: expect.stringContaining('rustc does not run'),
    });
  });

  it('says what went wrong, and not what cargo was doing', async () => {
    const sourceDir = await project('failing', 'rust');
    const tools = join(folder, 'tools');
    mkdirSync(join(tools, 'lib'), { recursive: true });
    writeFileSync(join(tools, 'lib/libstd-0.rlib'), '');
    const tool = (name: string, lines: string): void =>
      writeFileSync(join(tools, name), `#!/bin/sh\n${lines}\n`, { mode: 0o755 });
    const asked = `case "$*" in *target-libdir*) echo ${tools}/lib;; *target-list*) echo wasm32-wasi;; *) echo 1.63.0;; esac`;
    tool('rustc', asked);
    vi.stubEnv('PATH', `${tools}${delimiter}/usr/bin${delimiter}/bin`);
    const failing = (said: string): void =>
      tool('cargo', `printf '   Compiling lamp v1.0.0\\n${said}' >&2; exit 101`);
    failing('error: no matching package\\n');
    await expect(buildApp({ sourceDir, signer })).rejects.toMatchObject({
      code: 'CompileFailed',
      message: 'no matching package',
    });
    failing('error: linker `rust-lld` not found\\n');
    await expect(buildApp({ sourceDir, signer })).rejects.toMatchObject({
      code: 'CompilerMissing',
      message: expect.stringContaining('rust-lld'),
    });
  });

  for (const [template, isHere, what, source, wrong] of compilers) {
    if (!isHere) process.stderr.write(`skipped: the ${template} template, since there is no ${what} here\n`);
    it.runIf(isHere)(
      `is built from the template ${template}, with the pins of its board`,
      async () => {
        const path = await project(template, template);
        const app = await buildApp({ sourceDir: path, signer });
        expect(customSection(app.executable, 'name')).toBeNull();
        expect(customSection(app.debugModule, 'name')).not.toBeNull();
        expect(app.symbols.functions.length).toBeGreaterThan(5);
        expect(Buffer.from(app.materials).toString()).toContain(
          template === 'rust' ? 'rust-std' : 'assemblyscript',
        );

        const main = readFileSync(join(path, source), 'utf8');
        writeFileSync(join(path, source), wrong);
        await expect(buildApp({ sourceDir: path, signer })).rejects.toMatchObject({
          code: 'CompileFailed',
          diagnostics: expect.arrayContaining([expect.objectContaining({ file: source, line: 1 })]),
        });
        writeFileSync(join(path, source), main);
      },
      120_000,
    );
  }
});
