import type { Figure } from '../figure.ts';
import { alternate, compare } from '../pairs.ts';
import type { Fleet } from './fleet.ts';
import { runLoad } from './keep-alive.ts';
import { attestationLoad, startFleetService } from './service.ts';

const CONNECTIONS = 32;
const REQUESTS = 1600;
const LEAST_RATIO = 0.9;
const MOST_MEBIBYTES = 1e9 / 2 ** 20;

/** Whether attesting costs more when more is known; and the memory of the service that knows it, while it attests. */
export async function measureLargeFleet(large: Fleet, small: Fleet): Promise<readonly Figure[]> {
  await using parts = new AsyncDisposableStack();
  const much = parts.adopt(await startFleetService(large), (server) => server.stop());
  const little = parts.adopt(await startFleetService(small), (server) => server.stop());
  const loads = [attestationLoad(large, much), attestationLoad(small, little)] as const;
  let mostProportional = 0;
  const pairs = await alternate(
    async () => {
      const load = await runLoad(loads[0], CONNECTIONS, REQUESTS);
      mostProportional = Math.max(mostProportional, much.memory().proportional);
      return load;
    },
    () => runLoad(loads[1], CONNECTIONS, REQUESTS),
  );
  const { mostResident } = much.memory();
  const rate = compare(pairs, (load) => load.rate);
  const perCpu = compare(pairs, ({ ratePerCpu }) => ratePerCpu);
  return [
    {
      name: '10⁶ devices, 10³ releases: attestations',
      measured: `${Math.round(rate.ours)}/s = ${(100 * rate.ratio).toFixed(0)} % (per CPU second ${(100 * perCpu.ratio).toFixed(0)} %)`,
      peer: `10³ devices, 1 release: ${Math.round(rate.theirs)}/s`,
      target: `≥ ${100 * LEAST_RATIO} %`,
      isMet: Math.min(rate.ratio, perCpu.ratio) >= LEAST_RATIO,
    },
    {
      name: 'memory of the service with 10⁶ devices',
      measured: `${Math.round(mostResident)} MiB resident at most (PSS ${Math.round(mostProportional)} MiB)`,
      peer: '–',
      target: '≤ 1 GB',
      isMet: mostResident <= MOST_MEBIBYTES,
    },
  ];
}
