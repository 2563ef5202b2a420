import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SYSTEM_COMPONENT_IDS } from './abi/image-types.ts';
import { parseAppImage, parseAppManifest } from './app-manifest.ts';
import { writeFileSystem } from './asxipfs.ts';
import { codeOf, mutate, refusalOf, seededRandom } from './testing/strictness.ts';
import { utf8Encode } from './utf8.ts';

/** As an SDK of the original packs it (azure-sphere.md §2.4). */
const BLINK = {
  SchemaVersion: 1,
  Name: 'AzureSphereBlinkTest',
  ComponentId: '2f074b0f-d99d-4692-82d9-ef93a7d6463c',
  EntryPoint: '/bin/app',
  CmdArgs: [],
  Capabilities: { Gpio: [8], AllowedApplicationConnections: [] },
  ApplicationType: 'Default',
  TargetApplicationRuntimeVersion: 12,
} as const;

const bytesOf = (json: unknown): Uint8Array => utf8Encode(JSON.stringify(json));
const withField = (name: string, value: unknown): Uint8Array => bytesOf({ ...BLINK, [name]: value });
const withoutField = (name: string): Uint8Array =>
  bytesOf(Object.fromEntries(Object.entries(BLINK).filter(([key]) => key !== name)));
const withCapability = (capabilities: unknown): Uint8Array => withField('Capabilities', capabilities);

