import {
  ABI_KINDS,
  APPLICATION_RUNTIME_VERSION,
  IMAGE_TYPES,
  parseAppImage,
  readCoreProgram,
  type AppCapabilities,
  type AppManifest,
  type ImagePackage,
} from '@sevenfold/formats';
import type { CompartmentOptions } from './compartment-calls.ts';
import { KernelError } from './errors.ts';
import { checkModule, type ModuleLimits } from './wasm-module.ts';

/** What every installed app has. */
interface InstalledApplication {
  readonly componentId: string;
  readonly imageId: string;
  readonly name: string;
  /** What its manifest names. */
  readonly capabilities: AppCapabilities;
}

/** An app for a compartment, ready to run. */
export interface HighLevelApplication extends InstalledApplication {
  readonly kind: 'highLevel';
  readonly module: Uint8Array;
  readonly options: Omit<CompartmentOptions, 'osVersion'>;
}

/** An app for a real-time core: the monitor puts it there. */
export interface RealTimeApplication extends InstalledApplication {
  readonly kind: 'realTime';
}

/** An installed app, ready to run. */
export type Application = HighLevelApplication | RealTimeApplication;

const KIB = 1024;

function runsHere(manifest: AppManifest, runtimes: readonly { kind: number; version: number }[]): boolean {
  return (
    (manifest.targetApplicationRuntimeVersion ?? 0) <= APPLICATION_RUNTIME_VERSION &&
    runtimes.every(
      ({ kind, version }) => kind === ABI_KINDS.ApplicationRuntime && version <= APPLICATION_RUNTIME_VERSION,
    )
  );
}

/**
 * Takes an app's verified package apart and judges whether it may run here. Steps in order: an application image of
 * this component; its manifest; a runtime this OS offers; a program for a real-time core, or a module that passes
 * `checkModule`.
 */
export function readApplication(image: ImagePackage, componentId: string, limits: ModuleLimits): Application {
  const { payload, fields } = image;
  if (fields.imageType !== IMAGE_TYPES.Applications) {
    throw new KernelError('NotAnApplication', `The image is of type ${fields.imageType}.`, {
      field: 'imageType',
    });
  }
  const { files, manifest, executable } = parseAppImage(payload);
  if (fields.componentId !== componentId || manifest.componentId !== componentId) {
    throw new KernelError('ComponentMismatch', `Package or manifest is not of component ${componentId}.`, {
      field: 'ComponentId',
    });
  }
  if (!runsHere(manifest, fields.abiDepends ?? [])) {
    throw new KernelError('IncompatibleApplicationRuntime', 'The app needs a newer application runtime.', {
      field: 'TargetApplicationRuntimeVersion',
      rule: `at most ${APPLICATION_RUNTIME_VERSION}`,
    });
  }
  const installed = {
    componentId,
    imageId: fields.imageId,
    name: manifest.name,
    capabilities: manifest.capabilities,
  };
  if (manifest.applicationType === 'RealTimeCapable') {
    readCoreProgram(payload);
    return { kind: 'realTime', ...installed };
  }
  // Own copies, since bytes of a file system are views of the whole image.
  const module = executable.slice();
  checkModule(module, limits);
  return {
    kind: 'highLevel',
    ...installed,
    module,
    options: {
      args: [manifest.entryPoint, ...manifest.cmdArgs],
      entryPoint: manifest.entryPoint,
      files: files
        .paths()
        .filter((path) => path !== manifest.entryPoint)
        .map((path) => ({ path, bytes: files.read(path)?.slice() ?? new Uint8Array(0) })),
      mutableQuota: manifest.capabilities.mutableStorageKb * KIB,
    },
  };
}
