import {
  ASSIGNABLE_REGIONS,
  booleanArgument,
  bytesArgument,
  choiceArgument,
  listArgument,
  recordArgument,
  uintArgument,
  type CallImplementation,
  type PortValue,
} from '@sevenfold/formats';
import type { Chip } from '../chip.ts';
import { SiliconError } from '../errors.ts';
import type { ChipCore } from './chip-core.ts';
import { TICKS_PER_SECOND } from './core-clock.ts';
import type { CoreFailure } from './core-failure.ts';
import { offsetOf, MEMORY_SIZE } from './state.ts';

const MOST_SEGMENTS = 16;
const MICROSECONDS = 1_000_000;

/** The part of `MONITOR_HARDWARE_CALLS` that loads, starts, stops and looks at real-time cores. */
export function realTimeCoreCalls(
  chip: Chip,
): Record<'assignRegions' | 'loadCore' | 'startCore' | 'stopCore' | 'coreStatus', CallImplementation> {
  const coreOf = (untrusted: PortValue | undefined): ChipCore => {
    const index = uintArgument(untrusted, 'core', { max: chip.realTimeCores.length - 1 });
    const core = chip.realTimeCores[index];
    if (core === undefined)
      throw new SiliconError('OutOfRange', `There is no core ${index}.`, { field: 'core' });
    return core;
  };
  return {
    assignRegions: ([core, regions]) => {
      chip.bus.check('secure', 'write', 'firewall');
      const { master } = coreOf(core);
      const most = ASSIGNABLE_REGIONS.length;
      const names = listArgument(regions, 'regions', most, (name, field) =>
        choiceArgument(name, field, ASSIGNABLE_REGIONS),
      );
      chip.assignRegions(master, names);
      return null;
    },
    loadCore: async ([core, untrusted, debuggable]) => {
      const target = coreOf(core);
      const segments = listArgument(untrusted, 'segments', MOST_SEGMENTS, segmentArgument);
      const isDebuggable = booleanArgument(debuggable, 'isDebuggable');
      await target.prepare(isDebuggable);
      target.clear(isDebuggable);
      for (const { address, bytes } of segments) target.load(address, bytes);
      return null;
    },
    startCore: ([core]) => {
      coreOf(core).start();
      return null;
    },
    stopCore: ([core]) => {
      coreOf(core).stop();
      return null;
    },
    coreStatus: ([core]) => {
      const { state, failure } = coreOf(core);
      return { state, failure: failure === null ? null : failureRecord(failure) };
    },
  };
}

/** Bytes that lie in one memory of a core as a whole. */
function segmentArgument(untrusted: PortValue, field: string): { address: number; bytes: Uint8Array } {
  const fields = recordArgument(untrusted, field, ['address', 'bytes']);
  const address = uintArgument(fields.address, `${field}.address`, { max: 0xffff_ffff });
  const bytes = bytesArgument(fields.bytes, `${field}.bytes`, { max: MEMORY_SIZE });
  const last = offsetOf(address + Math.max(1, bytes.length) - 1);
  if (offsetOf(address) < 0 || last - offsetOf(address) !== Math.max(1, bytes.length) - 1) {
    throw new SiliconError('OutOfRange', `${field} is in no memory of a real-time core.`, {
      field,
      rule: 'within TCM, SYSRAM or XIP',
    });
  }
  return { address, bytes };
}

const failureRecord = ({ time, ...failure }: CoreFailure): PortValue => ({
  ...failure,
  registers: [...failure.registers],
  note: failure.note === null ? null : { ...failure.note },
  microseconds: Math.floor((time * MICROSECONDS) / TICKS_PER_SECOND),
});
