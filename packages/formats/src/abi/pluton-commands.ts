import { MOST_CAPABILITY_BYTES } from '../device-capability.ts';
import type { ArgumentRule, CallRow } from './argument-rules.ts';

/**
 * Pluton's mailbox: every command, the sizes of its arguments, the states in which it is allowed, and what it may be
 * refused with. The runtime answers by this table and nothing else; `docs/pluton.md` explains it.
 */

/**
 * Where a boot stands: `booting` from the start of the Security Monitor, which is verified and measured by then;
 * `running` as soon as the OS services are measured as well, after which nothing else is until reset. Before the
 * monitor is measured no command is allowed at all.
 */
export type BootPhase = 'booting' | 'running';
/** Manufacturing states, as the fuses tell them. */
export type Lifecycle = 'Blank' | 'Module1Complete' | 'DeviceComplete';

/** One command. */
export interface CommandRow extends CallRow {
  readonly args: readonly ArgumentRule[];
  readonly phases: readonly BootPhase[];
  readonly lifecycles: readonly Lifecycle[];
  /** What it is refused with beside CallerNotAllowed, UnknownCall, BadArgument, WrongPhase and WrongLifecycle. */
  readonly errors: readonly string[];
}
export type CommandTable = Readonly<Record<string, CommandRow>>;

const ANY_PHASE = ['booting', 'running'] as const;
const RUNNING = ['running'] as const;
const ANY_LIFECYCLE = ['Blank', 'Module1Complete', 'DeviceComplete'] as const;
/** A blank chip is on the silicon maker's test bench: what it does there must leave no trace in its fuses. */
const IN_A_PRODUCT = ['Module1Complete', 'DeviceComplete'] as const;

const LARGEST_PACKAGE = 2 * 1024 * 1024;
const LARGEST_MESSAGE = 64 * 1024;
/** Longest text that one box holds. */
export const MOST_SEALED = 32 * 1024;
/** What a box needs beside its text: policy, salt, tag. */
const BOX_OVERHEAD = 1024;
/** Longest box in bytes. */
export const MOST_BOX = MOST_SEALED + BOX_OVERHEAD;
/** Longest name of whoever owns sealed bytes. */
const MOST_OWNER = 96;

/** How a box is locked: to exactly this software, or to any that the same signers release and that is not older. */
export const SEAL_POLICIES = ['measured', 'authorised'] as const;
export type SealPolicy = (typeof SEAL_POLICIES)[number];

/** Pluton's monotonic counters, by whom each is for. Their order is that of the record in flash. */
export const COUNTERS = ['monitor', 'capabilities', 'kernel', 'services'] as const;
export type CounterName = (typeof COUNTERS)[number];
/** Those of the normal world. */
export const NORMAL_WORLD_COUNTERS = ['kernel', 'services'] as const satisfies readonly CounterName[];

