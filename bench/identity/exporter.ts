import type { TLSSocket } from 'node:tls';
import { EXPORTER_LABEL } from '@sevenfold/formats';

/** The exporter value that evidence for this connection is bound to. */
export function exporterOf(socket: TLSSocket): Uint8Array {
  return new Uint8Array(socket.exportKeyingMaterial(32, EXPORTER_LABEL, Buffer.alloc(0)));
}
