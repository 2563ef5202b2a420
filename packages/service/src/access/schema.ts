import type { CapabilitySchema } from '../store/schema.ts';

/** Rows of this capability. Times in ms since 1970. */
export interface AccessTables {
  principals: {
    /** Made from the key: the same key is the same principal. */
    principalId: string;
    name: string;
    role: string;
    /** Null: of the whole service. */
    tenantId: string | null;
    spki: Uint8Array;
    createdAt: number;
  };
  enrolmentTokens: {
    /** SHA-256 of the token, hex: the token itself is nowhere. */
    digest: string;
    /** `first` for the first Administrator's, else `invitation`. */
    purpose: string;
    role: string;
    tenantId: string | null;
    expiresAt: number;
    /** Who came of it; a used token is kept until it expires, so that its owner may ask twice. */
    usedBy: string | null;
  };
  auditEntries: {
    /** Sorts by time. */
    entryId: string;
    time: number;
    principalId: string | null;
    tenantId: string | null;
    operation: string;
    target: string;
    /** `started`, `done`, or the code of the refusal. */
    outcome: string;
    requestId: string;
  };
}

export const ACCESS_SCHEMA: CapabilitySchema = {
  capability: 'access',
  async create(db) {
    await db.schema
      .createTable('principals')
      .addColumn('principalId', 'text', (column) => column.primaryKey())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('role', 'text', (column) => column.notNull())
      .addColumn('tenantId', 'text')
      .addColumn('spki', 'bytea', (column) => column.notNull())
      .addColumn('createdAt', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema
      .createTable('enrolmentTokens')
      .addColumn('digest', 'text', (column) => column.primaryKey())
      .addColumn('purpose', 'text', (column) => column.notNull())
      .addColumn('role', 'text', (column) => column.notNull())
      .addColumn('tenantId', 'text')
      .addColumn('expiresAt', 'bigint', (column) => column.notNull())
      .addColumn('usedBy', 'text')
      .execute();
    await db.schema
      .createTable('auditEntries')
      .addColumn('entryId', 'text', (column) => column.primaryKey())
      .addColumn('time', 'bigint', (column) => column.notNull())
      .addColumn('principalId', 'text')
      .addColumn('tenantId', 'text')
      .addColumn('operation', 'text', (column) => column.notNull())
      .addColumn('target', 'text', (column) => column.notNull())
      .addColumn('outcome', 'text', (column) => column.notNull())
      .addColumn('requestId', 'text', (column) => column.notNull())
      .execute();
    await db.schema
      .createIndex('auditEntriesOfTenant')
      .on('auditEntries')
      .columns(['tenantId', 'entryId'])
      .execute();
  },
};
