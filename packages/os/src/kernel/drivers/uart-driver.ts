import {
  CRYSTAL_HZ,
  INTERRUPT_LINES,
  ISU_REGIONS,
  UART_BITS,
  UART_LCR_EFR,
  UART_OFFSET,
  UART_REGISTERS,
} from '@sevenfold/formats';
import type { Compartment } from '../compartments.ts';
import { KernelError } from '../errors.ts';
import { bytesOf, numberOf, operation, type BusOperation, type DriverBus } from './bus.ts';
import type { Ownership } from './ownership.ts';
import { unitAddress, unitName, wantedUnit } from './serial-unit.ts';

/** `UART_Config`: numbers as its enums have them. */
export interface UartSettings {
  readonly baudRate: number;
  /** 5 to 8. */
  readonly dataBits: number;
  readonly parity: 'none' | 'even' | 'odd';
  readonly stopBits: 1 | 2;
  readonly flowControl: 'none' | 'rtscts' | 'xonxoff';
}

export const BAUD_RATES = { min: 300, max: 3_000_000 } as const;
/** Bytes that wait in the kernel for an app; beyond that they wait, and at last are lost, in the chip. */
const MOST_WAITING = 4096;
/** Bytes pulled from the chip at a time. */
const CHUNK = 1024;
/** Most samples of one bit. */
const MOST_SAMPLES = 256;
const AUTO_FLOW = { none: 0, rtscts: 0xc0, xonxoff: 0x0a } as const;
const PARITY = { none: 0, even: 0x18, odd: 0x08 } as const;

interface OpenUart {
  received: Uint8Array;
  readonly waiting: (() => void)[];
  isClosed: boolean;
}

/** The UARTs: bytes come by interrupt and wait here until their app reads them. */
export class UartDriver {
  readonly #bus: DriverBus;
  readonly #ownership: Ownership;
  readonly #open = new Map<number, OpenUart>();

  constructor(bus: DriverBus, ownership: Ownership) {
    this.#bus = bus;
    this.#ownership = ownership;
  }

  async open(compartment: Compartment, unit: number, settings: UartSettings): Promise<null> {
    const state: OpenUart = { received: new Uint8Array(0), waiting: [], isClosed: false };
    await this.#ownership.open(
      compartment,
      wantedUnit(compartment, unit, 'UART'),
      async () => {
        this.#open.set(unit, state);
        await this.#bus.run(setUp(unit, settings));
      },
      async () => {
        state.isClosed = true;
        this.#open.delete(unit);
        wake(state);
        await this.#bus.run([
          operation.write(registerOf(unit, 'IER_DLM'), 0),
          operation.write(registerOf(unit, 'IIR_FCR_EFR'), UART_BITS.CLEAR_RX),
        ]);
      },
    );
    return null;
  }

  /** At most `most` bytes; waits for the first. */
  async read(compartment: Compartment, unit: number, most: number): Promise<Uint8Array> {
    const state = this.#state(compartment, unit);
    while (state.received.length === 0) {
      await new Promise<void>((resolve) => state.waiting.push(resolve));
      if (state.isClosed) throw new KernelError('NotOpen', `ISU${unit} has been closed.`);
    }
    const wasFull = state.received.length >= MOST_WAITING;
    const bytes = state.received.slice(0, most);
    state.received = state.received.slice(bytes.length);
    if (wasFull) await this.#enable(unit, UART_BITS.RX_INT);
    return bytes;
  }

  /** The number of bytes that the transmit FIFO took, perhaps 0. */
  async write(compartment: Compartment, unit: number, bytes: Uint8Array): Promise<number> {
    this.#state(compartment, unit);
    const hasRoom = {
      address: registerOf(unit, 'LSR_XON2'),
      mask: UART_BITS.THR_EMPTY,
      value: UART_BITS.THR_EMPTY,
    };
    const [count] = await this.#bus.run([operation.push(registerOf(unit, 'RBR_THR_DLL'), bytes, hasRoom, 0)]);
    return numberOf(count);
  }

  /** Resolves when the transmit FIFO has become empty, or takes bytes already. */
  async writable(compartment: Compartment, unit: number): Promise<null> {
    const state = this.#state(compartment, unit);
    const [status] = await this.#bus.run([operation.read(registerOf(unit, 'LSR_XON2'))]);
    if ((numberOf(status) & UART_BITS.THR_EMPTY) !== 0) return null;
    const woken = new Promise<void>((resolve) => state.waiting.push(resolve));
    await this.#enable(unit, UART_BITS.RX_INT | UART_BITS.THRE_INT);
    await woken;
    return null;
  }

  close(compartment: Compartment, unit: number): Promise<null> {
    return this.#ownership.close(compartment, unitName(unit, 'UART'));
  }

  /** Comes round after an interrupt: takes what arrived, and wakes who waits. */
  async interrupted(line: number): Promise<void> {
    const unit = ISU_REGIONS.findIndex((_region, index) => INTERRUPT_LINES.uart + 4 * index === line);
    if (unit < 0) return;
    const state = this.#open.get(unit);
    if (state === undefined) return this.#enable(unit, 0);
    const isFull = state.received.length >= MOST_WAITING;
    const hasData = {
      address: registerOf(unit, 'LSR_XON2'),
      mask: UART_BITS.DATA_READY,
      value: UART_BITS.DATA_READY,
    };
    const [, bytes] = await this.#bus.run([
      operation.read(registerOf(unit, 'IIR_FCR_EFR')),
      operation.pull(registerOf(unit, 'RBR_THR_DLL'), isFull ? 0 : CHUNK, hasData, 0),
      // Full: no more interrupts until the app has read.
      operation.write(registerOf(unit, 'IER_DLM'), isFull ? 0 : UART_BITS.RX_INT),
    ]);
    const arrived = bytesOf(bytes);
    const received = new Uint8Array(state.received.length + arrived.length);
    received.set(state.received);
    received.set(arrived, state.received.length);
    state.received = received;
    wake(state);
  }

  #state(compartment: Compartment, unit: number): OpenUart {
    this.#ownership.require(compartment, unitName(unit, 'UART'));
    const state = this.#open.get(unit);
    if (state === undefined) throw new KernelError('NotOpen', `ISU${unit} is not open.`);
    return state;
  }

  async #enable(unit: number, interrupts: number): Promise<void> {
    await this.#bus.run([operation.write(registerOf(unit, 'IER_DLM'), interrupts)]);
  }
}

