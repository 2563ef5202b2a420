import {
  ABI_KINDS,
  APPLICATION_RUNTIME_VERSION,
  encodeUnsignedImagePackage,
  finishImagePackage,
  IMAGE_TYPES,
  utf8Encode,
  writeFileSystem,
} from '@sevenfold/formats';
import type { BenchSigner } from './device.ts';

/** Component id of the app of that index. */
export const componentOf = (index: number): string =>
  `0c9b8e2a-4f6d-4b1e-8a35-7d2c6e1f1${String(index).padStart(3, '0')}`;

/** One module as many apps, which differ in their ids and names only. */
export async function packIdle(module: Uint8Array, index: number, signer: BenchSigner): Promise<Uint8Array> {
  const componentId = componentOf(index);
  const name = `idle${index}`;
  const manifest = {
    SchemaVersion: 1,
    Name: name,
    ComponentId: componentId,
    EntryPoint: '/bin/app',
    CmdArgs: [],
    ApplicationType: 'Default',
    TargetApplicationRuntimeVersion: APPLICATION_RUNTIME_VERSION,
    Capabilities: {},
  };
  const payload = writeFileSystem([
    { path: '/app_manifest.json', bytes: utf8Encode(JSON.stringify(manifest)) },
    { path: '/bin/app', bytes: module, executable: true },
  ]);
  const unsigned = encodeUnsignedImagePackage(payload, {
    imageType: IMAGE_TYPES.Applications,
    componentId,
    imageId: componentId,
    name,
    buildTime: 0,
    signerThumbprint: signer.thumbprint,
    abiDepends: [{ version: APPLICATION_RUNTIME_VERSION, kind: ABI_KINDS.ApplicationRuntime }],
  });
  return finishImagePackage(unsigned, await signer.sign(unsigned));
}
