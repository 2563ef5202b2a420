import {
  CHIP_SKUS,
  encodeUnsignedImagePackage,
  finishImagePackage,
  IMAGE_TYPES,
  SYSTEM_COMPONENT_IDS,
  utf8Encode,
  writeFileSystem,
  type SystemImageTypeName,
} from '@sevenfold/formats';
import { generateKeyPair, signWithPkcs8, thumbprint, type KeyPair } from '@sevenfold/pki';

/** A component and builds of it, for tests. */
const COMPONENT_ID = '1689d8b2-c835-2e27-27ad-e894d6d15fa9';
export const imageIdOf = (number: number): string =>
  `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;

/** What a test wants to be different about an application's package. */
export interface AppImageChanges {
  readonly imageId?: string;
  readonly componentId?: string;
  readonly manifest?: Readonly<Record<string, unknown>> | string;
  readonly code?: string;
  readonly imageType?: number;
  readonly key?: KeyPair;
  /** Seconds since 1970. */
  readonly buildTime?: number;
}

/** A bill of materials of an image that was linked from one library. */
export function billOf(imageId: string, library: string): Uint8Array {
  const component = { type: 'application', name: 'blink', version: imageId };
  const components = [{ type: 'library', name: library, version: '1.2' }];
  return utf8Encode(
    JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.6', metadata: { component }, components }),
  );
}

/** A well-formed application package, signed by a developer's key. */
export function appImagePackage(changes: AppImageChanges = {}): Uint8Array {
  const componentId = changes.componentId ?? COMPONENT_ID;
  const manifest =
    typeof changes.manifest === 'string'
      ? changes.manifest
      : JSON.stringify({
          SchemaVersion: 1,
          Name: 'blink',
          ComponentId: componentId,
          EntryPoint: '/bin/app',
          CmdArgs: [],
          Capabilities: {},
          ...changes.manifest,
        });
  const payload = writeFileSystem([
    { path: '/app_manifest.json', bytes: utf8Encode(manifest) },
    { path: '/bin/app', bytes: utf8Encode(changes.code ?? 'code'), executable: true },
  ]);
  const imageType = changes.imageType ?? IMAGE_TYPES.Applications;
  return sign(payload, changes.key ?? generateKeyPair(), {
    imageType,
    componentId,
    imageId: changes.imageId ?? imageIdOf(1),
    name: 'blink',
    ...(changes.buildTime === undefined ? {} : { buildTime: changes.buildTime }),
  });
}

/** A system image's package, signed by a platform key. */
export function systemImagePackage(
  type: SystemImageTypeName,
  imageId: string,
  key: KeyPair,
  changes: { readonly componentId?: string; readonly chipSku?: number; readonly content?: string } = {},
): Uint8Array {
  const payload = writeFileSystem([{ path: '/bin/stage.js', bytes: utf8Encode(changes.content ?? type) }]);
  return sign(payload, key, {
    imageType: IMAGE_TYPES[type],
    componentId: changes.componentId ?? SYSTEM_COMPONENT_IDS[type],
    imageId,
    name: type.toLowerCase(),
    securityVersion: { version: 3, chipSku: changes.chipSku ?? CHIP_SKUS['SF-V1'] },
  });
}

function sign(
  payload: Uint8Array,
  key: KeyPair,
  fields: {
    readonly imageType: number;
    readonly componentId: string;
    readonly imageId: string;
    readonly name: string;
    readonly securityVersion?: { readonly version: number; readonly chipSku: number };
    readonly buildTime?: number;
  },
): Uint8Array {
  const unsigned = encodeUnsignedImagePackage(payload, {
    buildTime: 1_790_000_000,
    ...fields,
    signerThumbprint: thumbprint(key.spki),
  });
  return finishImagePackage(unsigned, signWithPkcs8(key.pkcs8, unsigned));
}
