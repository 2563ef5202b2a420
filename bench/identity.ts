import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Figure } from './figure.ts';
import { measureAgainstCfssl } from './identity/cfssl.ts';
import { measureFreshConnections } from './identity/fresh-connections.ts';
import { makeFleet, type Fleet, type FleetSize } from './identity/fleet.ts';
import { measureInProcess } from './identity/in-process.ts';
import { measureLargeFleet } from './identity/large-fleet.ts';

const SMALL: FleetSize = { devices: 1000, releases: 1, chips: 1000 };
const LARGE: FleetSize = { devices: 1_000_000, releases: 1000, chips: 10_000 };

/** Who is this device, and what is it allowed: issuing, verifying and attesting beside their peers. */
export async function measureIdentity(): Promise<readonly Figure[]> {
  const scratch = mkdtempSync(join(tmpdir(), 'sevenfold-bench-'));
  const fleetIn = (name: string, size: FleetSize): Promise<Fleet> => {
    progress(`making a fleet of ${size.devices} devices`);
    const folder = join(scratch, name);
    mkdirSync(folder);
    return makeFleet(folder, size);
  };
  try {
    const small = await fleetIn('small', SMALL);
    progress('issuing beside cfssl');
    const figures = [...(await measureAgainstCfssl(small, scratch))];
    progress('verifying and issuing in this process');
    figures.push(...(await measureInProcess(small)));
    progress('fresh connections beside a bare server');
    figures.push(...(await measureFreshConnections(small)));
    const large = await fleetIn('large', LARGE);
    progress('a large fleet beside a small one');
    figures.push(...(await measureLargeFleet(large, small)));
    return figures;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function progress(text: string): void {
  process.stderr.write(`${text} …\n`);
}
