import {
  bytesArgument,
  choiceArgument,
  encodeBootRecord,
  type CallImplementation,
  type PortValue,
} from '@sevenfold/formats';
import type { Chip } from './chip.ts';
import type { RomHandover } from './rom.ts';

/** Longest message that one engine call takes: a whole flash. */
export const MESSAGE = { max: 16 * 1024 * 1024 } as const;

/** Starts the next stage from its verified bundle: the board's part of a hardware port. */
export type StartStage = (bundle: Uint8Array) => Promise<void>;

/** Who calls at a hardware port is known by the port itself: the board hands each to one stage. */
export const anyCaller = (): boolean => true;

/** `startStage` for the one stage that may follow. */
export function starts(stage: string, startStage: StartStage): CallImplementation {
  return async ([name, bundle]) => {
    choiceArgument(name, 'stage', [stage]);
    await startStage(bytesArgument(bundle, 'bundle', MESSAGE));
    return null;
  };
}

/** What `bootSelection` tells: how the ROM came here. */
export const selectionOf = (chip: Chip, { selection, report, provided }: RomHandover): PortValue => ({
  config: selection.config,
  trial: selection.trial,
  record: encodeBootRecord(selection.record),
  stages: report.stages,
  failures: report.failures,
  resetReason: chip.resetReason,
  provided: provided.map((abi) => ({ ...abi })),
});
