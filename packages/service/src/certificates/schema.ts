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
  };
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
};
