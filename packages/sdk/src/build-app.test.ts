import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  decodeSymbolMap,
  lookupSymbol,
  parseAppImage,
  parseBillOfMaterials,
  parseImagePackage,
  signedBytesOf,
  utf8Decode,
} from '@sevenfold/formats';
import { generateKeyPair, signWithPkcs8, thumbprint, verifySignature } from '@sevenfold/pki';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildApp, buildApps, SdkError, type BuiltApp } from './index.ts';

const BLINK = fileURLToPath(new URL('../../../examples/blink', import.meta.url));
const TENANT = '11111111-2222-4333-8444-555555555555';
const key = generateKeyPair();
const signer = {
  thumbprint: thumbprint(key.spki),
  sign: (message: Uint8Array) => Promise.resolve(signWithPkcs8(key.pkcs8, message)),
};

async function project(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sevenfold-sdk-'));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return folder;
}

const manifest = (fields: object = {}): string =>
  JSON.stringify({
    SchemaVersion: 1,
    Name: 'tried',
    ComponentId: 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee',
    EntryPoint: '/bin/app',
    Capabilities: {},
    ...fields,
  });

describe('buildApps', () => {
  let versions: readonly BuiltApp[] = [];
  let outDir = '';

  beforeAll(async () => {
    outDir = await mkdtemp(join(tmpdir(), 'sevenfold-out-'));
    versions = await buildApps(
      ['1', '2'].map((version) => ({
        sourceDir: BLINK,
        defines: { BLINK_VERSION: version },
        manifestOverrides: {
          cmdArgs: ['localhost', '8883'],
          allowedConnections: ['localhost'],
          deviceAuthentication: TENANT,
        },
        signer,
        ...(version === '1' ? { outDir } : {}),
      })),
    );
  });
  afterAll(() => rm(outDir, { recursive: true, force: true }));

  it('makes a signed image package of an example, each build with an image id of its own', () => {
    expect(versions.map(({ warnings }) => warnings)).toEqual([[], []]);
    expect(new Set(versions.map(({ imageId }) => imageId)).size).toBe(2);
    for (const { imagePackage, componentId, imageId, name } of versions) {
      const image = parseImagePackage(imagePackage);
      expect(image.fields).toMatchObject({
        componentId,
        imageId,
        name,
        abiDepends: [{ version: 16, kind: 3 }],
      });
      expect(verifySignature(key.spki, signedBytesOf(image), image.signature)).toBe(true);
    }
  });

  it('writes hardware names as numbers and the overrides into the manifest of the image', () => {
    const { payload } = parseImagePackage(versions[0]?.imagePackage ?? new Uint8Array(0));
    const { manifest: packed, files, executable } = parseAppImage(payload);
    expect(packed).toMatchObject({
      cmdArgs: ['localhost', '8883'],
      targetApplicationRuntimeVersion: 16,
      capabilities: { gpio: [8], allowedConnections: ['localhost'], deviceAuthentication: TENANT },
    });
    expect(files.isExecutable('/bin/app')).toBe(true);
    expect(utf8Decode(files.read('/app_manifest.json') ?? new Uint8Array(0))).not.toMatch(/\s/);
    // No names and no debug information are shipped.
    expect(Buffer.from(executable).includes('RememberBlink')).toBe(false);
  });

  it('knows the source line of every byte of the app’s own code', async () => {
    const source = (await readFile(join(BLINK, 'main.c'), 'utf8')).split('\n');
    const line = source.findIndex((text) => text.includes('history[slot] = count')) + 1;
    const { symbols } = versions[1] ?? { symbols: { functions: [], lines: [] } };
    const stores = symbols.lines.filter((row) => row.file === 'main.c' && row.line === line);
    expect(stores.length).toBeGreaterThan(0);
    expect(stores.every((row) => row.function === 'RememberBlink')).toBe(true);
    expect(lookupSymbol(symbols, stores[0]?.offset ?? 0)).toMatchObject({ file: 'main.c', line });
    expect(symbols.functions.map(({ name }) => name)).toContain('main');
  });

  it('writes package and symbols where it is told to', async () => {
    expect(new Uint8Array(await readFile(join(outDir, 'blink.imagepackage')))).toEqual(
      versions[0]?.imagePackage,
    );
    expect(decodeSymbolMap(await readFile(join(outDir, 'blink.symbols')))).toEqual(versions[0]?.symbols);
    const debug = await readFile(join(outDir, 'debug', `${versions[0]?.imageId ?? ''}.wasm`));
    expect(debug.includes('.debug_line')).toBe(true);
  });

  it('tells what was linked, and nothing that was not', async () => {
    const document = await readFile(join(outDir, 'blink.cdx.json'));
    // As the service reads it.
    const bill = parseBillOfMaterials(new Uint8Array(document), versions[0]?.imageId ?? '');
    expect(bill).toMatchObject({ specVersion: '1.6', subject: { type: 'application', name: 'blink' } });
    const names = bill.components.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['main.c', 'gpio.c', 'mqtt.c', 'wasi-libc']));
    expect(names).not.toContain('rtc.c');
  });
});

