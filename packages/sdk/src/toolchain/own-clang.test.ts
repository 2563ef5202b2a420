import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { buildApp, type BuildOptions } from '../build-app.ts';
import { newApp } from '../new-app.ts';
import { PROJECT } from './job.ts';
import { findClang, ownClang } from './own-clang.ts';
import { compile } from './tools.ts';

const isDeep = process.env['SEVENFOLD_DEPTH'] !== undefined;
const folder = mkdtempSync(join(tmpdir(), 'sevenfold-own-clang-'));
const installation = join(import.meta.dirname, '../../../..');
const app = join(folder, 'lamp');
await newApp({ folder: app, template: 'empty', installation });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const signer: BuildOptions['signer'] = {
  thumbprint: new Uint8Array(20),
  sign: async () => new Uint8Array(64),
};

/** The installation's compiler as a program with files of the machine, as any other clang is. */
const PROGRAM = (driver: string, version: string): string => `#!${process.execPath}
const { readdirSync, readFileSync, statSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const args = process.argv.slice(2);
if (args.includes('--version')) {
  console.log('acme clang version ${version}');
  process.exit();
}
const read = (at) => Object.fromEntries(readdirSync(at).map((name) => {
  const path = join(at, name);
  return [name, statSync(path).isDirectory() ? read(path) : new Uint8Array(readFileSync(path))];
}));
writeFileSync(${JSON.stringify(join(folder, 'used'))}, args.join('\\n'));
(async () => {
  const { runClang } = await import(${JSON.stringify(join(installation, 'node_modules/@yowasp/clang/gen/bundle.js'))});
  const own = args.filter((one) => !one.startsWith('--sysroot=')).map((one) => one.replaceAll(process.cwd(), ''));
  const told = (bytes) => { if (bytes !== null) process.stderr.write(bytes); };
  try {
    const files = await runClang(['${driver}', ...own], read('.'), { stdout: told, stderr: told, fetchProgress() {} });
    for (const name of ['out.o', 'out.wasm']) if (files[name]) writeFileSync(name, files[name]);
  } catch (error) {
    process.exitCode = error.code ?? 1;
  }
})();
`;

/** A folder like that of wasi-sdk. */
function sdk(name: string, version: string, hasLibrary = true): string {
  const root = join(folder, name);
  mkdirSync(join(root, 'bin'), { recursive: true });
  for (const driver of ['clang', 'clang++']) {
    writeFileSync(join(root, 'bin', driver), PROGRAM(driver, version));
    chmodSync(join(root, 'bin', driver), 0o755);
  }
  const library = join(root, 'share/wasi-sysroot/lib/wasm32-wasip1');
  if (hasLibrary) mkdirSync(library, { recursive: true });
  if (hasLibrary) writeFileSync(join(library, 'libc.a'), '');
  return root;
}

const build = (toolchain: string) => buildApp({ sourceDir: app, signer, toolchain });

const main = (text: string) => ({
  headers: [],
  library: [],
  project: [{ path: 'main.c', bytes: new TextEncoder().encode(text) }],
});

describe('a compiler of one’s own', () => {
  it('compiles the tree that it is given, and says what is wrong as the installation’s does', async () => {
    const clang = ownClang(await findClang(sdk('wasi-sdk', '22.1.9')));
    const source = main('#include <stdio.h>\nint main(void) { return puts("hello"); }\n');
    const { object, warnings } = await compile(`${PROJECT}main.c`, source, [], clang);
    expect(readFileSync(join(folder, 'used'), 'utf8')).toContain('wasi-sdk/share/wasi-sysroot');
    expect(warnings).toEqual([]);
    expect(Buffer.from(object.subarray(0, 4))).toEqual(Buffer.from('\0asm'));
    // Where it was built stands nowhere in it.
    expect(Buffer.from(object).includes(tmpdir())).toBe(false);
    await expect(
      compile(`${PROJECT}main.c`, main('int main(void) { return nothing; }\n'), [], clang),
    ).rejects.toMatchObject({
      code: 'CompileFailed',
      diagnostics: [expect.objectContaining({ file: 'main.c', line: 1, severity: 'error' })],
    });
  }, 120_000);

  // The compiler of this test is loaded anew for each of a dozen files: what it makes is the same to the byte.
  it.runIf(isDeep)(
    'builds a whole app, and stands in its bill of materials',
    async () => {
      const own = await build(sdk('wasi-sdk', '22.1.9'));
      const usual = await buildApp({ sourceDir: app, signer });
      expect(own.executable).toEqual(usual.executable);
      expect(new TextDecoder().decode(own.materials)).toContain('compiler-rt@22.1.9');
      expect(new TextDecoder().decode(usual.materials)).toContain('%40yowasp/clang');
    },
    120_000,
  );

  it('is refused where it is none, too old, or without a C library', async () => {
    const refusal = { code: 'CompilerMissing', field: 'toolchain' };
    await expect(build(join(folder, 'nowhere'))).rejects.toMatchObject({
      ...refusal,
      message: expect.stringContaining('no clang in'),
    });
    await expect(build(sdk('old', '14.0.6'))).rejects.toMatchObject({
      ...refusal,
      message: expect.stringContaining('need clang 19 or newer'),
    });
    // This machine may have one.
    await expect(findClang(sdk('bare', '21.0.0', false), folder)).rejects.toMatchObject({
      ...refusal,
      message: expect.stringContaining('no wasi-libc'),
    });
  });
});