/** Pluton's mailbox: only the Security Monitor may call. */
export const PLUTON_COMMANDS = {
  identity: {
    args: [],
    returns: '{deviceId, spki, chipSku, manufacturingState}',
    phases: ANY_PHASE,
    lifecycles: ANY_LIFECYCLE,
    errors: [],
  },
  verifyImage: {
    args: [
      { kind: 'bytes', name: 'package', min: 0, max: LARGEST_PACKAGE },
      { kind: 'uint', name: 'imageType', max: 0xffff },
      { kind: 'flag', name: 'measure' },
    ],
    returns: '{imageId, componentId, name, digest: bytes32, signerId: bytes32, securityVersion}',
    phases: ANY_PHASE,
    lifecycles: ANY_LIFECYCLE,
    errors: ['FormatError', 'ImageRefused', 'MeasurementsClosed'],
  },
  attest: {
    args: [{ kind: 'bytes', name: 'challenge', min: 32, max: 32 }],
    returns: 'bytes: PSA token, COSE_Sign1',
    phases: RUNNING,
    lifecycles: ANY_LIFECYCLE,
    errors: ['EntropyFailure'],
  },
  verifySigned: {
    args: [
      { kind: 'text', name: 'use', max: 64 },
      { kind: 'bytes', name: 'message', min: 0, max: LARGEST_MESSAGE },
      { kind: 'bytes', name: 'signature', min: 64, max: 64 },
      { kind: 'bytes', name: 'keyId', min: 20, max: 20 },
    ],
    returns: 'boolean: signed by a keystore key that has this use',
    phases: ANY_PHASE,
    lifecycles: ANY_LIFECYCLE,
    errors: [],
  },
  openCapability: {
    args: [
      { kind: 'bytes', name: 'file', min: 1, max: MOST_CAPABILITY_BYTES },
      { kind: 'flag', name: 'inForce' },
    ],
    returns: '[string]: what the file enables on this device; inForce: measured, and held until reset',
    phases: ANY_PHASE,
    lifecycles: ANY_LIFECYCLE,
    errors: ['FormatError', 'CapabilityRefused', 'MeasurementsClosed'],
  },
  createSessionKey: {
    args: [{ kind: 'optionalBytes', name: 'ticket', min: 1, max: BOX_OVERHEAD }],
    returns:
      '{keyId: number, spki: bytes, ticket: bytes}: a new pair, or the one of the ticket, which this very software on this very chip alone gets back',
    phases: RUNNING,
    lifecycles: ANY_LIFECYCLE,
    errors: ['EntropyFailure', 'KeySlotsFull', 'NotABox', 'PolicyNotMet', 'NotAuthentic'],
  },
  signWithSessionKey: {
    args: [
      { kind: 'uint', name: 'keyId', max: 255 },
      { kind: 'bytes', name: 'message', min: 0, max: LARGEST_MESSAGE },
    ],
    returns: 'bytes64: r‖s over SHA-256 of message',
    phases: RUNNING,
    lifecycles: ANY_LIFECYCLE,
    errors: ['NoSuchKey'],
  },
  exportSessionKey: {
    args: [{ kind: 'uint', name: 'keyId', max: 255 }],
    returns: 'bytes: PKCS#8; the slot is emptied',
    phases: RUNNING,
    lifecycles: ANY_LIFECYCLE,
    errors: ['NoSuchKey'],
  },
  generalKey: {
    args: [],
    returns: 'bytes: SPKI of the general key',
    phases: ANY_PHASE,
    lifecycles: ANY_LIFECYCLE,
    errors: [],
  },
  attestGeneralKey: {
    args: [{ kind: 'bytes', name: 'challenge', min: 32, max: 32 }],
    returns:
      '{spki: bytes, token: bytes}: as `attest`, over the challenge followed by SHA-256 of the general key’s SPKI',
    phases: RUNNING,
    lifecycles: ANY_LIFECYCLE,
    errors: ['EntropyFailure'],
  },
  signRecord: {
    args: [{ kind: 'bytes', name: 'record', min: 1, max: LARGEST_MESSAGE }],
    returns: 'bytes64: r‖s by the general key over a prefix and the record',
    phases: RUNNING,
    lifecycles: IN_A_PRODUCT,
    errors: [],
  },
  openDelivery: {
    args: [
      { kind: 'bytes', name: 'ephemeral', min: 1, max: 128 },
      { kind: 'bytes', name: 'context', min: 0, max: 256 },
      { kind: 'bytes', name: 'box', min: 28, max: MOST_SEALED },
    ],
    returns: 'bytes: what somebody sealed to the general key',
    phases: ANY_PHASE,
    lifecycles: IN_A_PRODUCT,
    errors: ['BadArgument', 'NotAuthentic'],
  },
  seal: {
    args: [
      { kind: 'choice', name: 'policy', of: SEAL_POLICIES },
      { kind: 'text', name: 'owner', max: MOST_OWNER },
      { kind: 'bytes', name: 'plaintext', min: 0, max: MOST_SEALED },
    ],
    returns: 'bytes: a box that opens on this chip, for this owner, while its policy holds',
    phases: ANY_PHASE,
    lifecycles: ANY_LIFECYCLE,
    errors: ['EntropyFailure'],
  },
  unseal: {
    args: [
      { kind: 'text', name: 'owner', max: MOST_OWNER },
      { kind: 'bytes', name: 'box', min: 1, max: MOST_BOX },
    ],
    returns: 'bytes: the plaintext',
    phases: ANY_PHASE,
    lifecycles: ANY_LIFECYCLE,
    errors: ['NotABox', 'PolicyNotMet', 'NotAuthentic'],
  },
  counter: {
    args: [
      { kind: 'choice', name: 'name', of: COUNTERS },
      { kind: 'flag', name: 'increment' },
    ],
    returns: 'number: its value; once told, no lower one is ever told again',
    phases: ANY_PHASE,
    lifecycles: IN_A_PRODUCT,
    errors: ['CounterTooFast', 'CountersExhausted', 'StateUnwritable'],
  },
  anchorCounters: {
    args: [],
    returns: 'null; what was counted so far cannot be undone any more, not even by who replaces the flash',
    phases: ANY_PHASE,
    lifecycles: ANY_LIFECYCLE,
    errors: ['CountersExhausted', 'StateUnwritable'],
  },
  sha256: {
    args: [{ kind: 'bytes', name: 'message', min: 0, max: LARGEST_PACKAGE }],
    returns: 'bytes32',
    phases: ANY_PHASE,
    lifecycles: ANY_LIFECYCLE,
    errors: [],
  },
  random: {
    args: [
      { kind: 'uint', name: 'length', max: 256 },
      { kind: 'flag', name: 'fresh' },
    ],
    returns: 'bytes; fresh: new entropy goes in first (prediction resistance)',
    phases: ANY_PHASE,
    lifecycles: ANY_LIFECYCLE,
    errors: ['EntropyFailure'],
  },
  raiseSecurityVersion: {
    args: [
      { kind: 'uint', name: 'imageType', max: 0xffff },
      { kind: 'uint', name: 'version', max: Number.MAX_SAFE_INTEGER },
    ],
    returns: 'null',
    phases: ANY_PHASE,
    lifecycles: ANY_LIFECYCLE,
    errors: ['VersionNotRunning'],
  },
  measurements: {
    args: [],
    returns: '[{imageType, name, digest, signerId, securityVersion}]',
    phases: ANY_PHASE,
    lifecycles: ANY_LIFECYCLE,
    errors: [],
  },
  bootReport: {
    args: [],
    returns:
      '{config: "current" | "fallback", trial: boolean, resetReason, stages: [as bootInfo], failures: [as bootInfo]}: how ROM and Pluton came here',
    phases: ANY_PHASE,
    lifecycles: ANY_LIFECYCLE,
    errors: [],
  },
} as const satisfies CommandTable;
