import { once } from 'node:events';
import { connect } from 'node:net';
import {
  insecureSeededEntropy,
  memoryFlash,
  memoryFuses,
  openChip,
  prepareCoresHere,
  type Chip,
} from '@sevenfold/silicon';
import { describe, expect, it } from 'vitest';
import { serveGdb } from './gdb-server.ts';

await prepareCoresHere();

/** A chip whose first core runs in a circle. */
function runningChip(isDebuggable: boolean): Chip {
  const chip = openChip({
    flash: memoryFlash(),
    fuses: memoryFuses(),
    entropy: insecureSeededEntropy('gdb'),
  });
  const [core] = chip.realTimeCores;
  core?.clear(isDebuggable);
  core?.load(0x0010_0000, new Uint8Array(Uint32Array.of(0x0013_0000, 0x0010_0009, 0xe7fe).buffer));
  core?.start();
  return chip;
}

async function ask(chip: Chip | null, packet: string): Promise<{ answer: string; told: string[] }> {
  const told: string[] = [];
  const server = await serveGdb(
    0,
    () => chip,
    (line) => told.push(line),
  );
  const socket = connect(server.port, '127.0.0.1');
  let answer = '';
  socket.on('data', (bytes) => {
    answer += String(bytes);
    if (answer.includes('#')) socket.end();
  });
  socket.on('error', () => undefined);
  socket.write(packet);
  await once(socket, 'close');
  await server.close();
  return { answer, told };
}

describe('the GDB server of app run', () => {
  it('takes hold of the core that runs an app, and lets it go when the connection ends', async () => {
    const chip = runningChip(true);
    const { answer, told } = await ask(chip, '$?#3f');
    expect(answer).toBe('+$T02thread:1;#d4');
    expect(told).toEqual(['gdb: holds real-time core 0', 'gdb: has let go of real-time core 0']);
    chip.runRealTimeCores(1000);
    expect(chip.realTimeCores[0]?.realTime?.core.executed).toBeGreaterThan(0);
  });

  it('says why it takes hold of none', async () => {
    expect(await ask(runningChip(false), '$?#3f')).toEqual({
      answer: '',
      told: [expect.stringContaining('The debug port of this core is closed.')],
    });
    expect((await ask(null, '$?#3f')).told).toEqual(['gdb: no app runs on a real-time core']);
  });
});
