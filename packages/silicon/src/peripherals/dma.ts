import type { Peripheral } from '../bus.ts';
import type { Timeline } from '../timeline.ts';
import { DMA_REGISTERS, DmaChannel, type DmaKind } from './dma-channel.ts';

/** Channels of a core's DMA, and which peripheral asks for a transfer on which: `DMA_REQUESTS` (§1.9). */
const CHANNELS = 30;
const STRIDE = 0x100;
const GLOBAL_AT = 0x4000;
/** Registers of all channels, from GLOBAL_AT. */
const GLOBAL = {
  GLBSTA0: 0x00,
  GLBSTA1: 0x04,
  CH_RST: 0x08,
  CH_EN: 0x20,
  EN_SET: 0x24,
  EN_CLR: 0x28,
  PAUSE: 0x30,
  SET_DREQ: 0x50,
  CLR_DREQ: 0x58,
} as const;
const CHANNELS_PER_STATUS = 16;
const FIRST_VIRTUAL = 13;
const MEMORY_TO_MEMORY = 12;

/** What a DMA controller belongs to. */
export interface DmaParts {
  readonly timeline: () => Timeline;
  /** Memory that channels reach, and the bus of the core; both throw `BusFault`. */
  readonly read: (address: number, size: 1 | 2 | 4) => number;
  readonly write: (address: number, size: 1 | 2 | 4, value: number) => void;
  /** Whether the peripheral of a channel asks for a transfer; `address` tells which of two on the same channel. */
  readonly isRequested: (channel: number, address: number) => boolean;
  readonly interrupt: (isHigh: boolean) => void;
}

const kindOf = (channel: number): DmaKind =>
  channel >= FIRST_VIRTUAL ? 'virtual' : channel === MEMORY_TO_MEMORY ? 'full' : 'half';

/**
 * The DMA controller of a core: 30 channels with one interrupt line. Channels 0 to 11 move between memory and a serial
 * unit, 12 between memories, 13 to 29 keep rings in memory for UARTs, I2S and the ADC. A channel reaches what its core
 * reaches, and of the core's own memories SYSRAM alone.
 */
export class Dma implements Peripheral {
  readonly #channels: readonly DmaChannel[];
  readonly #interrupt: (isHigh: boolean) => void;
  #enabled = 0;
  #requested = 0;
  #paused = 0;

  constructor(parts: DmaParts) {
    this.#interrupt = parts.interrupt;
    this.#channels = Array.from({ length: CHANNELS }, (_, index) => {
      const channel: DmaChannel = new DmaChannel({
        kind: kindOf(index),
        timeline: parts.timeline,
        read: parts.read,
        write: parts.write,
        isRequested: () =>
          ((this.#requested >>> index) & 1) !== 0 ||
          parts.isRequested(index, channel.read(DMA_REGISTERS.FIXADDR)),
        onStatus: () => this.#show(),
      });
      return channel;
    });
  }

  /** A peripheral asks for transfers on this channel. */
  requested(channel: number): void {
    this.#channels[channel]?.move();
  }

  read(offset: number): number {
    if (offset < CHANNELS * STRIDE) return this.#channels[offset >>> 8]?.read(offset % STRIDE) ?? 0;
    switch (offset - GLOBAL_AT) {
      case GLOBAL.GLBSTA0:
        return this.#statusFrom(0);
      case GLOBAL.GLBSTA1:
        return this.#statusFrom(CHANNELS_PER_STATUS);
      case GLOBAL.CH_EN:
        return this.#enabled;
      case GLOBAL.PAUSE:
        return this.#paused;
      default:
        return 0;
    }
  }

  write(offset: number, value: number): void {
    if (offset < CHANNELS * STRIDE) {
      this.#channels[offset >>> 8]?.write(offset % STRIDE, value);
      return;
    }
    switch (offset - GLOBAL_AT) {
      case GLOBAL.CH_RST:
        this.#each(value, (channel) => channel.reset());
        return;
      case GLOBAL.CH_EN:
        this.#enabled = value;
        return;
      case GLOBAL.EN_SET:
        this.#enabled |= value;
        return;
      case GLOBAL.EN_CLR:
        this.#enabled &= ~value;
        return;
      case GLOBAL.PAUSE:
        this.#paused = value;
        for (const [index, channel] of this.#channels.entries())
          channel.isPaused = ((value >>> index) & 1) !== 0;
        this.#each(~value, (channel) => channel.move());
        return;
      case GLOBAL.SET_DREQ:
        this.#requested |= value;
        this.#each(value, (channel) => channel.move());
        return;
      case GLOBAL.CLR_DREQ:
        this.#requested &= ~value;
        return;
      default:
        return;
    }
  }

  reset(): void {
    this.#enabled = 0;
    this.#requested = 0;
    this.#paused = 0;
    for (const channel of this.#channels) channel.reset();
  }

  #each(bits: number, action: (channel: DmaChannel) => void): void {
    for (const [index, channel] of this.#channels.entries())
      if (((bits >>> index) & 1) !== 0) action(channel);
  }

  /** Two bits a channel: running, and interrupting. */
  #statusFrom(first: number): number {
    let bits = 0;
    for (let index = 0; index < CHANNELS_PER_STATUS; index++) {
      const channel = this.#channels[first + index];
      if (channel === undefined) continue;
      bits |= ((channel.isRunning ? 1 : 0) | (channel.status === 0 ? 0 : 2)) << (2 * index);
    }
    return bits >>> 0;
  }

  #show(): void {
    this.#interrupt(this.#channels.some(({ status }) => status !== 0));
  }
}
