import { PWM_BITS, PWM_CHANNELS, PWM_CHANNEL_STRIDE, PWM_CLOCKS, PWM_REGISTERS } from '@sevenfold/formats';
import type { Peripheral } from '../bus.ts';

/** What a channel puts on its pin, as an oscilloscope shows it. */
export interface PwmWave {
  readonly isRunning: boolean;
  /** Nanoseconds of a period, and of its part at the high level. */
  readonly period: number;
  readonly high: number;
}

/** Told of every change of a channel's wave. */
export type WaveListener = (channel: number, wave: PwmWave) => void;

const STILL: PwmWave = { isRunning: false, period: 0, high: 0 };
const RESET_GLOBAL = 0xe400;

/** One group of four channels. A channel's registers take effect when its KICK is written: all at once. */
export class PwmGroup implements Peripheral {
  readonly #registers = new Map<number, number>();
  readonly #waves: PwmWave[] = Array.from({ length: PWM_CHANNELS }, () => STILL);
  readonly #listeners = new Set<WaveListener>();

  read(offset: number): number {
    return this.#registers.get(offset) ?? (offset === PWM_REGISTERS.GLO_CTRL ? RESET_GLOBAL : 0);
  }

  write(offset: number, value: number): void {
    this.#registers.set(offset, value);
    const channel = Math.floor((offset - PWM_REGISTERS.CTRL) / PWM_CHANNEL_STRIDE);
    const isControl = offset === PWM_REGISTERS.CTRL + channel * PWM_CHANNEL_STRIDE;
    if (isControl && channel >= 0 && channel < PWM_CHANNELS && (value & PWM_BITS.KICK) !== 0)
      this.#set(channel, this.#waveOf(channel, value));
    if (offset === PWM_REGISTERS.GLO_CTRL && (value & PWM_BITS.KICK) !== 0) this.#kickAll();
  }

  /** All channels whose control says so begin in the same moment. */
  #kickAll(): void {
    for (let channel = 0; channel < PWM_CHANNELS; channel++) {
      const control = this.#registers.get(PWM_REGISTERS.CTRL + channel * PWM_CHANNEL_STRIDE) ?? 0;
      if ((control & PWM_BITS.GLOBAL_KICK) !== 0) this.#set(channel, this.#waveOf(channel, control));
    }
  }

  reset(): void {
    this.#registers.clear();
    for (let channel = 0; channel < PWM_CHANNELS; channel++) this.#set(channel, STILL);
  }

  wave(channel: number): PwmWave {
    return this.#waves[channel] ?? STILL;
  }

  onChange(listener: WaveListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #waveOf(channel: number, control: number): PwmWave {
    if ((control & PWM_BITS.CLOCK_ENABLE) === 0) return STILL;
    const hertz = PWM_CLOCKS[(this.read(PWM_REGISTERS.GLO_CTRL) >> 1) & 3] ?? PWM_CLOCKS[2];
    const parameters = this.#registers.get(PWM_REGISTERS.PARAM_S0 + channel * PWM_CHANNEL_STRIDE) ?? 0;
    const on = parameters & 0xffff;
    const off = parameters >>> 16;
    const nanoseconds = (ticks: number): number => Math.round((ticks * 1e9) / hertz);
    const isInverted = (control & PWM_BITS.POLARITY) !== 0;
    return { isRunning: true, period: nanoseconds(on + off), high: nanoseconds(isInverted ? off : on) };
  }

  #set(channel: number, wave: PwmWave): void {
    const old = this.#waves[channel];
    this.#waves[channel] = wave;
    const isSame = old?.isRunning === wave.isRunning && old.period === wave.period && old.high === wave.high;
    if (!isSame) for (const listener of this.#listeners) listener(channel, wave);
  }
}
