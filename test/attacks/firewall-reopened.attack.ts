/**
 * Stands for: a Security Monitor that was taken over, once the device runs, and opens flash and fuses to the normal
 * world.
 * Held by: the firewall is sticky: once locked, nobody changes a rule before reset.
 * Seen to succeed: where `Firewall.configure` does not ask for the lock, the normal world reads flash.
 */
import { makeDevice, manufactureBits } from '../../packages/os/src/board/testing/device.fixture.ts';
import { makeRelease } from '../../packages/os/src/board/testing/release.fixture.ts';
import { outcomeOf, type Attack } from './testing/attack.ts';

const HOSTILE = `globalThis.stage = { async start(h) {
  const { hardware } = h.ports;
  const rule = (master, region) => ({ master, region, read: true, write: true, execute: false });
  await hardware.call('configureFirewall', [rule('secure', 'firewall')]);
  await hardware.call('lockFirewall');
  h.log('reopening: ' + await hardware.call('configureFirewall', [rule('normal', 'system')]).then(() => 'done', (e) => e.code));
} };`;

export const attack: Attack = {
  name: 'the firewall reopened after it was locked',
  stoppedBy: 'FirewallLocked',
  without: [
    {
      file: 'packages/silicon/src/firewall.ts',
      line: 'if (this.#isLocked) {',
      instead: 'if (this.#rules.length < 0) {',
    },
  ],
  async run() {
    const { chip, board } = makeDevice(manufactureBits(await makeRelease({ monitor: HOSTILE })));
    await board.powerOn();
    const code = /reopening: (\w+)/.exec(board.bootLog.join('\n'))?.[1] ?? '';
    const read = await outcomeOf(() => chip.bus.readFlash('normal', 0x10000, 16));
    await board.powerOff();
    return read === 'succeeded' ? read : code;
  },
};
