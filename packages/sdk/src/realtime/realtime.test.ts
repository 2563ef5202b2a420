import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  decodeSymbolMap,
  lookupSymbol,
  parseAppImage,
  parseAppManifest,
  parseElf,
  parseImagePackage,
  utf8Decode,
  utf8Encode,
} from '@sevenfold/formats';
import { generateKeyPair, signWithPkcs8, thumbprint } from '@sevenfold/pki';
import { describe, expect, it } from 'vitest';
import {
  appsBeside,
  buildApp,
  newApp,
  packImage,
  readProject,
  SdkError,
  type AppTemplate,
  type BuildOptions,
  type BuiltApp,
} from '../index.ts';
import { parseSettings } from './settings.ts';

const INSTALLATION = fileURLToPath(new URL('../../../..', import.meta.url));
const KERNEL = fileURLToPath(new URL('../../realtime/rtos', import.meta.url));
const MOST_KERNEL_LINES = 2000;
const FREERTOS = process.env['SEVENFOLD_FREERTOS'];
const NO_COMPILER = 'gcc-arm-none-eabi is not installed';
const key = generateKeyPair();
const signer = {
  thumbprint: thumbprint(key.spki),
  sign: (message: Uint8Array) => Promise.resolve(signWithPkcs8(key.pkcs8, message)),
};

async function newProject(template: AppTemplate, freertos?: string): Promise<string> {
  const folder = join(await mkdtemp(join(tmpdir(), 'sevenfold-rt-')), 'spinner');
  await newApp({
    folder,
    template,
    installation: INSTALLATION,
    ...(freertos === undefined ? {} : { freertos }),
  });
  return folder;
}

const build = (sourceDir: string, options: Partial<BuildOptions> = {}): Promise<BuiltApp> =>
  buildApp({ sourceDir, signer, ...options });

/** A build, or null where this machine has no compiler. */
const buildIfPossible = (sourceDir: string, options: Partial<BuildOptions> = {}): Promise<BuiltApp | null> =>
  build(sourceDir, options).catch((error: unknown) => {
    if (error instanceof SdkError && error.code === 'CompilerMissing') return null;
    throw error;
  });

const refusal = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => null,
    (error: unknown) => error,
  );

