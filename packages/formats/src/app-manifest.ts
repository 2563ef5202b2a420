import { SYSTEM_COMPONENT_IDS } from './abi/image-types.ts';
import { type AppCapabilities, readCapabilities } from './app-capabilities.ts';
import { splitPath } from './asxipfs.ts';
import { type FileSystem, parseFileSystem } from './asxipfs-parser.ts';
import { FormatError, type FormatErrorCode } from './errors.ts';
import { type Guid, isGuid } from './guid.ts';
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from './json.ts';
import { utf8Length } from './utf8.ts';

/** Where the manifest lies in an app's image. */
export const APP_MANIFEST_PATH = '/app_manifest.json';

/** What an app says about itself and what it may do (azure-sphere.md §4.1). */
export interface AppManifest {
  readonly schemaVersion: 1;
  readonly name: string;
  /** The app over all its versions. */
  readonly componentId: Guid;
  /** Absolute path of the executable in the image. */
  readonly entryPoint: string;
  /** argv[1] and on. */
  readonly cmdArgs: readonly string[];
  readonly applicationType: 'Default' | 'RealTimeCapable';
  /** Written by the packer; a device that only knows older ones refuses the app. */
  readonly targetApplicationRuntimeVersion: number | null;
  readonly targetBetaApis: string | null;
  readonly mallocVersion: 1 | 2 | null;
  readonly capabilities: AppCapabilities;
}

const FIELDS: ReadonlySet<string> = new Set([
  'SchemaVersion',
  'Name',
  'ComponentId',
  'EntryPoint',
  'CmdArgs',
  'ApplicationType',
  'TargetApplicationRuntimeVersion',
  'TargetBetaApis',
  'MallocVersion',
  'Capabilities',
]);
const MAX_NAME = 256;
const MAX_ARGUMENTS = 64;
const MAX_ARGUMENT = 1024;

function refuse(code: FormatErrorCode, field: string, rule: string): never {
  throw new FormatError(code, `${field} of the application manifest is wrong: it must be ${rule}.`, {
    field,
    rule,
  });
}

function checkFields(json: JsonObject): void {
  for (const field of json.keys()) {
    if (field.startsWith('Policy'))
      refuse('CustomerManifestHasPolicy', field, 'absent from the manifest of an app');
    if (!FIELDS.has(field)) refuse('UnknownManifestField', field, `one of ${[...FIELDS].join(', ')}`);
  }
}

function readSchemaVersion(json: JsonObject): 1 {
  const value = json.get('SchemaVersion');
  if (value === undefined) refuse('MissingSchemaVersion', 'SchemaVersion', '1');
  return value === 1 ? 1 : refuse('IncompatibleSchemaVersion', 'SchemaVersion', '1');
}

function readName(json: JsonObject): string {
  const value = json.get('Name');
  const fits = typeof value === 'string' && value !== '' && value.isWellFormed() && !/\p{Cc}/u.test(value);
  return fits && utf8Length(value) <= MAX_NAME
    ? value
    : refuse('BadName', 'Name', `a text of 1 to ${MAX_NAME} bytes without control characters`);
}

const SYSTEM_IDS: ReadonlySet<string> = new Set(Object.values(SYSTEM_COMPONENT_IDS));

function readComponentId(json: JsonObject): Guid {
  const value = json.get('ComponentId');
  const id = typeof value === 'string' ? value.toLowerCase() : '';
  if (!isGuid(id)) return refuse('BadComponentId', 'ComponentId', 'a GUID');
  return SYSTEM_IDS.has(id)
    ? refuse('BadComponentId', 'ComponentId', "none of the OS's own component ids")
    : id;
}

function readEntryPoint(json: JsonObject): string {
  const value = json.get('EntryPoint');
  if (value === undefined) return refuse('MissingEntryPoint', 'EntryPoint', 'the path of the executable');
  if (typeof value !== 'string') return refuse('BadEntryPoint', 'EntryPoint', 'a text');
  try {
    splitPath(value);
  } catch {
    return refuse('BadEntryPoint', 'EntryPoint', 'an absolute path of plain names');
  }
  return value;
}

function readApplicationType(json: JsonObject): AppManifest['applicationType'] {
  const value = json.get('ApplicationType') ?? 'Default';
  if (typeof value !== 'string') return refuse('NonStringAppType', 'ApplicationType', 'a text');
  return value === 'Default' || value === 'RealTimeCapable'
    ? value
    : refuse('BadAppType', 'ApplicationType', 'Default or RealTimeCapable');
}

