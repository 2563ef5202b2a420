import type { Kysely } from 'kysely';

/** Rows of this capability: the last plan of each device. Times in ms since 1970. */
export interface UpdateTables {
  devicePlans: {
    deviceId: string;
    issuedAt: number;
    nextCheck: number;
    osVersion: string | null;
    /** JSON: the images that the device reported. */
    installed: string;
    /** JSON: the ids of the images that it may download. */
    planned: string;
    release: string | null;
    /** JSON: what went wrong on the device, in its own words. */
    failures: string;
  };
}

/** Makes the tables of this capability. */
export const UPDATES_SCHEMA = {
  capability: 'updates',
  async create(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('devicePlans')
      .addColumn('deviceId', 'text', (column) => column.primaryKey())
      .addColumn('issuedAt', 'bigint', (column) => column.notNull())
      .addColumn('nextCheck', 'bigint', (column) => column.notNull())
      .addColumn('osVersion', 'text')
      .addColumn('installed', 'text', (column) => column.notNull())
      .addColumn('planned', 'text', (column) => column.notNull())
      .addColumn('release', 'text')
      .addColumn('failures', 'text', (column) => column.notNull())
      .execute();
  },
};
