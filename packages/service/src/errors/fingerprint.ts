import { createHash } from 'node:crypto';

import type { ErrorReport } from '@sevenfold/formats';

import { frameText, type StackFrame } from './symbolise.ts';

/** So many of the innermost functions tell one failure from another; more would part what callers differ in only. */
const FINGERPRINT_FRAMES = 3;

/**
 * What makes two failures the same failure: component, kind, trap or exit code, and the innermost functions by name.
 * Lines, offsets, builds and numbers inside a message differ between releases, so they do not count. 64 hex digits.
 */
export function fingerprintOf(report: ErrorReport, stack: readonly StackFrame[]): string {
  const parts = [
    'sevenfold error v1',
    report.componentId,
    report.kind,
    report.trap === null ? `exit ${report.exitCode ?? 'unknown'}` : withoutNumbers(report.trap),
    ...stack.slice(0, FINGERPRINT_FRAMES).map((frame) => frame.function),
  ];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/** One line that says what failed and where. */
export function titleOf(report: ErrorReport, stack: readonly StackFrame[]): string {
  const top = stack[0];
  const place = top === undefined ? '' : ` in ${frameText(top)}`;
  switch (report.kind) {
    case 'AppCrash':
      return `${report.trap ?? 'crash'}${place}`;
    case 'AppExit':
      return `exit with code ${report.exitCode ?? 'unknown'}${place}`;
    case 'OsFallback':
      return `OS went back to its last good copy: ${report.trap ?? 'no reason given'}`;
    case 'OsFailure':
      return `OS failure: ${report.trap ?? 'no reason given'}${place}`;
    default:
      return report.kind satisfies never;
  }
}

function withoutNumbers(text: string): string {
  return text.replaceAll(/0x[0-9a-f]+|[0-9a-f]{8,}|[0-9]+/giu, '#');
}
