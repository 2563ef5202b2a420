/** Regions of this core's MPU. */
const MPU_REGIONS = 8;

interface Region {
  /** RBAR.ADDR. */
  base: number;
  /** RASR as written. */
  attributes: number;
}

/** AP of RASR: what privileged and unprivileged code may do. Bit 0 read, bit 1 write. */
const PRIVILEGED = [0, 3, 3, 3, 0, 1, 1, 1];
const UNPRIVILEGED = [0, 0, 1, 3, 0, 0, 1, 1];

/** Regions and their parts are made of so many bytes: within them rights are the same. */
export const GRANULE = 32;
/** Granules whose rights are remembered. */
const REMEMBERED = 1024;
const RIGHTS = { read: 1, write: 2, execute: 4 } as const;

/** The memory protection unit (B3.5): eight regions, the highest that fits decides. */
export class Mpu {
  #control = 0;
  selected = 0;
  readonly #regions: Region[] = Array.from({ length: MPU_REGIONS }, () => ({ base: 0, attributes: 0 }));
  /** Rights as found, each in the place that its granule and privilege have, until a register is written. */
  readonly #known = new Int32Array(REMEMBERED).fill(-1);
  readonly #rights = new Uint8Array(REMEMBERED);

  reset(): void {
    this.control = 0;
    this.selected = 0;
    for (const region of this.#regions) {
      region.base = 0;
      region.attributes = 0;
    }
  }

  /** MPU_CTRL: bit 0 ENABLE, bit 1 HFNMIENA, bit 2 PRIVDEFENA. */
  get control(): number {
    return this.#control;
  }

  set control(value: number) {
    this.#control = value;
    this.#known.fill(-1);
  }

  get isEnabled(): boolean {
    return (this.#control & 1) !== 0;
  }

  get rbar(): number {
    return (this.#regions[this.selected]?.base ?? 0) | this.selected;
  }

  set rbar(value: number) {
    // VALID: the write also chooses the region.
    if (value & 0x10) this.selected = value & (MPU_REGIONS - 1);
    const region = this.#regions[this.selected];
    if (region) region.base = value & ~0x1f;
    this.#known.fill(-1);
  }

  get rasr(): number {
    return this.#regions[this.selected]?.attributes ?? 0;
  }

  set rasr(value: number) {
    const region = this.#regions[this.selected];
    if (region) region.attributes = value & 0x173f_ff3f;
    this.#known.fill(-1);
  }

  /** Whether an access to one byte is allowed. `isNegative`: the execution priority is below 0. */
  allows(
    address: number,
    access: 'read' | 'write' | 'execute',
    { isPrivileged, isNegative }: { readonly isPrivileged: boolean; readonly isNegative: boolean },
  ): boolean {
    if (!this.isEnabled || (isNegative && (this.#control & 2) === 0)) return true;
    const granule = 2 * Math.floor((address >>> 0) / GRANULE) + Number(isPrivileged);
    const place = granule % REMEMBERED;
    if (this.#known[place] !== granule) {
      this.#known[place] = granule;
      this.#rights[place] = this.#rightsAt(address, isPrivileged);
    }
    return ((this.#rights[place] ?? 0) & RIGHTS[access]) !== 0;
  }

  #rightsAt(address: number, isPrivileged: boolean): number {
    for (let index = MPU_REGIONS - 1; index >= 0; index--) {
      const region = this.#regions[index];
      if (!region || (region.attributes & 1) === 0 || !contains(region, address)) continue;
      const permission = (region.attributes >>> 24) & 7;
      const rights = (isPrivileged ? PRIVILEGED : UNPRIVILEGED)[permission] ?? 0;
      const isExecutable = (rights & RIGHTS.read) !== 0 && (region.attributes & 0x1000_0000) === 0;
      return rights | (isExecutable ? RIGHTS.execute : 0);
    }
    return isPrivileged && (this.#control & 4) !== 0 ? RIGHTS.read | RIGHTS.write | RIGHTS.execute : 0;
  }
}

function contains({ base, attributes }: Region, address: number): boolean {
  const exponent = ((attributes >>> 1) & 0x1f) + 1;
  if (exponent < 5) return false;
  if (exponent === 32) return isInSubregion(attributes, address >>> 29);
  const size = 2 ** exponent;
  const first = (base & -size) >>> 0;
  const offset = (address >>> 0) - first;
  if (offset < 0 || offset >= size) return false;
  // Regions of 256 bytes and more have eight parts that can be taken out.
  return exponent < 8 || isInSubregion(attributes, Math.floor(offset / (size / 8)));
}

const isInSubregion = (attributes: number, part: number): boolean => ((attributes >>> (8 + part)) & 1) === 0;
