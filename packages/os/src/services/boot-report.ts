import {
  IMAGE_TYPES,
  SYSTEM_COMPONENT_IDS,
  SYSTEM_IMAGE_TYPES,
  utf8Encode,
  type ErrorReport,
} from '@sevenfold/formats';
import type { BootFailure, BootInfo, BusFaults } from './kernel.ts';

const NO_IMAGE = '00000000-0000-0000-0000-000000000000';
const MOST_LINES = 20;
const MOST_CHARACTERS = 256;

/** The version of the OS: the highest that a running stage's name ends in (`kernel 26.11.1`); empty: none does. */
export function osVersionOf(stages: readonly { readonly name: string }[]): string {
  const versions = stages
    .map(({ name }) => /(?:^|\s)(\d+(?:\.\d+){1,3})$/.exec(name)?.[1])
    .filter((version) => version !== undefined);
  return versions.sort(compareVersions).at(-1) ?? '';
}

function compareVersions(a: string, b: string): number {
  const left = a.split('.').map(Number);
  const right = b.split('.').map(Number);
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function lineOf(failure: BootFailure): string {
  const type =
    SYSTEM_IMAGE_TYPES.find((name) => IMAGE_TYPES[name] === failure.imageType) ?? `type ${failure.imageType}`;
  return `${type} slot ${failure.slot}: ${failure.code}: ${failure.message}`.slice(0, MOST_CHARACTERS);
}

/** What went wrong at boot, a line each: for the plan request and the report. */
export function bootFailureLines(boot: BootInfo): string[] {
  const left = (boot.fellBack ?? []).map((imageId) => `left image ${imageId}`);
  return [...boot.failures.map(lineOf), ...left].slice(0, MOST_LINES);
}

/** What the report's id is the hash of: the same failure of the same device gives the same report, once. */
export function bootReportIdentity(deviceId: string, boot: BootInfo): Uint8Array {
  return utf8Encode(['OsFallback', deviceId, ...bootFailureLines(boot)].join('\n'));
}

/** The error report of a boot that refused or left an image; null: nothing of the kind happened. Pure. */
export function bootReport(
  boot: BootInfo,
  known: {
    readonly reportId: Uint8Array;
    readonly osVersion: string;
    readonly time: number;
    readonly uptime: number;
  },
): ErrorReport | null {
  if (boot.failures.length === 0 && boot.fellBack === null) return null;
  const first = boot.failures[0];
  const type =
    SYSTEM_IMAGE_TYPES.find((name) => IMAGE_TYPES[name] === first?.imageType) ?? 'NormalWorldKernel';
  return {
    reportId: known.reportId,
    kind: 'OsFallback',
    componentId: SYSTEM_COMPONENT_IDS[type],
    imageId: boot.fellBack?.[0] ?? NO_IMAGE,
    osVersion: known.osVersion,
    time: Math.floor(known.time / 1000),
    uptime: Math.floor(known.uptime),
    trap: first?.code ?? null,
    exitCode: null,
    frames: [],
    log: bootFailureLines(boot),
    count: 1,
  };
}

/** What the id of a report of bus faults is the hash of: the same accesses of the same device, once. */
export function busFaultIdentity(deviceId: string, { lines }: BusFaults): Uint8Array {
  return utf8Encode(['BusFault', deviceId, ...lines].join('\n'));
}

/** The error report of accesses that the firewall stopped: somebody tried what software of ours never does. Pure. */
export function busFaultReport(
  { count, lines }: BusFaults,
  known: Parameters<typeof bootReport>[1],
): ErrorReport {
  return {
    reportId: known.reportId,
    kind: 'OsFailure',
    componentId: SYSTEM_COMPONENT_IDS.NormalWorldKernel,
    imageId: NO_IMAGE,
    osVersion: known.osVersion,
    time: Math.floor(known.time / 1000),
    uptime: Math.floor(known.uptime),
    trap: 'BusFault',
    exitCode: null,
    frames: [],
    log: lines.slice(-MOST_LINES),
    count,
  };
}
