import type { PortValue } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import { ERRNO } from '../../../packages/os/src/kernel/compartment/errno.ts';
import { IMPORT_TABLE, type ImportRow } from '../../../packages/os/src/kernel/import-table.ts';
import { scriptModule } from '../../../packages/os/src/kernel/testing/test-app.ts';
import { attackedDevice, idleModule, step } from './attack.ts';

const FD_CALLS = Object.entries(IMPORT_TABLE).flatMap(([module, rows]) =>
  Object.entries(rows)
    .filter(
      ([name, row]: [string, ImportRow]) =>
        (row.answer === 'inside' || row.answer === 'waits') &&
        /^(fd_|sock_|socket_(?!open)|tls_(?:protocol|accept)|http2_|gpio_(?!open)|timer_(?!create)|epoll_(?!create)|path_)/.test(
          name,
        ),
    )
    .map(([name, row]: [string, ImportRow]) => ({ module, name, row })),
);

describe('an app that makes descriptors up', () => {
  it.each([4, 63, 64, 65_535, 2_147_483_647, -1, -2_147_483_648])('%i stands for nothing', async (fd) => {
    for (const { module, name, row } of FD_CALLS) {
      const args = Array.from(row.params, (type, index) => (index === 0 ? fd : type === 'I' ? 0n : 1024));
      const device = await attackedDevice();
      await device.attack(scriptModule([step(module, name, ...args)]));
      await device.world.clock.advance(1);
      const allowed = [ERRNO.EBADF, ERRNO.EINVAL].map((errno) => `exit ${errno}`);
      expect(allowed, name).toContain(device.reported[0]);
    }
  });

  it('even in its own compartment program’s name reaches no pin, socket or connection of a neighbour', async () => {
    const device = await attackedDevice();
    await device.attack(idleModule(), { Gpio: [8] });
    const forged: readonly (readonly [string, ...PortValue[]])[] = [
      ['gpioWrite', 12, 1],
      ['gpioRead', 12],
      ['gpioClose', 12],
      ['tlsRead', 1, 10],
      ['tlsWrite', 1, Uint8Array.of(1)],
      ['tlsClose', 1],
      ['tlsProtocol', 1],
      ['tlsAccept', 1],
      ['tlsUnlisten', 1],
      ['http2Request', 1, { method: 'GET', path: '/', fields: [], body: null }],
      ['http2Head', 1],
      ['http2Read', 1, 10],
      ['http2Close', 1],
      ['netRead', 1, 10],
      ['netSend', 1, 1, 1, Uint8Array.of(1)],
      ['netClose', 1],
    ];
    for (const [method, ...args] of forged)
      await expect(device.call(method, ...args), method).rejects.toMatchObject({ code: 'NotOpen' });
    await expect(device.call('gpioOpen', 12, 'output', 1)).rejects.toMatchObject({ code: 'AccessDenied' });
    // Calls of the services, of the hardware and of the monitor are not there at all.
    for (const method of ['appRemoved', 'setClientIdentity', 'compartmentEnded', 'commit', 'loadServices'])
      await expect(device.call(method), method).rejects.toMatchObject({ code: 'UnknownCall' });
    await device.world.clock.advance(1000);
    await device.expectUntouched();
  });
});
