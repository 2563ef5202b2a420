import type { Kysely } from 'kysely';

import type { CapabilitySchema } from '../store/schema.ts';

/** Rows of this capability. Times in ms since 1970. */
export interface AttestationTables {
  /** Challenges for clients whose TLS has no exporter: single use. */
  attestationNonces: { nonce: string; expiresAt: number };
  /** The last verdict over each device. */
  attestations: {
    deviceId: string;
    time: number;
    verdict: string;
    /** JSON: sentences. */
    reasons: string;
    format: string;
    /** Hex of the SHA-256 of the evidence as it came. */
    evidenceDigest: string;
    lifecycle: string;
    /** JSON: what was measured and how it compared; see `attestation-record.ts`. */
    components: string;
    release: string | null;
    requiredRelease: string | null;
    policyVersion: number;
    tenantId: string | null;
    clientSerial: string | null;
    updateSerial: string;
    nextCheck: number;
    /** JSON: each claim as it was judged, and the references that it was compared with. */
    result: string;
  };
  /** The last time that a device proved who it is and was refused all the same. */
  attestationRefusals: { deviceId: string; time: number; code: string; message: string };
}

/** Makes the tables of this capability. */
export const ATTESTATION_SCHEMA: CapabilitySchema = {
  capability: 'attestation',
  async create(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('attestationNonces')
      .addColumn('nonce', 'text', (column) => column.primaryKey())
      .addColumn('expiresAt', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema
      .createIndex('attestationNoncesByEnd')
      .on('attestationNonces')
      .column('expiresAt')
      .execute();
    await db.schema
      .createTable('attestations')
      .addColumn('deviceId', 'text', (column) => column.primaryKey())
      .addColumn('time', 'bigint', (column) => column.notNull())
      .addColumn('verdict', 'text', (column) => column.notNull())
      .addColumn('reasons', 'text', (column) => column.notNull())
      .addColumn('format', 'text', (column) => column.notNull())
      .addColumn('evidenceDigest', 'text', (column) => column.notNull())
      .addColumn('lifecycle', 'text', (column) => column.notNull())
      .addColumn('components', 'text', (column) => column.notNull())
      .addColumn('release', 'text')
      .addColumn('requiredRelease', 'text')
      .addColumn('policyVersion', 'integer', (column) => column.notNull())
      .addColumn('tenantId', 'text')
      .addColumn('clientSerial', 'text')
      .addColumn('updateSerial', 'text', (column) => column.notNull())
      .addColumn('nextCheck', 'bigint', (column) => column.notNull())
      .execute();
  },
  changes: [
    {
      name: 'results-and-refusals',
      async apply(db) {
        await db.schema
          .alterTable('attestations')
          .addColumn('result', 'text', (column) => column.notNull().defaultTo('{}'))
          .execute();
        await db.schema
          .createTable('attestationRefusals')
          .addColumn('deviceId', 'text', (column) => column.primaryKey())
          .addColumn('time', 'bigint', (column) => column.notNull())
          .addColumn('code', 'text', (column) => column.notNull())
          .addColumn('message', 'text', (column) => column.notNull())
          .execute();
      },
    },
  ],
};
