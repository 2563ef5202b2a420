import type { Kysely } from 'kysely';

/** Rows of this capability: the certificates of authorities. Those of devices live a day and stand with the attestation. */
export interface CertificatesTables {
  authorities: {
    /** Hex of the serial number, as the certificate prints it. */
    serial: string;
    kind: string;
    /** Of a tenant CA; null for those of the whole service. */
    tenantId: string | null;
    /** `kind`, tenant and number of this authority: at most one certificate each. */
    place: string;
    keyName: string;
    issuerSerial: string | null;
    notBefore: number;
    notAfter: number;
    der: Uint8Array;
    /** From when on it issues; later than `notBefore` for one that was made ahead. Ms since 1970. */
    activeFrom: number;
    /** When it was taken back; null as long as it was not. */
    revokedAt: number | null;
  };
  /** An intermediate that waits for the answer of a root that lives elsewhere. */
  intermediateRequests: { place: string; requestedAt: number };
}

/** Makes the tables of this capability. */
export const CERTIFICATES_SCHEMA = {
  capability: 'certificates',
  async create(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('authorities')
      .addColumn('serial', 'text', (column) => column.primaryKey())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('tenantId', 'text')
      .addColumn('place', 'text', (column) => column.notNull().unique())
      .addColumn('keyName', 'text', (column) => column.notNull())
      .addColumn('issuerSerial', 'text')
      .addColumn('notBefore', 'bigint', (column) => column.notNull())
      .addColumn('notAfter', 'bigint', (column) => column.notNull())
      .addColumn('der', 'bytea', (column) => column.notNull())
      .execute();
    await db.schema
      .createIndex('authoritiesOfTenant')
      .on('authorities')
      .columns(['tenantId', 'notAfter'])
      .execute();
  },
  changes: [
    {
      name: 'life-cycle',
      async apply(db: Kysely<unknown>): Promise<void> {
        await db.schema
          .alterTable('authorities')
          .addColumn('activeFrom', 'bigint', (column) => column.notNull().defaultTo(0))
          .execute();
        await db.schema.alterTable('authorities').addColumn('revokedAt', 'bigint').execute();
        await db.schema
          .createTable('intermediateRequests')
          .addColumn('place', 'text', (column) => column.primaryKey())
          .addColumn('requestedAt', 'bigint', (column) => column.notNull())
          .execute();
      },
    },
  ],
};
