import { readFileSync } from 'node:fs';
import {
  MONITOR_CALLS,
  PLUTON_COMMANDS,
  type ArgumentRule,
  type CommandRow,
  type MonitorCallRow,
} from '@sevenfold/formats';
import { expect, it } from 'vitest';

const pageOf = (name: string): string =>
  readFileSync(new URL(`../docs/${name}.md`, import.meta.url), 'utf8').replaceAll(/ +/g, ' ');

function size({ min = 0, max }: { readonly min?: number; readonly max: number }): string {
  if (min === max) return String(max);
  return min === 0 ? `≤ ${max}` : `${min}–${max}`;
}

function described(rule: ArgumentRule): string {
  const { kind, name } = rule;
  switch (kind) {
    case 'bytes':
      return `${name} [${size(rule)}]`;
    case 'optionalBytes':
      return `${name} [${size(rule)}] or null`;
    case 'uint':
      return `${name}: ${rule.min ?? 0}–${rule.max === Number.MAX_SAFE_INTEGER ? '2^53-1' : rule.max}`;
    case 'text':
      return `${name}: text ≤ ${rule.max}`;
    case 'guid':
      return `${name}: GUID`;
    case 'flag':
      return `${name}: boolean`;
    case 'choice':
      return `${name}: ${rule.of.join(', ')}`;
    case 'list':
      return `${name}: at most ${rule.most} of (${described(rule.of)})`;
    case 'record':
      return `${name}: {${rule.fields.map(described).join('; ')}}`;
    default:
      return rule satisfies never;
  }
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
    expect(pageOf('pluton')).toContain(`| ${cells.join(' | ')} |`);
  },
);

it.each(Object.entries(MONITOR_CALLS as Readonly<Record<string, MonitorCallRow>>))(
  'docs/monitor.md says of the Security Monitor’s call %s what its table says',
  (name, { args, when, errors }) => {
    const cells = [`\`${name}\``, args.map(described).join('; ') || '–', when, errors.join(', ') || '–'];
    expect(pageOf('monitor')).toContain(`| ${cells.join(' | ')} |`);
  },
);
