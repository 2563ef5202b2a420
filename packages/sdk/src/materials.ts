import { readFileSync } from 'node:fs';
import { utf8Encode, type SymbolLine } from '@sevenfold/formats';

/** A text in this package's `package.json`. */
function declared(...path: readonly string[]): string {
  let at: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  for (const name of path) at = typeof at === 'object' && at !== null ? Reflect.get(at, name) : undefined;
  if (typeof at !== 'string') throw new TypeError(`The package declares no ${path.join('.')}.`);
  return at;
}

const SDK_SOURCE = /^<sdk>\/(.+)$/;

/** What a bill of materials is made from. */
interface LinkedApp {
  readonly componentId: string;
  readonly imageId: string;
  readonly name: string;
  /** The line table of the shipped module: names every source that was really linked. */
  readonly lines: readonly SymbolLine[];
}

/**
 * What an app was linked from, as CycloneDX 1.6 JSON (ECMA-424): the app, its own sources, the parts of the SDK's
 * library that the linker took, the C library and the compiler. The same image has the same bill.
 */
export function materialsOf({ componentId, imageId, name, lines }: LinkedApp): Uint8Array {
  const sdkVersion = declared('version');
  const compiler = declared('dependencies', '@yowasp/clang');
  const sources = [...new Set(lines.map(({ file }) => file).filter((file) => file !== ''))].sort();
  const own = sources.filter((file) => !SDK_SOURCE.test(file) && !file.startsWith('/'));
  const parts = sources.flatMap((file) => SDK_SOURCE.exec(file)?.[1] ?? []);
  const library = (part: string, version: string, purl: string): object => ({
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
        ...library('sevenfold-sdk', sdkVersion, `pkg:generic/sevenfold-sdk@${sdkVersion}`),
        licenses: [{ license: { id: 'Apache-2.0' } }],
        components: parts.map((part) => ({ type: 'file', 'bom-ref': `sdk:${part}`, name: part })),
      },
      library('wasi-libc', compiler, `pkg:npm/%40yowasp/clang@${compiler}#wasi-libc`),
      library('compiler-rt', compiler, `pkg:npm/%40yowasp/clang@${compiler}#compiler-rt`),
    ],
  };
  return utf8Encode(`${JSON.stringify(bill, null, 2)}\n`);
}
