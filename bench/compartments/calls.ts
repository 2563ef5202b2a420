import type { VirtualDevice } from '@sevenfold/device';
import type { BuiltApp } from '@sevenfold/sdk';
import type { Figure } from '../figure.ts';
import { alternate, compare } from '../pairs.ts';
import { lineOf } from './device.ts';
import { measurePing } from './ping.ts';

const INSIDE = ['clock_gettime', 'pread'] as const;
const CALLS = [...INSIDE, 'GPIO_SetValue'] as const;
const MOST_INSIDE_NS = 500;
/** Compartment to kernel, kernel to the bus. */
const HOPS = 2;
const MOST_OVER_PING = 1.5;

type Times = Readonly<Record<(typeof CALLS)[number] | 'ping', number>>;

/** Ns of each call, as the app itself measures them (see `calls/main.c`). */
async function runApp(device: VirtualDevice, { componentId }: BuiltApp): Promise<Times> {
  const lines = CALLS.map(async (name) => {
    const { match } = await lineOf(device, new RegExp(`: ${name} (\\d+) ns$`));
    return [name, Number(match[1])];
  });
  const done = lineOf(device, /: measured$/);
  await device.gateway.call('appInstalled', componentId);
  await done;
  const times = await Promise.all(lines);
  await device.gateway.call('appRemoved', componentId);
  return { ping: Number.NaN, ...Object.fromEntries(times) } as Times;
}

/** Calls beside empty messages between two threads, in turn. */
export async function measureCalls(device: VirtualDevice, app: BuiltApp): Promise<readonly Figure[]> {
  const pairs = await alternate<Times>(
    () => runApp(device, app),
    async () => ({
      clock_gettime: Number.NaN,
      pread: Number.NaN,
      GPIO_SetValue: Number.NaN,
      ping: await measurePing(),
    }),
  );
  const inside = INSIDE.map((name): Figure => {
    const { ours } = compare(pairs, (times) => times[name]);
    return {
      name: `${name}, answered inside`,
      measured: `${ours.toFixed(0)} ns`,
      peer: '–',
      target: `≤ ${MOST_INSIDE_NS} ns`,
      isMet: ours <= MOST_INSIDE_NS,
    };
  });
  const { ratio, ours, theirs } = compare(pairs, ({ GPIO_SetValue, ping }) =>
    Number.isNaN(ping) ? GPIO_SetValue / 1000 / HOPS : ping,
  );
  const crossing: Figure = {
    name: `GPIO_SetValue, over ${HOPS} hops`,
    measured: `${(ours * HOPS).toFixed(1)} µs, ${ratio.toFixed(2)} pings a hop`,
    peer: `empty ping ${theirs.toFixed(1)} µs`,
    target: `≤ ${MOST_OVER_PING} pings a hop`,
    isMet: ratio <= MOST_OVER_PING,
  };
  return [...inside, crossing];
}