describe('an app as samples have it', () => {
  it('finds the sample appliance’s header, and keeps its own where the SDK has one of the same name', async () => {
    const sourceDir = await project({
      'app_manifest.json': manifest({
        Capabilities: { Gpio: ['$SAMPLE_LED'], Uart: ['$SAMPLE_UART_LOOPBACK'] },
      }),
      'main.c': `#include <hw/sample_appliance.h>
#include <applibs/gpio.h>
#include "eventloop_timer_utilities.h"
static_assert(SAMPLE_UART_LOOPBACK == 4, "");
int main(void) { return Own() + GPIO_OpenAsOutput(SAMPLE_LED, GPIO_OutputMode_PushPull, GPIO_Value_High); }
`.replace('#include <hw', '#include <assert.h>\n#include <hw'),
      'eventloop_timer_utilities.h': '#pragma once\nint Own(void);\nint DisarmEventLoopTimer(void *timer);\n',
      'eventloop_timer_utilities.c':
        '#include "eventloop_timer_utilities.h"\nint DisarmEventLoopTimer(void *timer) { return timer != 0; }\nint Own(void) { return DisarmEventLoopTimer(0); }\n',
    });
    try {
      const app = await buildApp({ sourceDir, signer });
      expect(app.warnings).toEqual([]);
      const { payload } = parseImagePackage(app.imagePackage);
      expect(parseAppImage(payload).manifest.capabilities).toMatchObject({ gpio: [8], uart: ['ISU0'] });
    } finally {
      await rm(sourceDir, { recursive: true });
    }
  });

  it('may be written in C++17', async () => {
    const sourceDir = await project({
      'app_manifest.json': manifest(),
      'main.cpp':
        '#include <applibs/log.h>\n#include <string_view>\nint main() { constexpr std::string_view name = "two"; return Log_Debug("%s\\n", name.data()); }\n',
    });
    try {
      expect((await buildApp({ sourceDir, signer })).warnings).toEqual([]);
    } finally {
      await rm(sourceDir, { recursive: true });
    }
  });
});

describe('a project of the original platform', () => {
  it('is built as it lies: sources beside it, macros and files that its CMakeLists.txt names', async () => {
    const folder = await project({
      'pump/app_manifest.json': manifest({ Capabilities: { Gpio: ['$PUMP_LED'] } }),
      'pump/CMakeLists.txt': [
        'project(pump C)',
        'add_executable(${PROJECT_NAME} main.c ../shared/level.c)',
        'target_include_directories(${PROJECT_NAME} PUBLIC ../shared)',
        'target_compile_definitions(${PROJECT_NAME} PUBLIC LEVEL=3)',
        'azsphere_target_hardware_definition(${PROJECT_NAME} TARGET_DIRECTORY ../boards TARGET_DEFINITION pump.json)',
        'azsphere_target_add_image_package(${PROJECT_NAME} RESOURCE_FILES certs/root.pem)',
      ].join('\n'),
      // What size_t is told from int by says nothing here; what is cut off does.
      'pump/main.c':
        '#include <hw/pump.h>\n#include <level.h>\n#include <applibs/log.h>\n#include <unistd.h>\nint main(void)\n{\n    char bytes[4];\n    Log_Debug("%d of %d\\n", read(PUMP_LED, bytes, LEVEL), sizeof(bytes));\n    return Level() < sizeof(bytes);\n}\n',
      'pump/unused.c': '#error not a source\n',
      'pump/certs/root.pem': 'root',
      'shared/level.h': 'int Level(void);\n',
      'shared/level.c':
        '#include "level.h"\n#include <stdio.h>\n#include <time.h>\nint Level(void)\n{\n    return printf("%d", time(NULL));\n}\n',
      'boards/pump.json': JSON.stringify({
        Metadata: { Type: 'Azure Sphere Hardware Definition', Version: 1 },
        Description: { Name: 'pump' },
        Imports: [{ Path: 'avnet_mt3620_sk_rev2.json' }],
        Peripherals: [{ Name: 'PUMP_LED', Type: 'Gpio', Mapping: 'AVNET_MT3620_SK_USER_LED_RED' }],
      }),
    });
    const app = await buildApp({ sourceDir: join(folder, 'pump'), signer });
    expect(app.warnings.map(({ file, line }) => `${file}:${line}`)).toEqual(['../shared/level.c:6']);
    const { files } = parseAppImage(parseImagePackage(app.imagePackage).payload);
    expect(files.paths()).toContain('/certs/root.pem');
    expect(app.symbols.lines.some(({ file }) => file === '../shared/level.c')).toBe(true);
    await rm(folder, { recursive: true });
  });
});

