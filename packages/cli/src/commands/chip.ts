import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { buildCommand, buildRouteMap, type RouteMap } from '@stricli/core';
import { BUS_ACCESSES, type BusRegion, type ChipSkuName, type FirewallRule } from '@sevenfold/formats';
import { readChipFacts, readChipInfo, type ChipFacts } from '@sevenfold/device';
import { CHIP_SKU_TABLE, FUSE_FIELDS, SERVICE_PORT, type ChipSku } from '@sevenfold/silicon';
import { textFlag, type CliContext } from '../context.ts';
import { CliError } from '../errors.ts';
import { printableJson } from '../printable.ts';
import { formatProperties, formatTable } from '../table.ts';

interface ShowFlags {
  readonly data?: string;
  readonly sku: ChipSkuName;
  readonly json: boolean;
}

const SKU_NAMES = Object.keys(CHIP_SKU_TABLE) as readonly ChipSkuName[];

const hex = (value: number): string => `0x${value.toString(16).padStart(8, '0')}`;
const LETTERS = { read: 'r', write: 'w', execute: 'x' } as const;

/** `rw-` for what a master may do with a region. */
function access(rules: readonly FirewallRule[], master: string, region: string): string {
  const rows = rules.filter((rule) => rule.master === master && rule.region === region);
  return BUS_ACCESSES.map((kind) => (rows.some((row) => row[kind]) ? LETTERS[kind] : '-')).join('');
}

function firewallTable({ masters, regions, firewall }: ChipSku, when: keyof ChipSku['firewall']): string {
  return formatTable(
    Object.keys(regions),
    [
      { heading: 'REGION', value: (region) => region },
      ...masters.map((master) => ({
        heading: master.toUpperCase(),
        value: (region: string) => access(firewall[when], master, region),
      })),
    ],
    'No region.',
  );
}

/** A SKU for people: what it has, who may touch what, what its fuses hold. */
export function formatSku(name: string, sku: ChipSku): string {
  const regions = Object.entries(sku.regions) as [BusRegion, (typeof sku.regions)[BusRegion]][];
  return [
    formatProperties([
      ['Chip SKU', `${name} (${sku.number})`],
      ['Flash', `${sku.flash.bytes} bytes, sectors of ${sku.flash.sector}, pages of ${sku.flash.page}`],
      [
        'RAM',
        [
          `${sku.ram.highLevelApp} bytes a high-level app`,
          `${sku.ram.realTimeCode} + ${sku.ram.realTimeData} bytes a real-time core`,
        ],
      ],
      ['Real-time cores', `${sku.realTimeCores}; each can be given ${sku.realTimeRegions.join(', ')}`],
      ['Pins', `GPIO ${sku.pins.join(', ')}`],
      ['Peripherals', sku.peripherals.map(({ name: part, region, what }) => `${part} (${region}): ${what}`)],
      ['Rollback counters', `up to ${sku.securityVersions} for each system image`],
    ]),
    'Memory map\n',
    formatTable(
      regions.toSorted(([, a], [, b]) => a.offset - b.offset),
      [
        { heading: 'ADDRESS', value: ([, row]) => hex(row.offset) },
        { heading: 'BYTES', value: ([, row]) => String(row.length) },
        { heading: 'REGION', value: ([region]) => region },
        { heading: 'KIND', value: ([, row]) => row.kind },
        { heading: 'WHAT', value: ([, row]) => row.what },
      ],
      'Nothing.',
    ),
    'Firewall from reset until the Security Monitor locks it\n',
    firewallTable(sku, 'reset'),
    'Firewall of a running device, locked until reset\n',
    firewallTable(sku, 'running'),
    'Fuses\n',
    formatTable(
      Object.entries(FUSE_FIELDS),
      [
        { heading: 'FIELD', value: ([field]) => field },
        { heading: 'OFFSET', value: ([, { offset }]) => String(offset) },
        { heading: 'BYTES', value: ([, { length }]) => String(length) },
      ],
      'None.',
    ),
    'Service port: what each manufacturing state still allows\n',
    formatTable(
      Object.entries(SERVICE_PORT),
      [
        { heading: 'OPERATION', value: ([operation]) => operation },
        { heading: 'BLANK', value: ([, states]) => (states.Blank ? 'yes' : 'no') },
        { heading: 'MODULE1COMPLETE', value: ([, states]) => (states.Module1Complete ? 'yes' : 'no') },
        { heading: 'DEVICECOMPLETE', value: ([, states]) => (states.DeviceComplete ? 'yes' : 'no') },
      ],
      'None.',
    ),
  ].join('\n');
}

const formatChip = (facts: ChipFacts): string =>
  formatProperties([
    ['Device', facts.deviceId],
    ['Chip SKU', `${facts.sku} (${facts.chipSku})`],
    ['Manufacturing state', facts.manufacturingState],
    ['Root key', `SHA-256 ${facts.rootKeyHash}`],
    ['Locked fuses', facts.locked],
    ['Second signature', facts.needsSecondSignature ? 'needed' : 'not needed'],
    [
      'Rollback counters',
      Object.entries(facts.securityVersions).map(([type, version]) => `${type} ${version}`),
    ],
    ['State epoch', String(facts.stateEpoch)],
    ['Service port', facts.servicePort],
  ]);

/** The chip in a folder, or every chip that `npm start` made below it. */
async function chipsIn(folder: string): Promise<readonly ChipFacts[]> {
  const below = await readdir(join(folder, 'devices')).catch((): readonly string[] => []);
  const chips: ChipFacts[] = [];
  for (const dir of [folder, ...below.map((name) => join(folder, 'devices', name))]) {
    const info = await readChipInfo(dir).catch(() => null);
    if (info !== null && info !== 'unfinished') chips.push(await readChipFacts(dir));
  }
  if (chips.length === 0) {
    throw new CliError('NotFound', `There is no finished chip in ${folder}.`, {
      field: 'data',
      rule: 'a chip’s folder, or the data folder of `npm start`',
    });
  }
  return chips;
}

/** `sevenfold chip …`. */
export const chipCommands: RouteMap<CliContext> = buildRouteMap({
  docs: { brief: 'Chips: what a SKU has and allows, what one chip’s fuses hold' },
  routes: {
    show: buildCommand<ShowFlags, [], CliContext>({
      docs: {
        brief: 'Show a chip SKU’s tables, or with --data the fuses of the chips in a folder',
        fullDescription:
          'Memory map, firewall, peripherals, fuses and service port of a SKU. With --data what one chip’s fuses hold, seeds never: manufacturing state, locks, root key, rollback counters.',
      },
      parameters: {
        flags: {
          data: { ...textFlag('A chip’s folder, or the data folder of `npm start`', 'DIR'), optional: true },
          sku: { kind: 'enum', values: SKU_NAMES, brief: 'Chip SKU', default: 'SF-V1' },
          json: { kind: 'boolean', default: false, withNegated: false, brief: 'Print JSON' },
        },
      },
      async func({ data, sku, json }) {
        if (data === undefined) {
          const row = CHIP_SKU_TABLE[sku];
          const all = { name: sku, ...row, fuses: FUSE_FIELDS, servicePort: SERVICE_PORT };
          this.process.stdout.write(json ? `${printableJson(all)}\n` : formatSku(sku, row));
          return;
        }
        const chips = await chipsIn(resolve(data));
        this.process.stdout.write(json ? `${printableJson(chips)}\n` : chips.map(formatChip).join('\n'));
      },
    }),
  },
});
