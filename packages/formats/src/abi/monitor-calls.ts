import type { ArgumentRule, CallRow } from './argument-rules.ts';
import { FLASH_MAP } from './flash-map.ts';
import { SYSTEM_IMAGE_TYPES } from './image-types.ts';
import {
  NORMAL_WORLD_COUNTERS,
  MOST_BOX,
  MOST_SEALED,
  PLUTON_COMMANDS,
  SEAL_POLICIES,
} from './pluton-commands.ts';

/**
 * One call of the Security Monitor. `when`: `settled` is refused while a system is on trial or waits for its restart,
 * `running` before the OS services are measured. `errors`: what it is refused with, beside `CallerNotAllowed`,
 * `UnknownCall`, `BadArgument`, the refusals that `when` brings, and power or hardware failing; `an image’s`: what an
 * image is refused for, `a document’s`: what the parser of a capability refuses, `a program’s`: what an app is refused for
 * that is none for a real-time core.
 */
export interface MonitorCallRow extends CallRow {
  readonly args: readonly ArgumentRule[];
  readonly when: 'any' | 'settled' | 'running';
  readonly errors: readonly string[];
}

/** Images that can be staged at a time: as many as a device can have, one of each type of the system, and apps. */
export const MOST_STAGINGS = SYSTEM_IMAGE_TYPES.length + FLASH_MAP.applications.most;
/** Longest record in bytes. */
export const MOST_RECORD = 3800;
/** Longest content of one component in mutable storage, in bytes. */
export const MOST_MUTABLE = 65_536;

const COMPONENT_ID = { kind: 'guid', name: 'componentId' } as const;
const STAGING_ID = { kind: 'uint', name: 'stagingId', max: 0xffff_ffff } as const;
const RECORD_ID = { kind: 'uint', name: 'id', max: 0xffff_ffff } as const;
const LABEL = { kind: 'text', name: 'label', max: 64 } as const;

/**
 * The Security Monitor's whole interface: thirty calls, for the kernel alone. Its dispatcher obeys this table and nothing
 * else; `docs/monitor.md` explains it.
 */
