// Counts the lines that must be trusted: what ends up in the bundles of mask ROM, Pluton runtime and Security Monitor,
// ours or a library's, bundled as for a release but with names and lines kept. Lines are those that the bundler writes,
// without blank ones and comments; a module that is in several bundles counts once, with the lines of it that any of
// them holds. Literal tables (top-level constants made of literals alone) are left out: they are data.
import { join } from 'node:path';
import { build } from 'esbuild';
import { parseSync, type Expression } from 'oxc-parser';

const MOST_TRUSTED_LINES = 5000;
const root = join(import.meta.dirname, '..');
const BUNDLES = {
  rom: ['packages/silicon/src/rom.ts', 'packages/silicon/src/recovery.ts'],
  pluton: ['packages/os/src/pluton/main.ts'],
  monitor: ['packages/os/src/monitor/main.ts'],
} as const;

/** The code of each module of a bundle, as it was bundled. */
async function modulesOf(entries: readonly string[]): Promise<Map<string, string>> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    stdin: { contents: entries.map((entry) => `export * from './${entry}';`).join('\n'), resolveDir: root },
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'bundle',
    target: 'es2024',
    charset: 'utf8',
    legalComments: 'none',
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
    write: false,
  });
  const parts = (outputFiles[0]?.text ?? '').split(/^\/\/ ((?:packages|node_modules)\/\S+)$/m);
  const modules = new Map<string, string>();
  for (let index = 1; index < parts.length; index += 2) {
    modules.set(parts[index] ?? '', parts[index + 1] ?? '');
  }
  return modules;
}

/** Says whether an expression is made of literals and of other constants alone: nothing of it runs. */
function isLiteral(expression: Expression): boolean {
  const { type } = expression;
  if (type === 'Literal' || type === 'Identifier') return true;
  if (type === 'UnaryExpression') return isLiteral(expression.argument);
  if (type === 'MemberExpression') {
    const { object, computed } = expression;
    return (
      !computed && (object.type === 'Identifier' || object.type === 'MemberExpression') && isLiteral(object)
    );
  }
  if (type === 'TemplateLiteral') return expression.expressions.every(isLiteral);
  if (type === 'BinaryExpression') {
    const { left, right } = expression;
    return left.type !== 'PrivateIdentifier' && isLiteral(left) && isLiteral(right);
  }
  if (type === 'ArrayExpression') {
    return expression.elements.every(
      (element) => element !== null && element.type !== 'SpreadElement' && isLiteral(element),
    );
  }
  return (
    type === 'ObjectExpression' &&
    expression.properties.every((property) => property.type === 'Property' && isLiteral(property.value))
  );
}

/** The lines of a module's code that are neither blank, nor comment, nor part of a literal table. */
function codeLines(code: string): readonly string[] {
  const { program, comments } = parseSync('module.js', code);
  const blank = comments.map(({ start, end }) => ({ start, end }));
  for (const statement of program.body) {
    if (statement.type !== 'VariableDeclaration') continue;
    const isTable = statement.declarations.every(
      ({ init }) =>
        init !== null &&
        (init.type === 'ObjectExpression' || init.type === 'ArrayExpression') &&
        isLiteral(init),
    );
    if (isTable) blank.push({ start: statement.start, end: statement.end });
  }
  let rest = code;
  for (const { start, end } of blank) {
    rest = rest.slice(0, start) + rest.slice(start, end).replaceAll(/[^\n]/g, ' ') + rest.slice(end);
  }
  return rest
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/** How often each line is there, in whichever bundle holds it most often. */
const trusted = new Map<string, Map<string, number>>();
const perBundle: string[] = [];
for (const [name, entries] of Object.entries(BUNDLES)) {
  let lines = 0;
  for (const [module, code] of await modulesOf(entries)) {
    const counts = new Map<string, number>();
    for (const line of codeLines(code)) {
      counts.set(line, (counts.get(line) ?? 0) + 1);
      lines += 1;
    }
    const most = trusted.get(module) ?? new Map<string, number>();
    trusted.set(module, most);
    for (const [line, count] of counts) most.set(line, Math.max(most.get(line) ?? 0, count));
  }
  perBundle.push(`${name} ${lines}`);
}

const modules = [...trusted]
  .map(([module, lines]) => ({ module, lines: [...lines.values()].reduce((sum, count) => sum + count, 0) }))
  .toSorted((a, b) => b.lines - a.lines);
const total = modules.reduce((sum, { lines }) => sum + lines, 0);
if (process.argv.includes('--modules')) {
  for (const { module, lines } of modules) process.stdout.write(`${String(lines).padStart(6)}  ${module}\n`);
}
process.stdout.write(
  `trusted lines: ${total} of at most ${MOST_TRUSTED_LINES} (${perBundle.join(', ')}; what they share counts once)\n`,
);
if (total > MOST_TRUSTED_LINES) process.exit(1);
