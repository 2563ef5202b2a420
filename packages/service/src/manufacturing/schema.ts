import { sql, type Kysely } from 'kysely';

import { replaceTable, withoutRowId } from '../store/keyed-table.ts';
import type { CapabilitySchema } from '../store/schema.ts';

/** Rows of this capability. Times in ms since 1970. */
export interface ManufacturingTables {
  siliconMakers: { makerId: string; name: string; spki: Uint8Array; createdAt: number };
  endorsements: {
    /** 64 hex digits: SHA-256 of `spki`. */
    deviceId: string;
    spki: Uint8Array;
    chipSku: number;
    /** Hex of the name that the chip's evidence uses; unique. */
    evidenceName: string;
    makerId: string;
    createdAt: number;
  };
  /** Where IDevID and EK chains of a maker may end. `thumbprint`: hex of the SHA-1 of the root's SPKI. */
  siliconRoots: { thumbprint: string; makerId: string; der: Uint8Array; chipSku: number; createdAt: number };
}

/** Makes the tables of this capability. */
export const MANUFACTURING_SCHEMA: CapabilitySchema = {
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
  changes: [
    {
      name: 'evidence-names-and-roots',
      async apply(db) {
        await db.schema
          .alterTable('endorsements')
          .addColumn('evidenceName', 'text', (column) => column.notNull().defaultTo(''))
          .execute();
        // Chips so far are our own, whose evidence uses 0x01 and the device id.
        await sql`update ${sql.table('endorsements')} set ${sql.ref('evidenceName')} = '01' || ${sql.ref('deviceId')}`.execute(
          db,
        );
        await db.schema
          .createIndex('endorsementsByEvidenceName')
          .unique()
          .on('endorsements')
          .column('evidenceName')
          .execute();
        await db.schema
          .createTable('siliconRoots')
          .addColumn('thumbprint', 'text', (column) => column.primaryKey())
          .addColumn('makerId', 'text', (column) => column.notNull().references('siliconMakers.makerId'))
          .addColumn('der', 'bytea', (column) => column.notNull())
          .addColumn('chipSku', 'bigint', (column) => column.notNull())
          .addColumn('createdAt', 'bigint', (column) => column.notNull())
          .execute();
        await db.schema.createIndex('siliconRootsOfMaker').on('siliconRoots').column('makerId').execute();
      },
    },
    {
      name: 'endorsements-by-evidence-name',
      async apply(db) {
        await db.schema
          .createTable('endorsementsAnew')
          .addColumn('evidenceName', 'text', (column) => column.primaryKey())
          .addColumn('deviceId', 'text', (column) => column.notNull())
          .addColumn('spki', 'bytea', (column) => column.notNull())
          .addColumn('chipSku', 'integer', (column) => column.notNull())
          .addColumn('makerId', 'text', (column) => column.notNull())
          .addColumn('createdAt', 'bigint', (column) => column.notNull())
          .modifyEnd(withoutRowId)
          .execute();
        await replaceTable(db, 'endorsements', 'endorsementsAnew', [
          'evidenceName',
          'deviceId',
          'spki',
          'chipSku',
          'makerId',
          'createdAt',
        ]);
        await db.schema
          .createIndex('endorsementsByDevice')
          .unique()
          .on('endorsements')
          .column('deviceId')
          .execute();
      },
    },
  ],
};