export const MONITOR_CALLS = {
  identity: { args: [], returns: 'as Pluton', when: 'any', errors: [] },
  bootInfo: {
    args: [],
    returns:
      '{resetReason, trial: boolean, stages: [{imageType, slot, imageId, componentId, name, digest, securityVersion}], failures: [{imageType, slot, code, message}], fellBack: null | {imageIds: [string]}, left: [[string]], capabilities: [string], busFaults: {count, newest: [{master, region, address, access}]}}; busFaults: accesses that the firewall stopped since reset; fellBack: what the last failed trial left, until another system is committed; left: what every failed trial left, the newest first; capabilities: what this device is unlocked for until reset',
    when: 'any',
    errors: [],
  },
  loadServices: {
    args: [],
    returns: 'bytes: the services stage bundle, verified and measured',
    when: 'any',
    errors: ['NoBootableImage'],
  },
  loadFile: {
    args: [{ kind: 'choice', name: 'name', of: ['certStore', 'compartment'] }],
    returns:
      'bytes: content of the UpdateCertStore; the compartment program of the running kernel image: verified',
    when: 'any',
    errors: [],
  },
  listImages: {
    args: [],
    returns:
      '[{imageType, slot, imageId, componentId, name, digest, size, securityVersion, state: "active"|"backup"|"staged"}]',
    when: 'any',
    errors: [],
  },
  loadApplication: {
    args: [COMPONENT_ID],
    returns: 'bytes: the whole image package, verified now',
    when: 'any',
    errors: ['NoSuchComponent', 'NoBootableImage', 'ImageIdentityInconsistency', 'an image’s'],
  },
  realTimeApp: {
    args: [COMPONENT_ID, { kind: 'choice', name: 'action', of: ['start', 'stop', 'status'] }],
    returns:
      '{core: 0 | 1, and as coreStatus of the hardware}; started from its verified image, with the peripherals that its manifest names',
    when: 'any',
    errors: [
      'NoSuchComponent',
      'NoBootableImage',
      'NoCoreAvailable',
      'ImageIdentityInconsistency',
      'FirewallLocked',
      'an image’s',
      'a program’s',
    ],
  },
  stageBegin: {
    args: [
      {
        kind: 'record',
        name: 'image',
        fields: [
          { kind: 'uint', name: 'imageType', max: 0xffff },
          COMPONENT_ID,
          { kind: 'guid', name: 'imageId' },
          { kind: 'uint', name: 'size', min: 1, max: 0xffff_ffff },
          { kind: 'bytes', name: 'digest', min: 32, max: 32 },
        ],
      },
    ],
    returns: '{stagingId: number, written: number}: if the same image was begun before, go on from `written`',
    when: 'any',
    errors: [
      'UnsupportedImageType',
      'ImageIdentityInconsistency',
      'ImageTooLarge',
      'NotEnoughFreeSpace',
      'TooManyStagings',
      'TrialInProgress',
      'RestartRequired',
    ],
  },
  stageWrite: {
    args: [
      STAGING_ID,
      // At most what is written already.
      { kind: 'uint', name: 'offset', max: 0xffff_ffff },
      { kind: 'bytes', name: 'bytes', min: 0, max: 65_536 },
    ],
    returns: 'null; in order; bytes already written may be written again if they are the same',
    when: 'any',
    errors: ['NoSuchStaging', 'StagingFinished', 'StagingGap', 'StagingConflict', 'ImageTooLarge'],
  },
  stageFinish: {
    args: [STAGING_ID],
    returns: 'null; verified by digest and signature, or refused and erased',
    when: 'any',
    errors: [
      'NoSuchStaging',
      'StagingIncomplete',
      'DigestMismatch',
      'ImageIdentityInconsistency',
      'an image’s',
    ],
  },
  stageAbort: { args: [STAGING_ID], returns: 'null', when: 'any', errors: ['NoSuchStaging'] },
  commit: {
    args: [
      { kind: 'list', name: 'stagingIds', most: MOST_STAGINGS, of: STAGING_ID },
      { kind: 'list', name: 'removeComponentIds', most: FLASH_MAP.applications.most, of: COMPONENT_ID },
    ],
    returns: '{restartRequired: boolean}; all or nothing',
    when: 'settled',
    errors: [
      'NoSuchStaging',
      'StagingNotFinished',
      'NoSuchComponent',
      'NotEnoughFreeSpace',
      'AbiNotProvided',
      'KeystoreLocksOut',
      'TrialInProgress',
      'RestartRequired',
    ],
  },
  confirmHealthy: {
    args: [],
    returns: 'null; ends a trial, then raises security versions',
    when: 'any',
    errors: [],
  },
  restart: { args: [], returns: 'null; the device resets', when: 'any', errors: [] },
  recordAppend: {
    args: [{ kind: 'bytes', name: 'record', min: 0, max: MOST_RECORD }],
    returns: 'number: record id',
    when: 'any',
    errors: ['RecordsFull'],
  },
  recordList: {
    args: [{ kind: 'uint', name: 'most', max: 1024 }],
    returns: '[{id: number, record: bytes}] oldest first',
    when: 'any',
    errors: [],
  },
  recordRemove: {
    args: [{ kind: 'list', name: 'ids', most: 1024, of: RECORD_ID }],
    returns: 'null',
    when: 'any',
    errors: [],
  },
  mutableRead: { args: [COMPONENT_ID], returns: 'bytes | null', when: 'any', errors: ['HardwareFault'] },
  mutableWrite: {
    args: [COMPONENT_ID, { kind: 'optionalBytes', name: 'bytes', min: 0, max: MOST_MUTABLE }],
    returns: 'boolean: there was a content before; atomic; null: there is none any more',
    when: 'any',
    errors: ['StorageFull', 'CapabilityRefused', 'a document’s'],
  },
  watchdogKick: {
    args: [{ kind: 'uint', name: 'milliseconds', min: 1, max: 600_000 }],
    returns: 'null; reset unless kicked again within that time',
    when: 'any',
    errors: [],
  },
  attest: {
    args: PLUTON_COMMANDS.attest.args,
    returns: 'as Pluton',
    when: 'running',
    errors: ['EntropyFailure'],
  },
  verifySigned: {
    args: [
      { kind: 'choice', name: 'use', of: ['plan'] },
      { kind: 'bytes', name: 'message', min: 0, max: 65_536 },
      { kind: 'bytes', name: 'signature', min: 64, max: 64 },
      { kind: 'bytes', name: 'keyId', min: 20, max: 20 },
    ],
    returns: 'as Pluton; only use "plan"',
    when: 'any',
    errors: [],
  },
  createSessionKey: {
    args: PLUTON_COMMANDS.createSessionKey.args,
    returns: 'as Pluton',
    when: 'running',
    errors: ['EntropyFailure', 'KeySlotsFull', 'NotABox', 'PolicyNotMet', 'NotAuthentic'],
  },
  signWithSessionKey: {
    args: PLUTON_COMMANDS.signWithSessionKey.args,
    returns: 'as Pluton',
    when: 'running',
    errors: ['NoSuchKey'],
  },
  exportSessionKey: {
    args: PLUTON_COMMANDS.exportSessionKey.args,
    returns: 'as Pluton',
    when: 'running',
    errors: ['NoSuchKey'],
  },
  seal: {
    args: [
      { kind: 'choice', name: 'policy', of: SEAL_POLICIES },
      LABEL,
      { kind: 'bytes', name: 'bytes', min: 0, max: MOST_SEALED },
    ],
    returns: 'bytes: as Pluton, for the normal world under this label',
    when: 'any',
    errors: ['EntropyFailure'],
  },
  unseal: {
    args: [LABEL, { kind: 'bytes', name: 'box', min: 1, max: MOST_BOX }],
    returns: 'as Pluton: what the normal world sealed under this label',
    when: 'any',
    errors: ['NotABox', 'PolicyNotMet', 'NotAuthentic'],
  },
  counter: {
    args: [
      { kind: 'choice', name: 'name', of: NORMAL_WORLD_COUNTERS },
      { kind: 'flag', name: 'increment' },
    ],
    returns: 'number: its value, which never goes back',
    when: 'any',
    errors: ['CounterTooFast', 'CountersExhausted', 'StateUnwritable'],
  },
  sha256: { args: PLUTON_COMMANDS.sha256.args, returns: 'as Pluton', when: 'any', errors: [] },
  random: {
    args: [{ kind: 'uint', name: 'length', max: 256 }],
    returns: 'as Pluton',
    when: 'any',
    errors: ['EntropyFailure'],
  },
} as const satisfies Readonly<Record<string, MonitorCallRow>>;
