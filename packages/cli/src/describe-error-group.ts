import type { ErrorGroup, ErrorGroupDetail } from '@sevenfold/api';
import { printable } from './printable.ts';

/** The state of a group in a person's words. */
export function describeStatus(group: ErrorGroup): string {
  switch (group.status) {
    case 'open':
      return 'open';
    case 'fixed':
      return `fixed in image ${group.fixedInImageId ?? ''}`;
    case 'regressed':
      return `regressed: seen again although fixed in image ${group.fixedInImageId ?? ''}`;
    default:
      return group.status satisfies never;
  }
}

/** Four registers a line. */
function describeRegisters(registers: Readonly<Record<string, string>>): readonly string[] {
  const words = Object.entries(registers).map(
    ([name, value]) => `${printable(name).padEnd(7)} ${printable(value)}`,
  );
  const lines = Array.from({ length: Math.ceil(words.length / 4) }, (_, line) =>
    `    ${words.slice(line * 4, line * 4 + 4).join('  ')}`.trimEnd(),
  );
  return lines.length === 0 ? [] : ['  registers:', ...lines];
}

/** Bytes of one line of a memory dump. */
const LINE = 16;

/** Sixteen bytes a line, with their address. */
function describeMemory(memory: ErrorGroupDetail['latest']['memory']): readonly string[] {
  if (memory === null) return [];
  const words = memory.bytes.match(/[0-9a-f]{2}/g) ?? [];
  const lines = Array.from({ length: Math.ceil(words.length / LINE) }, (_, line) => {
    const address = (memory.address + line * LINE).toString(16).padStart(8, '0');
    return `    0x${address}  ${words.slice(line * LINE, (line + 1) * LINE).join(' ')}`;
  });
  return ['  stack:', ...lines];
}

/** A group as a person wants to read it: what, where in the source, how often, on how many devices, since when. */
export function describeErrorGroup(group: ErrorGroupDetail): string {
  const { latest } = group;
  const frames = latest.frames.map((frame, index) => {
    const place =
      frame.file === null
        ? `${latest.registers?.['lr'] === undefined ? 'module offset' : 'address'} 0x${frame.offset.toString(16)}`
        : `${frame.file}:${frame.line ?? '?'}`;
    return `  #${index} ${printable(frame.function).padEnd(24)} ${printable(place)}`;
  });
  return [
    printable(group.title),
    `  ${describeStatus(group)} · ${group.count} × on ${group.deviceCount} ${group.deviceCount === 1 ? 'device' : 'devices'} · first ${group.firstSeen} · last ${group.lastSeen}`,
    `  component ${group.componentId}`,
    `  image ${latest.imageId} · OS ${printable(latest.osVersion)}`,
    ...(latest.trap === null ? [] : [`  ${printable(latest.trap)}`]),
    ...(latest.exitCode === null ? [] : [`  exit code ${latest.exitCode}`]),
    ...frames,
    ...describeRegisters(latest.registers ?? {}),
    ...describeMemory(latest.memory),
    ...(latest.log.length > 0
      ? ['  last log lines:', ...latest.log.map((line) => `    | ${printable(line.trimEnd())}`)]
      : []),
    '',
  ].join('\n');
}
