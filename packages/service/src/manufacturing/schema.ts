import type { Kysely } from 'kysely';

/** Rows of this capability. Times in ms since 1970. */
export interface ManufacturingTables {
  siliconMakers: { makerId: string; name: string; spki: Uint8Array; createdAt: number };
  endorsements: {
    /** 64 hex digits: SHA-256 of `spki`. */
    deviceId: string;
    spki: Uint8Array;
    chipSku: number;
    makerId: string;
    createdAt: number;
  };
}

/** Makes the tables of this capability. */
export const MANUFACTURING_SCHEMA = {
  capability: 'manufacturing',
  async create(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('siliconMakers')
      .addColumn('makerId', 'text', (column) => column.primaryKey())
      .addColumn('name', 'text', (column) => column.notNull().unique())
      .addColumn('spki', 'bytea', (column) => column.notNull())
      .addColumn('createdAt', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema
      .createTable('endorsements')
      .addColumn('deviceId', 'text', (column) => column.primaryKey())
      .addColumn('spki', 'bytea', (column) => column.notNull())
      .addColumn('chipSku', 'integer', (column) => column.notNull())
      .addColumn('makerId', 'text', (column) => column.notNull())
      .addColumn('createdAt', 'bigint', (column) => column.notNull())
      .execute();
  },
};
