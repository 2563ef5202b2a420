import { createServer, type Socket } from 'node:net';
import type { TenantMessage } from './broker/recent-messages.ts';
import {
  createTenantBroker,
  type BrokerLimits,
  type DeviceMessage,
  type TenantBroker,
} from './broker/tenant-broker.ts';
import type { CertificateAuthorities } from './certificates/authorities.ts';
import { findFirstTenant } from './registry/tenants.ts';
import type { ServiceContext } from './service-context.ts';

/** What the gate stands on. */
export interface BrokerGateOptions {
  readonly context: Pick<ServiceContext, 'store' | 'clock' | 'log'>;
  readonly authorities: CertificateAuthorities;
  readonly tls: () => { readonly key: string; readonly cert: string };
  readonly onMessage: (message: TenantMessage) => void;
  readonly limits: Partial<BrokerLimits>;
}

/**
 * The broker's port, which is there before the first tenant is. Connections go to that tenant's broker, as it is now:
 * when its authorities change, a new one takes over.
 */
export interface BrokerGate {
  listen(host: string, port: number): Promise<void>;
  /** Makes or renews the broker where that is due. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

/** Makes the gate; nothing listens yet. */
export function createBrokerGate(options: BrokerGateOptions): BrokerGate {
  let broker: TenantBroker | null = null;
  let generation = '';
  const waiting = new Set<Socket>();
  const gate = createServer((socket) => {
    if (broker === null) {
      socket.destroy();
      return;
    }
    waiting.add(socket);
    socket.once('close', () => waiting.delete(socket));
    // A TLS server takes raw connections by this event, whoever accepted them.
    broker.server.emit('connection', socket);
  });
  gate.maxConnections = 1000;

  const refresh = async (): Promise<void> => {
    const tenant = await findFirstTenant(options.context);
    if (tenant === null) return;
    const tenantCas = (await options.authorities.valid('tenantCa', tenant.tenantId)).map(
      ({ certificate }) => certificate,
    );
    const tls = options.tls();
    const wanted = [tls.cert, ...tenantCas.map(({ serial }) => serial)].join(' ');
    if (wanted === generation) return;
    generation = wanted;
    const former = broker;
    const { context, limits } = options;
    const onMessage = (message: DeviceMessage): void =>
      options.onMessage({ ...message, tenantId: tenant.tenantId });
    broker = await createTenantBroker({ context, tls, tenantCas, onMessage, limits });
    await former?.close();
  };

  return {
    listen: (host, port) =>
      new Promise((resolve, reject) => {
        gate.once('error', reject);
        gate.listen(port, host, () => {
          gate.off('error', reject);
          resolve();
        });
      }),
    refresh,
    async close() {
      await broker?.close();
      for (const socket of waiting) socket.destroy();
      if (gate.listening) await new Promise<void>((resolve) => gate.close(() => resolve()));
    },
  };
}
