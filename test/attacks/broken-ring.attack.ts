/**
 * Stands for: a hostile app on a real-time core that tells the kernel of a message in their ring which is none: a block
 * of size 0, where the sender should stand there are bytes that nobody wrote.
 * Held by: whatever such a core has written is judged from a copy, sizes and positions by what the protocol can reach;
 * anything else halts the channel until the app starts again.
 * Seen to succeed: where `decodeBlock` takes any size, the kernel goes on with the block as if it were a message.
 */
import { utf8Encode } from '@sevenfold/formats';
import { ECHO, echoApp } from '../../packages/os/src/kernel/testing/echo-app.ts';
import { KernelWorld } from '../../packages/os/src/kernel/testing/kernel-world.ts';
import { OUT, scriptModule } from '../../packages/os/src/kernel/testing/test-app.ts';
import type { Attack } from './testing/attack.ts';

/** Has the echo set its write position to one block, of which nothing was written. */
const WORDS = utf8Encode('ring 16');

export const attack: Attack = {
  name: 'a ring broken by a real-time core',
  stoppedBy: 'ConnectionLost',
  without: [
    {
      file: 'packages/os/src/kernel/inter-core/ring.ts',
      line: 'if (size < PREFIX || size > PREFIX + MOST_MESSAGE) return null;',
      instead: '',
    },
  ],
  async run() {
    const partner = {
      module: scriptModule(
        [
          { call: ['sevenfold', 'app_connect'], args: [2048, OUT] },
          { call: ['wasi_snapshot_preview1', 'sock_send'], args: ['loaded', 2200, 1, 0, 2300] },
          { call: ['wasi_snapshot_preview1', 'sock_recv'], args: ['loaded', 2200, 1, 0, 2300, 2310] },
        ],
        [
          { offset: 2048, bytes: utf8Encode(ECHO) },
          { offset: 2100, bytes: WORDS },
          { offset: 2200, bytes: new Uint8Array(Uint32Array.of(2100, WORDS.length).buffer) },
        ],
      ),
      capabilities: { AllowedApplicationConnections: [ECHO] },
    };
    const world = await KernelWorld.boot({ apps: [echoApp(), partner] });
    try {
      await world.clock.advance(1600);
    } catch {
      return 'succeeded';
    }
    return world.log.some((line) => line.includes(`${ECHO} broke the ring`)) ? 'ConnectionLost' : 'succeeded';
  },
};
