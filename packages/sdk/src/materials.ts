import { readFileSync } from 'node:fs';
import { utf8Encode, type SymbolLine } from '@sevenfold/formats';
import type { OwnClang } from './toolchain/job.ts';

/** A text in this package's `package.json`. */
function declared(...path: readonly string[]): string {
  let at: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  for (const name of path) at = typeof at === 'object' && at !== null ? Reflect.get(at, name) : undefined;
  if (typeof at !== 'string') throw new TypeError(`The package declares no ${path.join('.')}.`);
  return at;
}

const SDK_SOURCE = /^<sdk>\/(.+)$/;

/** A library that is linked in, by its package URL. */
interface LinkedLibrary {
  readonly name: string;
  readonly version: string;
  readonly purl: string;
}

/** What every WebAssembly app is linked with besides the SDK's library: of a clang of one's own, or of the installation's. */
export function wasmLibraries(compiler: OwnClang | null): readonly LinkedLibrary[] {
  if (compiler !== null) {
    const version = /\d+(?:\.\d+)+/.exec(compiler.version)?.[0] ?? 'unknown';
    return [
      { name: 'wasi-libc', version: 'unknown', purl: 'pkg:generic/wasi-libc' },
      { name: 'compiler-rt', version, purl: `pkg:generic/compiler-rt@${version}` },
    ];
  }
  const version = declared('dependencies', '@yowasp/clang');
  return ['wasi-libc', 'compiler-rt'].map((name) => ({
    name,
    version,
    purl: `pkg:npm/%40yowasp/clang@${version}#${name}`,
  }));
}

/** What a real-time app is linked with: `compiler` is the first line of what it says about itself. */
export function realTimeLibraries(compiler: string): readonly LinkedLibrary[] {
  const version = /\d+(?:\.\d+)+/.exec(compiler)?.[0] ?? 'unknown';
  return [{ name: 'libgcc', version, purl: `pkg:generic/gcc-arm-none-eabi@${version}#libgcc` }];
}

/** What a bill of materials is made from. */
interface LinkedApp {
  readonly componentId: string;
  readonly imageId: string;
  readonly name: string;
  /** The line table of the shipped module: names every source that was really linked. */
  readonly lines: readonly SymbolLine[];
  readonly libraries: readonly LinkedLibrary[];
}

/**
 * What an app was linked from, as CycloneDX 1.6 JSON (ECMA-424): the app, its own sources, the parts of the SDK's
 * library that the linker took, and other libraries. The same image has the same bill.
 */
export function materialsOf({ componentId, imageId, name, lines, libraries }: LinkedApp): Uint8Array {
  const sdkVersion = declared('version');
  const sources = [...new Set(lines.map(({ file }) => file).filter((file) => file !== ''))].sort();
  const own = sources.filter((file) => !SDK_SOURCE.test(file) && !file.startsWith('/'));
  const parts = sources.flatMap((file) => SDK_SOURCE.exec(file)?.[1] ?? []);
  const library = ({ name: part, version, purl }: LinkedLibrary): object => ({
    type: 'library',
    'bom-ref': purl,
    name: part,
    version,
    purl,
  });
  const bill = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${imageId}`,
    version: 1,
    metadata: {
      component: {
        type: 'application',
        'bom-ref': imageId,
        name,
        version: imageId,
        properties: [{ name: 'sevenfold:componentId', value: componentId }],
      },
      tools: { components: [{ type: 'application', name: 'sevenfold sdk', version: sdkVersion }] },
    },
    components: [
      ...own.map((file) => ({ type: 'file', 'bom-ref': `file:${file}`, name: file })),
      {
        ...library({
          name: 'sevenfold-sdk',
          version: sdkVersion,
          purl: `pkg:generic/sevenfold-sdk@${sdkVersion}`,
        }),
        licenses: [{ license: { id: 'Apache-2.0' } }],
        components: parts.map((part) => ({ type: 'file', 'bom-ref': `sdk:${part}`, name: part })),
      },
      ...libraries.map(library),
    ],
  };
  return utf8Encode(`${JSON.stringify(bill, null, 2)}\n`);
}