function wake(state: OpenUart): void {
  for (const resume of state.waiting.splice(0)) resume();
}

function registerOf(unit: number, name: keyof typeof UART_REGISTERS): number {
  return unitAddress(unit, UART_OFFSET + UART_REGISTERS[name]);
}

/** Divisor and samples a bit, so that crystal / (divisor × samples) comes nearest; samples in eighths. */
function timing(baudRate: number): { readonly divisor: number; readonly eighths: number } {
  const total = CRYSTAL_HZ / baudRate;
  const divisor = Math.ceil(total / MOST_SAMPLES);
  return { divisor, eighths: Math.round((total / divisor) * 8) };
}

function setUp(unit: number, settings: UartSettings): readonly BusOperation[] {
  const write = (name: keyof typeof UART_REGISTERS, value: number): BusOperation =>
    operation.write(registerOf(unit, name), value);
  const { divisor, eighths } = timing(settings.baudRate);
  const count = Math.floor(eighths / 8) - 1;
  const frame = (settings.dataBits - 5) | (settings.stopBits === 2 ? 4 : 0) | PARITY[settings.parity];
  return [
    write('IER_DLM', 0),
    write('LCR', UART_LCR_EFR),
    // b4 opens the enhanced functions; then automatic RTS and CTS, or XON and XOFF.
    write('IIR_FCR_EFR', 0x10 | AUTO_FLOW[settings.flowControl]),
    write('LCR', UART_BITS.DLAB),
    write('RBR_THR_DLL', divisor & 0xff),
    write('IER_DLM', divisor >> 8),
    write('LCR', frame),
    write('HIGHSPEED', 3),
    write('SAMPLE_COUNT', count),
    write('SAMPLE_POINT', count >> 1),
    write('FRACDIV_L', 2 ** (eighths % 8) - 1),
    write('VFIFO_EN', 1),
    write('IIR_FCR_EFR', UART_BITS.FIFO_ENABLE | UART_BITS.CLEAR_RX | UART_BITS.CLEAR_TX),
    write('IER_DLM', UART_BITS.RX_INT),
  ];
}
