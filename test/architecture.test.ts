import { readFileSync } from 'node:fs';
import { globSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, normalize } from 'node:path';
import { parseSync } from 'oxc-parser';
import { describe, expect, it } from 'vitest';

/** The house as `docs/architecture.md` tells it, as data: who may import whom. */
interface Architecture {
  readonly edges: Readonly<Record<string, readonly string[]>>;
  readonly siliconOnlyFrom: string;
  readonly stages: readonly string[];
  readonly nodeImports: readonly string[];
}

const root = join(import.meta.dirname, '..');
const architecture = JSON.parse(
  readFileSync(join(root, 'packages/architecture.json'), 'utf8'),
) as Architecture;
const LONGEST_FILE = 700;

interface SourceFile {
  readonly path: string;
  readonly package: string;
  readonly isTest: boolean;
  readonly lines: readonly string[];
  readonly imports: readonly string[];
}

/** Every specifier that a file imports or re-exports, by name or dynamically with a literal, or asks Node for. */
function importsOf(path: string, text: string): readonly string[] {
  const { module, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message ?? 'does not parse'}`);
  const found = [
    ...module.staticImports.map((statement) => statement.moduleRequest.value),
    ...module.staticExports.flatMap((statement) =>
      statement.entries.flatMap((entry) => (entry.moduleRequest ? [entry.moduleRequest.value] : [])),
    ),
    ...module.dynamicImports.flatMap(({ moduleRequest }) => {
      const literal = /^['"](.*)['"]$/.exec(text.slice(moduleRequest.start, moduleRequest.end));
      return literal?.[1] === undefined ? [] : [literal[1]];
    }),
    ...[...text.matchAll(/\bgetBuiltinModule\('([^']*)'/g)].flatMap(([, name]) => name ?? []),
  ];
  return [...new Set(found)];
}

function readSource(path: string): SourceFile {
  const text = readFileSync(join(root, path), 'utf8');
  return {
    path,
    package: path.split('/')[1] ?? '',
    isTest: /\.(test|suite|fixture)\.ts$/.test(path) || path.includes('/testing/'),
    lines: text.split('\n'),
    imports: importsOf(path, text),
  };
}

const files = globSync('packages/*/src/**/*.ts', { cwd: root })
  .toSorted()
  .filter((path) => !path.includes('/testdata/'))
  .map(readSource);
const code = files.filter((file) => !file.isTest);

const isNode = (specifier: string): boolean =>
  specifier.startsWith('node:') || builtinModules.includes(specifier);
const packageNameOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

/** `file → import` for each import that breaks a rule, so that a failure names its place. */
function breaches(
  among: readonly SourceFile[],
  isForbidden: (file: SourceFile, specifier: string) => boolean,
): readonly string[] {
  return among.flatMap((file) =>
    file.imports
      .filter((specifier) => isForbidden(file, specifier))
      .map((specifier) => `${file.path} → ${specifier}`),
  );
}

describe('the house', () => {
  it('has a package folder for every row of the table, and no other', () => {
    const folders = globSync('packages/*/package.json', { cwd: root }).map(
      (path) => path.split('/')[1] ?? '',
    );
    expect(folders.toSorted()).toEqual(Object.keys(architecture.edges).toSorted());
  });

  it('lets a package import only the packages that the table allows', () => {
    const forbidden = breaches(files, (file, specifier) => {
      if (!specifier.startsWith('@sevenfold/')) return false;
      const target = packageNameOf(specifier).slice('@sevenfold/'.length);
      return !(architecture.edges[file.package] ?? []).includes(target);
    });
    expect(forbidden).toEqual([]);
  });

  it('lets nothing import past a package’s index, or out of its own folder', () => {
    const forbidden = breaches(files, (file, specifier) => {
      if (specifier.startsWith('@sevenfold/')) return specifier.split('/').length > 2;
      if (!specifier.startsWith('.')) return false;
      const target = normalize(join(dirname(file.path), specifier));
      return !target.startsWith(`packages/${file.package}/`);
    });
    expect(forbidden).toEqual([]);
  });

  it('declares every library that a package imports', () => {
    const declared = new Map(
      Object.keys(architecture.edges).map((name) => {
        const manifest = JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8')) as {
          dependencies?: Record<string, string>;
        };
        return [name, Object.keys(manifest.dependencies ?? {})];
      }),
    );
    const forbidden = breaches(code, (file, specifier) => {
      if (specifier.startsWith('.') || isNode(specifier)) return false;
      return !(declared.get(file.package) ?? []).includes(packageNameOf(specifier));
    });
    expect(forbidden).toEqual([]);
  });

  it('lets `silicon` be imported by nothing of `os` but its board', () => {
    const outside = code.filter(
      (file) =>
        file.package === 'os' &&
        !file.path.startsWith(architecture.siliconOnlyFrom) &&
        !file.path.endsWith('os/src/index.ts'),
    );
    expect(breaches(outside, (_file, specifier) => specifier === '@sevenfold/silicon')).toEqual([]);
  });

  it('keeps stage code to `formats` and its own folder: a bundle imports nothing', () => {
    const stages = code.filter((file) => architecture.stages.some((folder) => file.path.startsWith(folder)));
    const forbidden = breaches(stages, (file, specifier) => {
      if (specifier === '@sevenfold/formats') return false;
      if (!specifier.startsWith('.')) return true;
      const folder = architecture.stages.find((stage) => file.path.startsWith(stage)) ?? '';
      return !normalize(join(dirname(file.path), specifier)).startsWith(folder);
    });
    expect(stages.length).toBeGreaterThan(0);
    expect(forbidden).toEqual([]);
  });

  it('keeps Node out of `formats`, and out of `silicon` and `os` but for the short list', () => {
    const bare = code.filter(
      (file) =>
        file.package === 'formats' ||
        ((file.package === 'silicon' || file.package === 'os') &&
          !architecture.nodeImports.includes(file.path)),
    );
    expect(breaches(bare, (_file, specifier) => isNode(specifier))).toEqual([]);
  });

  it('lets a board boot without the network of Node, which is large: it is loaded when it is used', () => {
    const network = /^import (?!type\b).* from 'node:(?:net|tls|https?|http2|dgram|dns)[^']*'/;
    const eager = code
      .filter((file) => ['formats', 'silicon', 'os'].includes(file.package))
      .flatMap(({ path, lines }) =>
        lines.filter((line) => network.test(line)).map((line) => `${path}: ${line}`),
      );
    expect(eager).toEqual([]);
  });

  it('lists no file in the short list that no longer needs Node', () => {
    const needless = architecture.nodeImports.filter(
      (path) => !code.some((file) => file.path === path && file.imports.some(isNode)),
    );
    expect(needless).toEqual([]);
  });

  it('keeps the language’s ambient clock and randomness out of `formats` and the stages', () => {
    const pure = code.filter(
      (file) =>
        file.package === 'formats' || architecture.stages.some((folder) => file.path.startsWith(folder)),
    );
    const ambient = pure.filter((file) =>
      /\bnew Date\b|\bDate\.|\bMath\.random\b/.test(file.lines.join('\n')),
    );
    expect(ambient.map((file) => file.path)).toEqual([]);
  });

  it('has no import cycles between files', () => {
    const edges = new Map(
      code.map((file) => [
        file.path,
        file.imports
          .filter((specifier) => specifier.startsWith('.'))
          .map((specifier) => normalize(join(dirname(file.path), specifier))),
      ]),
    );
    const finished = new Set<string>();
    const cycles: string[] = [];
    const visit = (path: string, trail: readonly string[]): void => {
      if (finished.has(path)) return;
      const start = trail.indexOf(path);
      if (start >= 0) {
        cycles.push([...trail.slice(start), path].join(' → '));
        return;
      }
      for (const next of edges.get(path) ?? []) visit(next, [...trail, path]);
      finished.add(path);
    };
    for (const path of edges.keys()) visit(path, []);
    expect(cycles).toEqual([]);
  });

  it(`has no file over ${LONGEST_FILE} lines whose first line does not say why it is one piece`, () => {
    const long = files.filter(
      (file) => file.lines.length > LONGEST_FILE && !/one piece/i.test(file.lines[0] ?? ''),
    );
    expect(long.map((file) => `${file.path}: ${file.lines.length} lines`)).toEqual([]);
  });
});
