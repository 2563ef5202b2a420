/** Image types of an image package: the metadata's value and the REST enum (azure-sphere.md §2.3). */
export const IMAGE_TYPES = {
  OneBl: 1,
  PlutonRuntime: 2,
  WifiFirmware: 3,
  SecurityMonitor: 4,
  NormalWorldLoader: 5,
  NormalWorldDtb: 6,
  NormalWorldKernel: 7,
  RootFs: 8,
  Services: 9,
  Applications: 10,
  FwConfig: 13,
  BootManifest: 16,
  Nwfs: 17,
  TrustedKeystore: 19,
  Policy: 20,
  CustomerBoardConfig: 21,
  UpdateCertStore: 22,
  BaseSystemUpdateManifest: 23,
  FirmwareUpdateManifest: 24,
  CustomerUpdateManifest: 25,
  RecoveryManifest: 26,
  ManifestSet: 27,
  Other: 28,
} as const;
export type ImageTypeName = keyof typeof IMAGE_TYPES;
export type ImageType = (typeof IMAGE_TYPES)[ImageTypeName];

/** The images that make an OS release, in the order in which a device loads them. */
export const SYSTEM_IMAGE_TYPES = [
  'TrustedKeystore',
  'PlutonRuntime',
  'SecurityMonitor',
  'UpdateCertStore',
  'NormalWorldKernel',
  'Services',
] as const satisfies readonly ImageTypeName[];
export type SystemImageTypeName = (typeof SYSTEM_IMAGE_TYPES)[number];

/** Well-known component ids of the system images: one component a type, the same over all releases. */
export const SYSTEM_COMPONENT_IDS: Readonly<Record<SystemImageTypeName, string>> = {
  TrustedKeystore: '7f1d0013-5e7e-4f01-8d00-000000000013',
  PlutonRuntime: '7f1d0002-5e7e-4f01-8d00-000000000002',
  SecurityMonitor: '7f1d0004-5e7e-4f01-8d00-000000000004',
  UpdateCertStore: '7f1d0016-5e7e-4f01-8d00-000000000016',
  NormalWorldKernel: '7f1d0007-5e7e-4f01-8d00-000000000007',
  Services: '7f1d0009-5e7e-4f01-8d00-000000000009',
};

/** Where a system image keeps its payload inside its file system. */
export const SYSTEM_IMAGE_FILES = {
  /** The JavaScript bundle of a stage image. */
  bundle: '/bin/stage.js',
  /** The kernel image only: the program that runs in every compartment beside the app's module. */
  compartment: '/bin/compartment.js',
  /** TrustedKeystore: CBOR, see `keystore.ts`. */
  keystore: '/keystore.cbor',
  /** UpdateCertStore: CBOR, see `keystore.ts`. */
  certStore: '/certstore.cbor',
} as const;

/** Files without which a system image is of no use. */
export const NEEDED_FILES: Readonly<Record<SystemImageTypeName, readonly string[]>> = {
  TrustedKeystore: [SYSTEM_IMAGE_FILES.keystore],
  PlutonRuntime: [SYSTEM_IMAGE_FILES.bundle],
  SecurityMonitor: [SYSTEM_IMAGE_FILES.bundle],
  UpdateCertStore: [SYSTEM_IMAGE_FILES.certStore],
  NormalWorldKernel: [SYSTEM_IMAGE_FILES.bundle, SYSTEM_IMAGE_FILES.compartment],
  Services: [SYSTEM_IMAGE_FILES.bundle],
};

/** Chip SKUs. 0 was the original's MT3620AN, whose name is not ours to use. `SF-V1` is the reference. */
export const CHIP_SKUS = { 'SF-V1': 1, 'SF-V1L': 2 } as const;
export type ChipSkuName = keyof typeof CHIP_SKUS;

/** Bytes of linear memory that a high-level app may have on each chip (azure-sphere.md §3.4 for the reference). */
export const APP_MEMORY: Readonly<Record<ChipSkuName, number>> = {
  'SF-V1': 256 * 1024,
  'SF-V1L': 1024 * 1024,
};

/** As `APP_MEMORY`, by a chip's number; the least of all for a number that is not known. */
export function appMemoryOf(chipSku: number): number {
  // `Object.keys` of a constant object: the names are exactly its keys.
  const names = Object.keys(CHIP_SKUS) as ChipSkuName[];
  const known = names.find((name) => CHIP_SKUS[name] === chipSku);
  return known === undefined ? Math.min(...Object.values(APP_MEMORY)) : APP_MEMORY[known];
}