describe('a real-time app', () => {
  it('that no core can run is not packed', async () => {
    const manifestBytes = utf8Encode(
      JSON.stringify({
        SchemaVersion: 1,
        Name: 'none',
        ComponentId: '005180bc-402f-4cb3-a662-72937dbcde47',
        EntryPoint: '/bin/app',
        ApplicationType: 'RealTimeCapable',
        Capabilities: {},
      }),
    );
    const files = [
      { path: '/app_manifest.json', bytes: manifestBytes },
      { path: '/bin/app', bytes: new Uint8Array(64), executable: true },
    ];
    expect(await refusal(packImage({ manifestBytes, files }, { signer }))).toMatchObject({
      code: 'NotAnElf',
    });
  });

  it('beside a high-level one is an app of its own: neither has the other’s sources', async ({ skip }) => {
    const folder = await newProject('intercore');
    const [realTime = '', ...more] = await appsBeside(folder);
    expect([realTime, more]).toEqual([join(folder, 'realtime'), []]);
    const sources = (await readProject(folder)).files.filter(({ path }) => path.endsWith('.c'));
    expect(sources.map(({ path }) => path)).toEqual(['main.c']);
    const manifests = await Promise.all(
      [folder, realTime].map(async (at) => (await readProject(at)).manifest),
    );
    const [one, other] = manifests.map((manifest) => parseAppManifest(manifest));
    // Both name each other.
    expect(one?.capabilities.allowedApplicationConnections).toEqual([other?.componentId]);
    expect(other?.capabilities.allowedApplicationConnections).toEqual([one?.componentId]);
    expect(other?.applicationType).toBe('RealTimeCapable');
    const app = await buildIfPossible(realTime);
    skip(app === null, NO_COMPILER);
    expect(app?.warnings).toEqual([]);
    // What a service needs to read the end of such an app.
    expect(app?.symbols.functions.map(({ name }) => name)).toContain('on_message');
    expect(app?.symbols.unwind?.length).toBeGreaterThan(20);
  });

  it('is built into an image with a program for the core, and debug data beside it', async ({ skip }) => {
    const folder = await newProject('realtime-rtos');
    const outDir = join(folder, 'out');
    const app = await buildIfPossible(folder, { outDir });
    if (app === null) return skip(NO_COMPILER);
    const { manifest, files } = parseAppImage(parseImagePackage(app.imagePackage).payload);
    expect(manifest.applicationType).toBe('RealTimeCapable');
    const program = files.read('/bin/app') ?? new Uint8Array(0);
    expect(parseElf(program)).toMatchObject({ stack: 0x0013_0000 });
    // No names and no lines go onto the device.
    expect(utf8Decode(program.filter((byte) => byte > 31 && byte < 127))).not.toContain('turn_led');
    expect(app.warnings).toEqual([]);
    expect(app.realTime?.use).toMatchObject([{ memory: 'tcm', size: 196_608 }]);
    expect((await readdir(outDir)).sort()).toEqual(
      ['debug', 'spinner.cdx.json', 'spinner.imagepackage', 'spinner.map', 'spinner.symbols'].sort(),
    );
    expect(await readdir(join(outDir, 'debug'))).toEqual([`${app.imageId}.elf`]);
    const symbols = decodeSymbolMap(new Uint8Array(await readFile(join(outDir, 'spinner.symbols'))));
    const main = symbols.lines.find((line) => line.function === 'turn_led' && line.file === 'main.c');
    expect(lookupSymbol(symbols, main?.offset ?? 0)).toMatchObject({ file: 'main.c', function: 'turn_led' });
    expect(symbols.lines.some(({ file }) => file === '<sdk>/rtos/queue.c')).toBe(true);
    const bill: unknown = JSON.parse(utf8Decode(app.materials));
    expect(bill).toMatchObject({
      components: [{ name: 'main.c' }, { name: 'sevenfold-sdk' }, { name: 'libgcc' }],
    });
    return undefined;
  });

  it('is the same program wherever and however often it is built', async ({ skip }) => {
    const [one, other] = await Promise.all([
      newProject('realtime-baremetal'),
      newProject('realtime-baremetal'),
    ]);
    const [first, second] = [await buildIfPossible(one), await buildIfPossible(other)];
    if (first === null || second === null) return skip(NO_COMPILER);
    const programOf = (app: BuiltApp): Uint8Array | null =>
      parseAppImage(parseImagePackage(app.imagePackage).payload).files.read('/bin/app');
    expect(programOf(second)).toEqual(programOf(first));
    return undefined;
  });

  it('of the examples builds without a word', async ({ skip }) => {
    const app = await buildIfPossible(join(INSTALLATION, 'examples/realtime-power'));
    if (app === null) return skip(NO_COMPILER);
    expect(app.warnings).toEqual([]);
    return undefined;
  });

  it('may be executed in flash, with data and vectors in the core’s memory', async ({ skip }) => {
    const folder = await newProject('realtime-baremetal');
    await writeFile(join(folder, 'realtime.json'), '{ "memory": "flash" }');
    const app = await buildIfPossible(folder);
    if (app === null) return skip(NO_COMPILER);
    const use = Object.fromEntries((app.realTime?.use ?? []).map(({ memory, loaded }) => [memory, loaded]));
    expect(use['xip']).toBeGreaterThan(2000);
    expect(use['tcm']).toBeLessThan(2000);
    return undefined;
  });

  it('does not build with what is wrong in its source, and says where', async ({ skip }) => {
    const folder = await newProject('realtime-baremetal');
    const tryMain = async (main: string): Promise<unknown> => {
      await writeFile(join(folder, 'main.c'), main);
      return refusal(buildIfPossible(folder));
    };
    const unknown = await tryMain('int main(void)\n{\n  return missing;\n}\n');
    if (unknown === null) return skip(NO_COMPILER);
    expect(unknown).toMatchObject({ code: 'CompileFailed', field: 'main.c:3' });
    const place = { file: 'main.c', line: 2, severity: 'error' };
    expect(await tryMain('void missing(void);\nint main(void) { missing(); return 0; }\n')).toMatchObject({
      code: 'LinkFailed',
      diagnostics: [place],
    });
    expect(
      await tryMain('static volatile char big[196608];\nint main(void) { return big[1]; }\n'),
    ).toMatchObject({ code: 'LinkFailed', message: expect.stringContaining('TCM') as unknown });
    // What only deserves a warning is built, and says so.
    await writeFile(join(folder, 'main.c'), 'int main(void)\n{\n  int unused;\n  for (;;) continue;\n}\n');
    expect((await build(folder)).warnings).toMatchObject([{ file: 'main.c', line: 3, severity: 'warning' }]);
    return undefined;
  });

  it('with a CMakeLists.txt and a linker script of its own is built by them, as for the original', async ({
    skip,
  }) => {
    const folder = await newProject('realtime-baremetal');
    const write = (files: Readonly<Record<string, string>>): Promise<unknown> =>
      Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(folder, name), text)));
    await write({
      'CMakeLists.txt': `cmake_minimum_required(VERSION 3.11)
project(spinner C)
azsphere_configure_tools(TOOLS_REVISION "20.10")
add_executable(\${PROJECT_NAME} main.c)
azsphere_target_add_image_package(\${PROJECT_NAME})
`,
      'linker.ld': `MEMORY { TCM (rwx) : ORIGIN = 0x00100000, LENGTH = 192K }
ENTRY(vectors)
SECTIONS { .text : { KEEP(*(.vectors)) *(.text*) } >TCM }
`,
      'main.c': `#ifdef SPIN
static void start(void) { for (;;) continue; }
__attribute__((section(".vectors"), used)) void *const vectors[116] = {(void *)0x00130000, (void *)start};
#endif
`,
    });
    const defines = { SPIN: "it's 1" };
    const app = await buildIfPossible(folder, { defines });
    if (app === null) return skip(`${NO_COMPILER}, or cmake`);
    const { files } = parseAppImage(parseImagePackage(app.imagePackage).payload);
    expect(parseElf(files.read('/bin/app') ?? new Uint8Array(0))).toMatchObject({ stack: 0x0013_0000 });
    expect(app.symbols.lines[0]).toMatchObject({ file: 'main.c', line: 2, function: 'start' });
    expect(utf8Decode(app.realTime?.map ?? new Uint8Array(0))).toContain('TCM');
    // Nothing is left beside the sources.
    expect((await readdir(folder)).filter((name) => /build|CMakeCache|out/.test(name))).toEqual([]);
    await write({ 'main.c': '#include "Pins.h"\n', 'PINS.h': '' });
    expect(await refusal(build(folder))).toMatchObject({
      code: 'CompileFailed',
      field: 'main.c:1',
      message: expect.stringContaining('There is PINS.h') as unknown,
    });
    await write({ 'CMakeLists.txt': 'cmake_minimum_required(VERSION 3.11)\nproject(spinner C)\n' });
    expect(await refusal(build(folder))).toMatchObject({
      code: 'LinkFailed',
      rule: 'azsphere_target_add_image_package(TARGET)',
    });
    return undefined;
  });

  it('says what to do where there is no compiler', async () => {
    const folder = await newProject('realtime-baremetal');
    const error = await refusal(build(folder, { toolchain: '/nowhere' }));
    expect(error).toMatchObject({
      code: 'CompilerMissing',
      field: 'toolchain',
      message: expect.stringMatching(
        /\/nowhere\/arm-none-eabi-gcc.*apt install gcc-arm-none-eabi.*--toolchain/,
      ) as unknown,
    });
  });

  it('is built with a FreeRTOS kernel that its owner has', async ({ skip }) => {
    if (FREERTOS === undefined) return skip('SEVENFOLD_FREERTOS names no folder of a FreeRTOS kernel');
    const app = await buildIfPossible(await newProject('realtime-freertos', FREERTOS));
    if (app === null) return skip(NO_COMPILER);
    expect(app.symbols.lines.some(({ file }) => file === '<freertos>/tasks.c')).toBe(true);
    return undefined;
  });

  it('of FreeRTOS is not begun where there is none', async () => {
    for (const freertos of [undefined, tmpdir()]) {
      expect(await refusal(newProject('realtime-freertos', freertos))).toMatchObject({
        code: 'ProjectIncomplete',
        field: 'freertos',
      });
    }
  });

  it.each([
    ['{ "memory": "sysram" }', 'memory'],
    ['{ "freertos": 5 }', 'freertos'],
    ['{ "stack": 1 }', 'stack'],
    ['[]', 'realtime.json'],
  ])('has settings that are right or refused: %s', (text, field) => {
    let refused: unknown = null;
    try {
      parseSettings(utf8Encode(text));
    } catch (error) {
      refused = error;
    }
    expect(refused).toMatchObject({ code: 'ProjectIncomplete', field });
  });
});

describe('the kernel of the real-time SDK', () => {
  it('has at most 2,000 lines', async () => {
    const files = await Promise.all(
      (await readdir(KERNEL)).map((name) => readFile(join(KERNEL, name), 'utf8')),
    );
    const header = await readFile(join(KERNEL, '../include/realtime/rtos.h'), 'utf8');
    const lines = [...files, header].reduce((sum, text) => sum + text.split('\n').length, 0);
    expect(lines).toBeGreaterThan(500);
    expect(lines).toBeLessThanOrEqual(MOST_KERNEL_LINES);
  });
});
