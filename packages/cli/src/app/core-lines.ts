import type { ChipCore } from '@sevenfold/silicon';

const NEW_LINE = 10;
const CARRIAGE_RETURN = 13;
/** Characters after which a line is shown though it has not ended. */
const LONGEST_LINE = 200;

/** Calls `listener` with every line that real-time cores say on their debug UARTs: that is how such an app logs. */
export function onCoreLine(cores: readonly ChipCore[], listener: (line: string) => void): void {
  for (const core of cores) {
    let line = '';
    core.onDebugByte((byte) => {
      if (byte !== NEW_LINE && line.length < LONGEST_LINE) {
        if (byte !== CARRIAGE_RETURN) line += String.fromCharCode(byte);
        return;
      }
      listener(line);
      line = '';
    });
  }
}
