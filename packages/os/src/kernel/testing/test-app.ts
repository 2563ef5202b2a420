import {
  ABI_KINDS,
  encodeUnsignedImagePackage,
  finishImagePackage,
  IMAGE_TYPES,
  utf8Encode,
  writeFileSystem,
  type FileEntry,
} from '@sevenfold/formats';
import { findImport } from '../import-table.ts';
import { buildModule, op, type DeclaredImport } from './wasm-builder.ts';

export const COMPONENT = 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee';
export const IMAGE = '99999999-bbbb-4ccc-8ddd-eeeeeeeeeeee';
export const TENANT = '11111111-2222-4333-8444-555555555555';

/** What a test says of its app; the rest is usual. */
export interface TestApp {
  readonly module: Uint8Array;
  readonly capabilities?: Readonly<Record<string, unknown>>;
  readonly manifest?: Readonly<Record<string, unknown>>;
  readonly files?: readonly FileEntry[];
  readonly componentId?: string;
  readonly imageId?: string;
  readonly imageType?: number;
}

/** An image package of an app. Its signature is the monitor's to check, and not the kernel's. */
export function packApp(app: TestApp): Uint8Array {
  const componentId = app.componentId ?? COMPONENT;
  const manifest = {
    SchemaVersion: 1,
    Name: 'tried',
    ComponentId: componentId,
    EntryPoint: '/bin/app',
    CmdArgs: ['one', 'två'],
    ApplicationType: 'Default',
    TargetApplicationRuntimeVersion: 16,
    Capabilities: app.capabilities ?? {},
    ...app.manifest,
  };
  const payload = writeFileSystem([
    { path: '/app_manifest.json', bytes: utf8Encode(JSON.stringify(manifest)) },
    { path: '/bin/app', bytes: app.module, executable: true },
    ...(app.files ?? []),
  ]);
  const unsigned = encodeUnsignedImagePackage(payload, {
    imageType: app.imageType ?? IMAGE_TYPES.Applications,
    componentId,
    imageId: app.imageId ?? IMAGE,
    name: 'tried',
    buildTime: 0,
    signerThumbprint: new Uint8Array(20),
    abiDepends: [{ version: 16, kind: ABI_KINDS.ApplicationRuntime }],
  });
  return finishImagePackage(unsigned, new Uint8Array(64));
}

/** An import of the table, for `buildModule`. */
export function imported(module: string, name: string): DeclaredImport {
  const row = findImport(module, name);
  if (row === null) throw new Error(`The table has no ${module}.${name}.`);
  return { module, name, params: row.params, result: row.result };
}

/** One call of an app, its arguments in order. */
export interface Step {
  readonly call: readonly [module: string, name: string];
  readonly args: readonly (number | bigint | 'loaded')[];
}

const EXIT = imported('wasi_snapshot_preview1', 'proc_exit');
/** Where `scriptModule` keeps what a call wrote; `'loaded'` as an argument stands for the i32 there. */
export const OUT = 1024;

/**
 * A module that makes calls one after the other and exits with the errno of the last, so that a test reads it off the
 * exit code.
 */
export function scriptModule(
  steps: readonly Step[],
  data: readonly { readonly offset: number; readonly bytes: Uint8Array }[] = [],
  pages = 1,
): Uint8Array {
  const imports = [...steps.map(({ call }) => imported(...call)), EXIT];
  const code = steps.flatMap(({ args }, index) => [
    ...args.flatMap((value) =>
      value === 'loaded'
        ? [...op.i32(OUT), ...op.load]
        : typeof value === 'bigint'
          ? op.i64(value)
          : op.i32(value),
    ),
    ...op.call(index),
    ...(index === steps.length - 1 ? [] : op.drop),
  ]);
  return buildModule({
    imports,
    memory: { min: pages, max: pages },
    start: [...code, ...op.call(steps.length)],
    data,
  });
}