describe('application manifest', () => {
  it('reads a manifest of the original: nothing is on but what it names', () => {
    const manifest = parseAppManifest(bytesOf(BLINK));
    expect(manifest).toMatchObject({
      schemaVersion: 1,
      name: 'AzureSphereBlinkTest',
      componentId: '2f074b0f-d99d-4692-82d9-ef93a7d6463c',
      entryPoint: '/bin/app',
      cmdArgs: [],
      applicationType: 'Default',
      targetApplicationRuntimeVersion: 12,
      targetBetaApis: null,
      mallocVersion: null,
    });
    const granted = Object.entries(manifest.capabilities).filter(
      ([, value]) =>
        value !== false && value !== null && value !== 0 && !(Array.isArray(value) && value.length === 0),
    );
    expect(granted).toEqual([['gpio', [8]]]);
  });

  it.each<[string, Uint8Array, string, string | undefined]>([
    ['no JSON', utf8Encode('{'), 'InvalidJson', undefined],
    ['a list', bytesOf([]), 'InvalidJson', undefined],
    ['a field twice', utf8Encode('{"Name":"a","Name":"b"}'), 'DuplicateJsonKey', 'Name'],
    ['more than 64 KiB', new Uint8Array(70_000), 'JsonTooLarge', undefined],
    ['no schema version', withoutField('SchemaVersion'), 'MissingSchemaVersion', 'SchemaVersion'],
    ['another schema version', withField('SchemaVersion', 2), 'IncompatibleSchemaVersion', 'SchemaVersion'],
    [
      'a schema version as text',
      withField('SchemaVersion', '1'),
      'IncompatibleSchemaVersion',
      'SchemaVersion',
    ],
    ['no name', withoutField('Name'), 'BadName', 'Name'],
    ['an empty name', withField('Name', ''), 'BadName', 'Name'],
    ['a name with an escape sequence', withField('Name', 'a\u001b[2J'), 'BadName', 'Name'],
    [
      'half a character in a name',
      utf8Encode(JSON.stringify({ ...BLINK, Name: '@' }).replace('@', '\\ud800')),
      'BadName',
      'Name',
    ],
    ['no component id', withoutField('ComponentId'), 'BadComponentId', 'ComponentId'],
    ['a component id that is no GUID', withField('ComponentId', 'blink'), 'BadComponentId', 'ComponentId'],
    [
      'a component id of the OS',
      withField('ComponentId', SYSTEM_COMPONENT_IDS.SecurityMonitor),
      'BadComponentId',
      'ComponentId',
    ],
    ['no entry point', withoutField('EntryPoint'), 'MissingEntryPoint', 'EntryPoint'],
    ['an entry point that is no text', withField('EntryPoint', 7), 'BadEntryPoint', 'EntryPoint'],
    [
      'an entry point outside of the image',
      withField('EntryPoint', '/../bin/app'),
      'BadEntryPoint',
      'EntryPoint',
    ],
    ['a relative entry point', withField('EntryPoint', 'bin/app'), 'BadEntryPoint', 'EntryPoint'],
    ['arguments that are no list', withField('CmdArgs', '-v'), 'CmdArgParseError', 'CmdArgs'],
    ['an argument that is no text', withField('CmdArgs', [1]), 'CmdArgParseError', 'CmdArgs'],
    ['an argument with a NUL', withField('CmdArgs', ['a\0b']), 'CmdArgParseError', 'CmdArgs'],
    [
      'arguments of a real-time app',
      bytesOf({ ...BLINK, ApplicationType: 'RealTimeCapable', CmdArgs: ['x'] }),
      'CmdArgParseError',
      'CmdArgs',
    ],
    ['an unknown app type', withField('ApplicationType', 'Debugger'), 'BadAppType', 'ApplicationType'],
    ['an app type that is no text', withField('ApplicationType', 1), 'NonStringAppType', 'ApplicationType'],
    [
      'runtime version 0',
      withField('TargetApplicationRuntimeVersion', 0),
      'TargetApplicationRuntimeVersionParseError',
      'TargetApplicationRuntimeVersion',
    ],
    [
      'beta APIs that are no name',
      withField('TargetBetaApis', 'Beta 2001'),
      'TargetBetaApisParseError',
      'TargetBetaApis',
    ],
    ['malloc version 3', withField('MallocVersion', 3), 'MallocVersionParseError', 'MallocVersion'],
    ['a policy', withField('PolicyGroups', []), 'CustomerManifestHasPolicy', 'PolicyGroups'],
    ['an unknown field', withField('Autostart', true), 'UnknownManifestField', 'Autostart'],
  ])('refuses %s', (_what, bytes, code, field) => {
    expect(refusalOf(() => parseAppManifest(bytes))).toMatchObject({ code, field });
  });

  it('throws nothing but its own error for damaged manifests', () => {
    const random = seededRandom(14);
    for (let round = 0; round < 3000; round++) {
      const mutant = mutate(bytesOf(BLINK), random);
      expect(codeOf(() => parseAppManifest(mutant))).toMatch(/^\w+$/);
    }
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom(...Object.keys(BLINK)), (value, name) => {
        expect(codeOf(() => parseAppManifest(withField(name, value)))).toMatch(/^\w+$/);
        expect(codeOf(() => parseAppManifest(withCapability(value)))).toMatch(/^\w+$/);
      }),
      { seed: 15, numRuns: 500 },
    );
  });
});

describe('image of an app', () => {
  const program = { path: '/bin/app', bytes: utf8Encode('\0asm'), executable: true };
  const image = (...files: readonly { path: string; bytes: Uint8Array }[]): Uint8Array =>
    writeFileSystem(files);

  it('gives files, manifest and executable', () => {
    const app = parseAppImage(image({ path: '/app_manifest.json', bytes: bytesOf(BLINK) }, program));
    expect(app.manifest.name).toBe('AzureSphereBlinkTest');
    expect(app.executable).toEqual(program.bytes);
    expect(app.files.paths()).toEqual(['/app_manifest.json', '/bin/app']);
  });

  it.each([
    ['no manifest', image(program), 'NoAppManifest'],
    [
      'no executable',
      image({ path: '/app_manifest.json', bytes: bytesOf(BLINK) }),
      'SpecifiedEntryPointDoesNotExist',
    ],
    [
      'a directory for an executable',
      image({ path: '/app_manifest.json', bytes: withField('EntryPoint', '/bin') }, program),
      'SpecifiedEntryPointIsNotAFile',
    ],
  ])('refuses an image with %s', (_what, bytes, code) => {
    expect(codeOf(() => parseAppImage(bytes))).toBe(code);
  });
});
