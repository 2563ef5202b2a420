import { SiliconError } from '../errors.ts';
import type { CodeIndex } from './code-index.ts';
import { CoreFault } from './fault.ts';
import type { AccessSize } from './ir.ts';
import type { CoreMemory } from './memory.ts';
import { GRANULE, type Mpu } from './mpu.ts';
import type { Nvic } from './nvic.ts';
import { offsetOf, XIP_OFFSET } from './state.ts';
import type { SystemControl } from './system-control.ts';

/**
 * What lies outside a core: peripherals and other memories, behind the firewalls. An access that is not let through
 * throws `SiliconError` with `BusFault`; the core takes a precise bus fault.
 */
export interface CoreBus {
  /** Answers the value, zero-extended. */
  readonly read: (address: number, size: AccessSize) => number;
  readonly write: (address: number, size: AccessSize, value: number) => void;
}

/** What accesses go to. */
export interface AccessParts {
  readonly memory: CoreMemory;
  readonly bus: CoreBus;
  readonly index: CodeIndex;
  readonly mpu: Mpu;
  readonly nvic: Nvic;
  readonly scs: SystemControl;
}

/** CCR.UNALIGN_TRP. */
const UNALIGN_TRP = 8;
/** Memory by the default map of addresses (B3.1): what lies there takes unaligned accesses (A3.2.1). */
const isMemory = (address: number): boolean => address >>> 28 >= 6 && address >>> 28 <= 9;
const isPrivateBus = (address: number): boolean => address >>> 20 === 0xe00;

/** Every access of a core that is not a plain one to its TCM: checked, and sent where it belongs (A3.2, B3.1). */
export class CoreAccess {
  readonly #parts: AccessParts;
  readonly #onSideEffect: () => void;

  /** `onSideEffect` is called when a store has changed more than memory. */
  constructor(parts: AccessParts, onSideEffect: () => void) {
    this.#parts = parts;
    this.#onSideEffect = onSideEffect;
  }

  /** A value, zero-extended. Throws `CoreFault`. */
  load(address: number, size: AccessSize, isPrivileged: boolean): number {
    const { memory, bus, scs } = this.#parts;
    const offset = offsetOfAll(address, size);
    this.#checkAlignment(address, size, offset);
    this.#checkRights(address, size, { access: 'read', isPrivileged });
    if (offset >= 0) return memory.get(offset, size);
    if (isPrivateBus(address)) {
      const value = isPrivileged ? scs.read(address, size) : null;
      if (value === null) throw new CoreFault('PRECISERR', address);
      return value;
    }
    if ((address & (size - 1)) === 0) return onBus(address, () => bus.read(address >>> 0, size));
    let value = 0;
    for (let index = 0; index < size; index++)
      value |= onBus(address, () => bus.read((address + index) >>> 0, 1)) << (8 * index);
    return value;
  }

  /** Throws `CoreFault`. */
  store(
    address: number,
    { size, value, isPrivileged }: { size: AccessSize; value: number; isPrivileged: boolean },
  ): void {
    const { memory, bus, scs, index } = this.#parts;
    const offset = offsetOfAll(address, size);
    this.#checkAlignment(address, size, offset);
    this.#checkRights(address, size, { access: 'write', isPrivileged });
    if (offset >= XIP_OFFSET) throw new CoreFault('PRECISERR', address);
    if (offset >= 0) {
      if (memory.isMarked(offset) && index.overwrite(offset, size, true)) this.#onSideEffect();
      memory.put(offset, size, value);
      return;
    }
    if (isPrivateBus(address)) {
      if (!isPrivileged || !scs.write(address, size, value)) throw new CoreFault('PRECISERR', address);
    } else {
      const masked = size === 4 ? value >>> 0 : value & (size === 2 ? 0xffff : 0xff);
      if ((address & (size - 1)) === 0) onBus(address, () => bus.write(address >>> 0, size, masked));
      else {
        for (let index = 0; index < size; index++)
          onBus(address, () => bus.write((address + index) >>> 0, 1, (masked >>> (8 * index)) & 0xff));
      }
    }
    this.#onSideEffect();
  }

  /** Throws where an instruction may not be fetched (B3.1, B3.5). */
  checkFetch(address: number, isPrivileged: boolean): void {
    const top = address >>> 28;
    if (top === 4 || top === 5 || top >= 0xa) throw new CoreFault('IACCVIOL');
    const { mpu, nvic } = this.#parts;
    if (!mpu.isEnabled) return;
    const rights = { isPrivileged, isNegative: nvic.isNegative };
    if (!mpu.allows(address, 'execute', rights)) throw new CoreFault('IACCVIOL');
  }

  /** Whether every instruction from one address up to another may be fetched. */
  canFetchAll(address: number, end: number, isPrivileged: boolean): boolean {
    const { mpu, nvic } = this.#parts;
    if (!mpu.isEnabled) return true;
    const rights = { isPrivileged, isNegative: nvic.isNegative };
    for (let at = address; at < end; at += GRANULE) if (!mpu.allows(at, 'execute', rights)) return false;
    return mpu.allows(end - 1, 'execute', rights);
  }

  #checkRights(
    address: number,
    size: AccessSize,
    { access, isPrivileged }: { access: 'read' | 'write'; isPrivileged: boolean },
  ): void {
    const { mpu, nvic } = this.#parts;
    if (!mpu.isEnabled || isPrivateBus(address)) return;
    const rights = { isPrivileged, isNegative: nvic.isNegative };
    for (const at of size === 1 ? [address] : [address, (address + size - 1) | 0]) {
      if (!mpu.allows(at, access, rights)) throw new CoreFault('DACCVIOL', address);
    }
  }

  #checkAlignment(address: number, size: AccessSize, offset: number): void {
    if ((address & (size - 1)) === 0) return;
    // Unaligned accesses are for normal memory alone.
    const isNormal = offset >= 0 || isMemory(address);
    if (!isNormal || this.#parts.scs.ccr & UNALIGN_TRP) throw new CoreFault('UNALIGNED');
  }
}

/** Where all bytes of an access lie from `TCM_AT` on, or -1. */
function offsetOfAll(address: number, size: AccessSize): number {
  const offset = offsetOf(address);
  const isWhole = size === 1 || offsetOf((address + size - 1) | 0) === offset + size - 1;
  return offset >= 0 && isWhole ? offset : -1;
}

function onBus<T>(address: number, access: () => T): T {
  try {
    return access();
  } catch (error) {
    if (error instanceof SiliconError && error.code === 'BusFault') throw new CoreFault('PRECISERR', address);
    throw error;
  }
}
