import { readFileSync } from 'node:fs';
import { PLUTON_COMMANDS, type ArgumentRule, type CommandRow } from '@sevenfold/formats';
import { expect, it } from 'vitest';

const page = readFileSync(new URL('../docs/pluton.md', import.meta.url), 'utf8').replaceAll(/ +/g, ' ');

function size({ min, max }: { readonly min: number; readonly max: number }): string {
  if (min === max) return String(max);
  return min === 0 ? `≤ ${max}` : `${min}–${max}`;
}

function described(rule: ArgumentRule): string {
  const { kind, name } = rule;
  if (kind === 'bytes') return `${name} [${size(rule)}]`;
  if (kind === 'optionalBytes') return `${name} [${size(rule)}] or null`;
  if (kind === 'uint') return `${name}: 0–${rule.max === Number.MAX_SAFE_INTEGER ? '2^53-1' : rule.max}`;
  if (kind === 'text') return `${name}: text ≤ ${rule.max}`;
  return kind === 'flag' ? `${name}: boolean` : `${name}: ${rule.of.join(', ')}`;
}

it.each(Object.entries(PLUTON_COMMANDS as Readonly<Record<string, CommandRow>>))(
  'docs/pluton.md says of Pluton’s command %s what its table says',
  (name, { args, phases, lifecycles, errors }) => {
    const cells = [
      `\`${name}\``,
      args.map(described).join('; ') || '–',
      phases.join(', '),
      lifecycles.length === 3 ? 'any' : lifecycles.join(', '),
      errors.join(', ') || '–',
    ];
    expect(page).toContain(`| ${cells.join(' | ')} |`);
  },
);