function readArguments(json: JsonObject, applicationType: AppManifest['applicationType']): readonly string[] {
  const value: JsonValue = json.get('CmdArgs') ?? [];
  const fits = (item: JsonValue): item is string =>
    typeof item === 'string' &&
    item.isWellFormed() &&
    !item.includes('\0') &&
    utf8Length(item) <= MAX_ARGUMENT;
  if (!Array.isArray(value) || value.length > MAX_ARGUMENTS || !value.every(fits)) {
    return refuse(
      'CmdArgParseError',
      'CmdArgs',
      `at most ${MAX_ARGUMENTS} texts of at most ${MAX_ARGUMENT} bytes`,
    );
  }
  if (applicationType === 'RealTimeCapable' && value.length > 0) {
    return refuse('CmdArgParseError', 'CmdArgs', 'empty for a real-time capable app');
  }
  return value;
}

function readRuntimeVersion(json: JsonObject): number | null {
  const value = json.get('TargetApplicationRuntimeVersion');
  if (value === undefined) return null;
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 0xffff
    ? value
    : refuse(
        'TargetApplicationRuntimeVersionParseError',
        'TargetApplicationRuntimeVersion',
        'an integer from 1',
      );
}

function readBetaApis(json: JsonObject): string | null {
  const value = json.get('TargetBetaApis');
  if (value === undefined) return null;
  return typeof value === 'string' && /^[A-Za-z0-9]{1,32}$/.test(value)
    ? value
    : refuse('TargetBetaApisParseError', 'TargetBetaApis', 'a name such as Beta2001');
}

function readMallocVersion(json: JsonObject): 1 | 2 | null {
  const value = json.get('MallocVersion');
  if (value === undefined) return null;
  return value === 1 || value === 2 ? value : refuse('MallocVersionParseError', 'MallocVersion', '1 or 2');
}

/**
 * Parses an application manifest as it lies in an image: hardware names are resolved. Every refusal has the
 * documented name where there is one, and names the field.
 */
export function parseAppManifest(untrusted: Uint8Array): AppManifest {
  const json = parseJson(untrusted);
  if (!isJsonObject(json)) {
    throw new FormatError('InvalidJson', 'The application manifest is not a JSON object.', {
      rule: 'an object',
    });
  }
  checkFields(json);
  const schemaVersion = readSchemaVersion(json);
  const capabilities = json.get('Capabilities');
  if (!isJsonObject(capabilities))
    return refuse('MissingCapabilitiesList', 'Capabilities', 'an object, {} for none');
  const applicationType = readApplicationType(json);
  return {
    schemaVersion,
    name: readName(json),
    componentId: readComponentId(json),
    entryPoint: readEntryPoint(json),
    cmdArgs: readArguments(json, applicationType),
    applicationType,
    targetApplicationRuntimeVersion: readRuntimeVersion(json),
    targetBetaApis: readBetaApis(json),
    mallocVersion: readMallocVersion(json),
    capabilities: readCapabilities(capabilities),
  };
}

/** An app's image, taken apart: its files and its manifest. */
export interface AppImage {
  readonly files: FileSystem;
  readonly manifest: AppManifest;
  /** Content of the manifest's entry point. */
  readonly executable: Uint8Array;
}

/** Reads the payload of an application's image package: file system, manifest and entry point. */
export function parseAppImage(untrustedPayload: Uint8Array): AppImage {
  const files = parseFileSystem(untrustedPayload);
  const content = files.read(APP_MANIFEST_PATH);
  if (content === null) {
    throw new FormatError('NoAppManifest', 'The image holds no application manifest.', {
      rule: APP_MANIFEST_PATH,
    });
  }
  const manifest = parseAppManifest(content);
  const executable = files.read(manifest.entryPoint);
  if (executable === null) {
    const isDirectory = files.paths().some((path) => path.startsWith(`${manifest.entryPoint}/`));
    return isDirectory
      ? refuse('SpecifiedEntryPointIsNotAFile', 'EntryPoint', 'a file')
      : refuse('SpecifiedEntryPointDoesNotExist', 'EntryPoint', 'a file of the image');
  }
  return { files, manifest, executable };
}
