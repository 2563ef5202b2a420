import type { StageName } from '@sevenfold/formats';

/** What a stage's thread is started with. */
export interface StageWorkerData {
  readonly stage: StageName;
  readonly bundle: Uint8Array;
  readonly ports: readonly string[];
  readonly clockOffset: number;
}

/** Targets of a link that address the thread itself and no port or caller of the stage. */
export const CONTROL = '$thread';
