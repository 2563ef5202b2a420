import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEVICE_CONTENT_TYPES, DEVICE_PATHS } from '@sevenfold/formats';
import { exporterOf } from './exporter.ts';
import type { Fleet } from './fleet.ts';
import { postRequest, type LoadTarget } from './keep-alive.ts';
import { startServer, type ServerProcess } from './processes.ts';

const CHILD = join(import.meta.dirname, 'service.child.ts');

/** The service as its owner runs it, on a fleet's data folder. */
export async function startFleetService(fleet: Fleet): Promise<ServerProcess> {
  const ports = join(fleet.folder, 'ports.json');
  return startServer(process.execPath, [CHILD, fleet.folder], () => {
    if (!existsSync(ports)) return null;
    // The service's own file: its shape is known.
    return (JSON.parse(readFileSync(ports, 'utf8')) as { readonly device: number }).device;
  });
}

/** Attestations by the chips of the fleet in turn, each with fresh keys and for its very connection. */
export function attestationLoad(fleet: Fleet, service: ServerProcess): LoadTarget {
  let next = 0;
  return {
    port: service.port,
    ca: fleet.rootPem,
    servername: 'localhost',
    cpuSeconds: () => service.cpuSeconds(),
    prepare({ socket }) {
      const chip = fleet.chips[next++ % fleet.chips.length];
      if (chip === undefined) throw new Error('the fleet has no chips');
      return postRequest(
        DEVICE_PATHS.attest,
        DEVICE_CONTENT_TYPES.cbor,
        chip.attestation(exporterOf(socket)),
      );
    },
  };
}
