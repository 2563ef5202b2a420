import type { CapabilitySchema } from '../store/schema.ts';

/** Rows of this capability. Times in ms since 1970; JSON columns hold what `stored-example.ts` writes. */
export interface ErrorTables {
  errorReports: {
    deviceId: string;
    /** 32 hex digits, chosen by the device: the same report twice is one row. */
    reportId: string;
    groupId: string;
    receivedAt: number;
  };
  errorGroups: {
    groupId: string;
    /** The tenant that owned the device when it reported; null for a device that nobody has claimed. */
    tenantId: string | null;
    fingerprint: string;
    componentId: string;
    kind: string;
    title: string;
    state: string;
    count: number;
    deviceCount: number;
    firstSeen: number;
    lastSeen: number;
    fixedImageId: string | null;
    fixedAt: number | null;
    osVersions: string;
    example: string;
  };
  errorGroupDevices: { groupId: string; deviceId: string };
  errorGroupImages: { groupId: string; imageId: string; count: number; firstSeen: number; lastSeen: number };
}

/** Makes the tables of this capability. */
export const ERRORS_SCHEMA: CapabilitySchema = {
  capability: 'errors',
  changes: [
    {
      name: 'index-reports-by-time',
      async apply(db) {
        await db.schema.createIndex('errorReportsByTime').on('errorReports').column('receivedAt').execute();
      },
    },
  ],
  async create(db) {
    await db.schema
      .createTable('errorGroups')
      .addColumn('groupId', 'text', (column) => column.primaryKey())
      .addColumn('tenantId', 'text')
      .addColumn('fingerprint', 'text', (column) => column.notNull())
      .addColumn('componentId', 'text', (column) => column.notNull())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('title', 'text', (column) => column.notNull())
      .addColumn('state', 'text', (column) => column.notNull())
      .addColumn('count', 'bigint', (column) => column.notNull())
      .addColumn('deviceCount', 'bigint', (column) => column.notNull())
      .addColumn('firstSeen', 'bigint', (column) => column.notNull())
      .addColumn('lastSeen', 'bigint', (column) => column.notNull())
      .addColumn('fixedImageId', 'text')
      .addColumn('fixedAt', 'bigint')
      .addColumn('osVersions', 'text', (column) => column.notNull())
      .addColumn('example', 'text', (column) => column.notNull())
      .execute();
    await db.schema
      .createIndex('errorGroupsOfTenant')
      .on('errorGroups')
      .columns(['tenantId', 'lastSeen'])
      .execute();
    await db.schema
      .createTable('errorReports')
      .addColumn('deviceId', 'text', (column) => column.notNull())
      .addColumn('reportId', 'text', (column) => column.notNull())
      .addColumn('groupId', 'text', (column) => column.notNull())
      .addColumn('receivedAt', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('errorReportsKey', ['deviceId', 'reportId'])
      .execute();
    await db.schema
      .createTable('errorGroupDevices')
      .addColumn('groupId', 'text', (column) => column.notNull())
      .addColumn('deviceId', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('errorGroupDevicesKey', ['groupId', 'deviceId'])
      .execute();
    await db.schema
      .createTable('errorGroupImages')
      .addColumn('groupId', 'text', (column) => column.notNull())
      .addColumn('imageId', 'text', (column) => column.notNull())
      .addColumn('count', 'bigint', (column) => column.notNull())
      .addColumn('firstSeen', 'bigint', (column) => column.notNull())
      .addColumn('lastSeen', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('errorGroupImagesKey', ['groupId', 'imageId'])
      .execute();
  },
};
