import type { ErrorReport } from '@sevenfold/formats';

import type { StackFrame } from './symbolise.ts';

/** `Regressed`: seen again in an image that was said to be fixed, or in a newer one. */
export type ErrorGroupState = 'Open' | 'Fixed' | 'Regressed';

/** The last report of a group, made readable. */
export interface ErrorExample {
  readonly deviceId: string;
  readonly imageId: string;
  readonly osVersion: string;
  /** Device's own time, ms since 1970. */
  readonly time: number;
  /** Milliseconds that the app or the OS had been up. */
  readonly uptime: number;
  readonly trap: string | null;
  readonly exitCode: number | null;
  readonly stack: readonly StackFrame[];
  readonly log: readonly string[];
  /** Of a real-time core, or of an app's memory, by name, with 0x; null: neither was told. */
  readonly registers: Readonly<Record<string, string>> | null;
  /** Bytes that its manifest lets go, in hexadecimal, from an address on; null: none. */
  readonly memory: { readonly address: number; readonly bytes: string } | null;
}

/** Failures that have one cause, over all devices of a tenant. Times in ms since 1970. */
export interface ErrorGroup {
  readonly groupId: string;
  readonly tenantId: string | null;
  readonly fingerprint: string;
  readonly title: string;
  readonly kind: ErrorReport['kind'];
  readonly componentId: string;
  readonly state: ErrorGroupState;
  /** Failures, those that a device counted into one report included. */
  readonly count: number;
  readonly deviceCount: number;
  readonly firstSeen: number;
  readonly lastSeen: number;
  /** Most recent first, at most ten. */
  readonly osVersions: readonly string[];
  readonly images: readonly ErrorGroupImage[];
  readonly fixedImageId: string | null;
  readonly fixedAt: number | null;
  readonly example: ErrorExample;
}

/** How one build takes part in a group. */
interface ErrorGroupImage {
  readonly imageId: string;
  readonly count: number;
  readonly firstSeen: number;
  readonly lastSeen: number;
}
