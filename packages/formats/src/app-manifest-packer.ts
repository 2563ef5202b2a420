import { PERIPHERAL_CAPABILITIES } from './app-capabilities.ts';
import { parseAppManifest } from './app-manifest.ts';
import { FormatError } from './errors.ts';
import type { HardwareDefinition } from './hardware-definition.ts';
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from './json.ts';
import { utf8Encode } from './utf8.ts';

/** What the packer knows and the author of a manifest does not. */
export interface ManifestPacking {
  /** Gives `$NAME`s their values; `null`: the manifest may hold none. */
  readonly hardware: HardwareDefinition | null;
  /** Application runtime that the app was built for. */
  readonly runtimeVersion: number;
}

function resolveName(value: JsonValue, field: string, hardware: HardwareDefinition | null): JsonValue {
  if (typeof value !== 'string' || !value.startsWith('$')) return value;
  const peripheral = hardware?.peripherals.get(value.slice(1));
  const resolved = peripheral?.appManifestValue ?? null;
  if (resolved === null) {
    throw new FormatError(
      'UnresolvedHardwareName',
      `${value} is not a peripheral of the hardware definition.`,
      {
        field,
        rule: 'a name of the hardware definition that has a manifest value',
      },
    );
  }
  return resolved;
}

function resolveCapabilities(capabilities: JsonObject, hardware: HardwareDefinition | null): JsonObject {
  const resolved = new Map<string, JsonValue>();
  for (const [name, value] of capabilities) {
    const isList = PERIPHERAL_CAPABILITIES.includes(name) && Array.isArray(value);
    resolved.set(
      name,
      isList
        ? (value as readonly JsonValue[]).map((item, index) =>
            resolveName(item, `Capabilities.${name}[${index}]`, hardware),
          )
        : value,
    );
  }
  return resolved;
}

function toPlain(value: JsonValue): unknown {
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map(toPlain);
  if (isJsonObject(value)) return Object.fromEntries([...value].map(([name, item]) => [name, toPlain(item)]));
  return value;
}

/**
 * A manifest as it goes into an image (azure-sphere.md §2.4): minified, hardware names replaced by values,
 * ApplicationType and TargetApplicationRuntimeVersion written down. What comes out parses as a manifest.
 */
export function packAppManifest(
  untrustedSource: Uint8Array,
  packing: ManifestPacking,
): Uint8Array<ArrayBuffer> {
  const json = parseJson(untrustedSource);
  if (!isJsonObject(json)) {
    throw new FormatError('InvalidJson', 'The application manifest is not a JSON object.', {
      rule: 'an object',
    });
  }
  const packed = new Map(json);
  const capabilities = packed.get('Capabilities');
  if (isJsonObject(capabilities))
    packed.set('Capabilities', resolveCapabilities(capabilities, packing.hardware));
  if (!packed.has('ApplicationType')) packed.set('ApplicationType', 'Default');
  packed.set('TargetApplicationRuntimeVersion', packing.runtimeVersion);
  const bytes = utf8Encode(JSON.stringify(toPlain(packed)));
  parseAppManifest(bytes);
  return bytes;
}