describe('what cannot be built', () => {
  const folders: string[] = [];
  afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));

  async function refusal(files: Readonly<Record<string, string>>): Promise<unknown> {
    const sourceDir = await project(files);
    folders.push(sourceDir);
    return buildApp({ sourceDir, signer }).then(
      () => null,
      (error: unknown) => error,
    );
  }

  it('is told with file and line when the compiler refuses it', async () => {
    const error = await refusal({
      'app_manifest.json': manifest(),
      'main.c': 'int unused;\nint main(void)\n{\n    return missing;\n}\n',
    });
    expect(error).toBeInstanceOf(SdkError);
    expect(error).toMatchObject({
      code: 'CompileFailed',
      field: 'main.c:4',
      message: expect.stringContaining("main.c:4:12: error: use of undeclared identifier 'missing'"),
    });
  });

  it('is told that an app has one thread, in C and in C++', async () => {
    const source =
      '#include <pthread.h>\nstatic void *Run(void *context) { return context; }\nint main(void)\n{\n    pthread_t id;\n    return pthread_create(&id, 0, Run, 0);\n}\n';
    for (const name of ['main.c', 'main.cpp']) {
      expect(await refusal({ 'app_manifest.json': manifest(), [name]: source })).toMatchObject({
        code: 'CompileFailed',
        field: `${name}:6`,
        message: expect.stringContaining('an app has one thread'),
      });
    }
  });

  it('is told the symbol when the linker refuses it', async () => {
    const error = await refusal({
      'app_manifest.json': manifest(),
      'main.c': 'int elsewhere(void);\nint main(void) { return elsewhere(); }\n',
    });
    expect(error).toMatchObject({
      code: 'LinkFailed',
      message: expect.stringContaining('undefined symbol: elsewhere'),
    });
  });

  it('is told what the folder lacks, or which name no hardware has, before the compiler starts', async () => {
    expect(await refusal({ 'main.c': '' })).toMatchObject({
      code: 'ProjectIncomplete',
      field: 'app_manifest.json',
    });
    const main = { 'main.c': 'int main(void) { return 0; }' };
    expect(await refusal({ ...main, 'app_manifest.json': '{"Name": ' })).toMatchObject({
      code: 'InvalidJson',
      message: expect.stringMatching(/^app_manifest\.json: /),
    });
    expect(
      await refusal({ ...main, 'app_manifest.json': manifest(), 'hardware.json': '{"Metadata":' }),
    ).toMatchObject({ code: 'InvalidJson', message: expect.stringContaining('hardware.json: ') });
    expect(await refusal({ 'app_manifest.json': manifest() })).toMatchObject({
      code: 'ProjectIncomplete',
      field: '*.c',
    });
    expect(
      await refusal({
        'app_manifest.json': manifest({ Capabilities: { Gpio: ['$NO_SUCH_LED'] } }),
        'main.c': '',
      }),
    ).toMatchObject({ code: 'UnresolvedHardwareName', field: 'Capabilities.Gpio[0]' });
    expect(
      await refusal({ 'app_manifest.json': manifest({ SchemaVersion: 2 }), 'main.c': '' }),
    ).toMatchObject({
      code: 'IncompatibleSchemaVersion',
    });
  });
});
