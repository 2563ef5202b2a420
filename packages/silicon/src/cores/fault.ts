/** Ways in which an instruction fails; the names are those of the bits in CFSR and DFSR. */
export type FaultName =
  | 'IACCVIOL'
  | 'DACCVIOL'
  | 'MUNSTKERR'
  | 'MSTKERR'
  | 'MLSPERR'
  | 'IBUSERR'
  | 'PRECISERR'
  | 'UNSTKERR'
  | 'STKERR'
  | 'LSPERR'
  | 'UNDEFINSTR'
  | 'INVSTATE'
  | 'INVPC'
  | 'NOCP'
  | 'UNALIGNED'
  | 'DIVBYZERO'
  | 'BKPT';

/** Thrown through an instruction that cannot go on: the guest's fault, never the host's. */
export class CoreFault {
  readonly name: FaultName;
  /** What BFAR or MMFAR will tell. */
  readonly address: number | null;

  constructor(name: FaultName, address: number | null = null) {
    this.name = name;
    this.address = address;
  }
}

/** Thrown out of an instruction before an access that a debugger stops at: it has not been executed. */
export class WatchedAccess {
  readonly address: number;

  constructor(address: number) {
    this.address = address;
  }
}
