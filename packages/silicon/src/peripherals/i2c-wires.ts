/** Bytes that each FIFO of a unit holds. */
export const I2C_FIFO = 8;
/** Pointers into FIFOs begin at 0 with each transfer that finds its FIFO empty. */
const POINTER = 0xf;

/** A FIFO's read and write pointers as its register shows them: so many were taken, so many wait. */
export const pointers = (taken: number, waiting: number): number =>
  (taken & POINTER) | (((taken + waiting) & POINTER) << 4);

/** A part on an I2C bus, as the wires see it. */
export interface I2cDevice {
  /** 7 bits. */
  readonly address: number;
  /** START and its address: does it answer? `hold`: it pulls SCL low and does not let go. */
  start(direction: 'read' | 'write'): 'ack' | 'nack' | 'hold';
  /** A byte for it; whether it acknowledged. */
  write(byte: number): boolean;
  read(): number;
  stop(): void;
}
