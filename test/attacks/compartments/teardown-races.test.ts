import type { PortValue } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import { COMPARTMENT_CALLS } from '../../../packages/os/src/kernel/compartment-calls.ts';
import { attackedDevice, idleModule, OFFENDER } from './attack.ts';

/** A network that does what it is asked and knows what is open. */
function countingNetwork() {
  const open = new Set<number>();
  let next = 100;
  const opened = (): number => {
    next += 1;
    open.add(next);
    return next;
  };
  return {
    open,
    handle(method: string, [first]: readonly PortValue[]): Promise<PortValue> {
      const local = { localAddress: 1, localPort: 1 };
      switch (method) {
        case 'resolveName':
          return Promise.resolve({ addresses: [0x0a000001], ttl: 60 });
        case 'tcpConnect':
        case 'tcpAccept':
          return Promise.resolve({ connection: opened(), address: 1, port: 1, ...local });
        case 'tcpListen':
          return Promise.resolve(opened());
        case 'udpOpen':
          return Promise.resolve({ socket: opened(), ...local });
        case 'socketClose':
          open.delete(Number(first));
          return Promise.resolve(null);
        default:
          return Promise.resolve(null);
      }
    },
  };
}

/** Arguments with which each call gets as far as it can. */
const ARGUMENTS: Partial<Record<keyof typeof COMPARTMENT_CALLS, readonly PortValue[]>> = {
  log: ['line'],
  random: [16],
  gpioOpen: [8, 'output', 1],
  gpioRead: [8],
  gpioWrite: [8, 1],
  gpioClose: [8],
  uartOpen: [0, { baudRate: 115_200, dataBits: 8, parity: 'none', stopBits: 1, flowControl: 'none' }],
  i2cOpen: [1],
  spiOpen: [2, 0, false],
  adcOpen: [0],
  pwmOpen: [0],
  mutableWrite: [new Uint8Array(100)],
  tlsConnect: ['cloud.test', 443, 'none'],
  netResolve: ['cloud.test'],
  netConnect: [0x0a000001, 80],
  netListen: [8080, 1],
  netDatagrams: [0],
  systemEvents: [7],
  watchdog: [1000],
  exited: [{ kind: 'exit', exitCode: 1 }],
};
const CAPABILITIES = {
  Gpio: [8],
  Uart: ['ISU0'],
  I2cMaster: ['ISU1'],
  SpiMaster: ['ISU2'],
  Adc: ['ADC-CONTROLLER-0'],
  Pwm: ['PWM-CONTROLLER-0'],
  MutableStorage: { SizeKB: 8 },
  AllowedConnections: ['cloud.test', '10.0.0.1'],
  AllowedTcpServerPorts: [8080],
  SystemEventNotifications: true,
};

describe('an app that is ended in the middle of a call', () => {
  it.each(Object.keys(COMPARTMENT_CALLS) as (keyof typeof COMPARTMENT_CALLS)[])(
    'leaves nothing behind: %s',
    async (method) => {
      const network = countingNetwork();
      const held: (() => void)[] = [];
      let isHeld = false;
      const device = await attackedDevice({
        network,
        hardwareDelay: (name) =>
          isHeld && name !== 'stopCompartment' && name !== 'gpioClose' && name !== 'socketClose'
            ? new Promise((resolve) => held.push(resolve))
            : undefined,
      });
      await device.attack(idleModule(), CAPABILITIES);
      if (method === 'gpioRead' || method === 'gpioWrite' || method === 'gpioClose')
        await device.call('gpioOpen', 8, 'output', 0);
      isHeld = true;
      // Some calls wait for ever in the name of an app that is gone: nobody is there to hear the answer.
      device.call(method, ...(ARGUMENTS[method] ?? [])).catch(() => undefined);
      await Promise.resolve();
      isHeld = false;
      const removed = device.world.services('appRemoved', OFFENDER);
      await device.world.clock.advance(0);
      for (const release of held) release();
      // One that handles SIGTERM has half a second.
      await device.world.clock.advance(500);
      await removed;
      await device.world.clock.advance(20_000);
      expect(device.world.outputs).toEqual([12]);
      expect([...network.open]).toEqual([]);
      expect(device.world.servers.every(({ isClosed }) => isClosed)).toBe(true);
      expect(device.world.runningCompartments).toBe(1);
      await expect(device.call(method, ...(ARGUMENTS[method] ?? []))).rejects.toMatchObject({
        code: 'CallerNotAllowed',
      });
      // Whatever it had is free for its successor.
      await device.attack(idleModule(), CAPABILITIES);
      const again = device.world.callAs('compartment:3', method, ...(ARGUMENTS[method] ?? []));
      if (method.endsWith('Open')) await again;
      else again.catch(() => undefined);
      await device.expectUntouched();
    },
  );
});
