import type { CapabilitySchema } from '../store/schema.ts';

/** Rows of this capability. Times in ms since 1970. */
export interface JobTables {
  jobs: { name: string; nextRun: number; leasedUntil: number; holder: string };
}

export const JOBS_SCHEMA: CapabilitySchema = {
  capability: 'jobs',
  async create(db) {
    await db.schema
      .createTable('jobs')
      .addColumn('name', 'text', (column) => column.primaryKey())
      .addColumn('nextRun', 'bigint', (column) => column.notNull())
      .addColumn('leasedUntil', 'bigint', (column) => column.notNull())
      .addColumn('holder', 'text', (column) => column.notNull())
      .execute();
  },
};
