export { buildApp, buildApps, type BuildOptions, type BuiltApp } from './build-app.ts';
export { SdkError, type SdkErrorCode } from './errors.ts';
export type { ManifestOverrides } from './manifest.ts';
export { formatDiagnostic, type Diagnostic } from './toolchain/diagnostics.ts';
export { headerName, readHardware } from './hardware.ts';
export { Toolchain } from './toolchain/run-toolchain.ts';
export { APP_TEMPLATES, newApp, type AppTemplate, type NewAppOptions } from './new-app.ts';
export { readProject, type Project } from './project.ts';
export { packImage, type PackOptions, type PackedImage } from './pack-image.ts';
