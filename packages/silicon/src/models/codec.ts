import type { I2sDevice, I2sFrame } from '../peripherals/i2s.ts';

/** Newest frames that a codec remembers: ten seconds at 48 kHz. */
const MOST_FRAMES = 480_000;

/** A frame of two signed samples. */
export interface AudioFrame {
  readonly left: number;
  readonly right: number;
}

/** An audio codec: remembers what was played to its loudspeaker, and sends what its microphone hears. */
export class CodecModel implements I2sDevice {
  readonly #played: I2sFrame[] = [];
  /** The sample that the microphone gives, from -32768 to 32767, by the number of the frame; silence at first. */
  microphone: (frame: number) => number = () => 0;
  #count = 0;

  /** What was played, oldest first. */
  get played(): readonly AudioFrame[] {
    return this.#played.map((frame) => ({ left: frame >> 16, right: (frame << 16) >> 16 }));
  }

  exchange(frame: I2sFrame): I2sFrame {
    if (this.#played.length === MOST_FRAMES) this.#played.shift();
    this.#played.push(frame);
    const sample = Math.max(-0x8000, Math.min(0x7fff, Math.round(this.microphone(this.#count)))) & 0xffff;
    this.#count += 1;
    return ((sample << 16) | sample) >>> 0;
  }
}
