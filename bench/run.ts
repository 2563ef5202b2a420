import { styleText } from 'node:util';
import { measureCompartments } from './compartments.ts';
import type { Figure } from './figure.ts';
import { measureIdentity } from './identity.ts';
import { measureRealtime } from './realtime.ts';
import { measureSilicon } from './silicon.ts';
import { measureStory } from './story.ts';

/** Every set of measurements, by the name after `npm run bench --`. */
const SETS: Readonly<
  Record<string, { readonly brief: string; readonly measure: () => Promise<readonly Figure[]> }>
> = {
  story: {
    brief: 'the main job end to end: time and memory of `npm start -- --once`',
    measure: measureStory,
  },
  identity: {
    brief: 'certificates and attestation beside cfssl, OpenSSL and a bare TLS server',
    measure: measureIdentity,
  },
  silicon: {
    brief: 'the trusted base: cold boot, memory, verification, mailbox, power cuts',
    measure: measureSilicon,
  },
  realtime: {
    brief: 'the real-time cores beside rp2040js and QEMU: speed, start, idling',
    measure: measureRealtime,
  },
  compartments: {
    brief: 'apps in their compartments: start, memory, calls, computing',
    measure: measureCompartments,
  },
};

const [name, ...flags] = process.argv
  .slice(2)
  .toSorted((a, b) => Number(a.startsWith('-')) - Number(b.startsWith('-')));
const set = name === undefined || name.startsWith('-') ? undefined : SETS[name];
if (!set) {
  process.stderr.write('Usage: npm run bench -- NAME [--json]\n\n');
  for (const [each, { brief }] of Object.entries(SETS))
    process.stderr.write(`  ${each.padEnd(12)} ${brief}\n`);
  process.exit(name === undefined ? 0 : 1);
}

const figures = await set.measure();
if (flags.includes('--json')) {
  process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`);
} else {
  const rows = [
    ['figure', 'measured', 'peer', 'target', ''],
    ...figures.map((figure) => [
      figure.name,
      figure.measured,
      figure.peer,
      figure.target,
      figure.isMet ? 'met' : 'short',
    ]),
  ];
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  for (const row of rows) {
    const line = row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ');
    process.stdout.write(`${row[4] === 'short' ? styleText('red', line) : line}\n`);
  }
}
process.exitCode = figures.every((figure) => figure.isMet) ? 0 : 1;
