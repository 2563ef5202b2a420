import {
  isJsonObject,
  packAppManifest,
  parseJson,
  utf8Encode,
  APPLICATION_RUNTIME_VERSION,
  type JsonValue,
} from '@sevenfold/formats';
import { MANIFEST, type Project } from './project.ts';

/** What a build sets in a manifest: values that are known only where the app will run. */
export interface ManifestOverrides {
  readonly cmdArgs?: readonly string[];
  readonly allowedConnections?: readonly string[];
  /** Tenant id. */
  readonly deviceAuthentication?: string;
}

function plain(value: JsonValue): unknown {
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map(plain);
  return isJsonObject(value)
    ? Object.fromEntries([...value].map(([name, item]) => [name, plain(item)]))
    : value;
}

/** The manifest as written, with overrides in place. What is wrong with it is left to `packAppManifest` to say. */
function override(source: Uint8Array, overrides: ManifestOverrides): Uint8Array {
  const json = parseJson(source, { name: MANIFEST });
  if (!isJsonObject(json)) return source;
  const manifest = new Map(json);
  if (overrides.cmdArgs !== undefined) manifest.set('CmdArgs', overrides.cmdArgs);
  const capabilities = manifest.get('Capabilities');
  if (isJsonObject(capabilities)) {
    const changed = new Map(capabilities);
    if (overrides.allowedConnections !== undefined)
      changed.set('AllowedConnections', overrides.allowedConnections);
    if (overrides.deviceAuthentication !== undefined)
      changed.set('DeviceAuthentication', overrides.deviceAuthentication);
    manifest.set('Capabilities', changed);
  }
  return utf8Encode(JSON.stringify(plain(manifest)));
}

/** The manifest as it goes into the image: minified, `$NAME`s replaced, runtime version written down. Throws `FormatError`. */
export function makeManifest(project: Project, overrides: ManifestOverrides): Uint8Array {
  return packAppManifest(override(project.manifest, overrides), {
    hardware: project.hardware,
    runtimeVersion: APPLICATION_RUNTIME_VERSION,
  });
}
