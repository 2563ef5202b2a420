import { utf8DecodeLossy, type Port } from '@sevenfold/formats';
import { FILE_TYPE, OpenFile } from './open-file.ts';

const LONGEST_LINE = 1023;

/** Control characters would let an app forge the lines of others on a terminal. */
function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\uFFFD').slice(0, LONGEST_LINE);
}

/** Text of an app as lines of the device's log: `Log_Debug`, stdout and stderr. */
export class LogFile extends OpenFile {
  readonly fileType = FILE_TYPE.characterDevice;
  readonly #kernel: Port;
  #unfinished = '';

  constructor(kernel: Port) {
    super();
    this.#kernel = kernel;
  }

  /** Sends each whole line; the rest waits for its end, or goes as it is when it gets too long. */
  override async write(bytes: Uint8Array): Promise<number> {
    const [...lines] = (this.#unfinished + utf8DecodeLossy(bytes)).split('\n');
    this.#unfinished = lines.pop() ?? '';
    if (this.#unfinished.length > LONGEST_LINE) {
      lines.push(this.#unfinished);
      this.#unfinished = '';
    }
    for (const line of lines) await this.#kernel.call('log', printable(line.replace(/\r$/, '')));
    return bytes.length;
  }

  /** Sends what has no line end yet: nothing follows. */
  async flush(): Promise<void> {
    const rest = this.#unfinished;
    this.#unfinished = '';
    if (rest !== '') await this.#kernel.call('log', printable(rest));
  }
}

/** Standard input: at its end. */
export class EmptyFile extends OpenFile {
  readonly fileType = FILE_TYPE.characterDevice;
  override read(): Uint8Array {
    return new Uint8Array(0);
  }
}
