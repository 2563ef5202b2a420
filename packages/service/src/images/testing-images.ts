import {
  CHIP_SKUS,
  encodeKeystore,
  encodeUnsignedImagePackage,
  finishImagePackage,
  IMAGE_TYPES,
  imageUse,
  SYSTEM_COMPONENT_IDS,
  SYSTEM_IMAGE_FILES,
  SYSTEM_IMAGE_TYPES,
  utf8Encode,
  writeFileSystem,
  type FileEntry,
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

/** The file of a keystore that trusts one key for every image of the system; `types`: for these alone. */
export function keystoreOf(
  spki: Uint8Array,
  types: readonly SystemImageTypeName[] = SYSTEM_IMAGE_TYPES,
): FileEntry {
  const uses = types.map((type) => imageUse(IMAGE_TYPES[type]));
  const bytes = encodeKeystore({
    version: 3,
    rootSpki: spki,
    keys: [{ spki, thumbprint: thumbprint(spki), uses }],
    revokedImageDigests: [],
  });
  return { path: SYSTEM_IMAGE_FILES.keystore, bytes };
}

/** A system image's package, signed by a platform key. */
export function systemImagePackage(
  type: SystemImageTypeName,
  imageId: string,
  key: KeyPair,
  changes: {
    readonly componentId?: string;
    readonly chipSku?: number;
    readonly content?: string;
    readonly keystore?: FileEntry;
  } = {},
): Uint8Array {
  const stage = { path: '/bin/stage.js', bytes: utf8Encode(changes.content ?? type) };
  const payload = writeFileSystem([
    type === 'TrustedKeystore' ? (changes.keystore ?? keystoreOf(key.spki)) : stage,
  ]);
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
