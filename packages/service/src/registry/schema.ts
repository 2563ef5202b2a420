import { replaceTable, withoutRowId } from '../store/keyed-table.ts';
import type { CapabilitySchema } from '../store/schema.ts';

/** Rows of this capability. Times in ms since 1970. `nameKey` is the name without case: unique in its parent. */
export interface RegistryTables {
  /** `sequence` counts up: tenants in the order in which they were made. */
  tenants: {
    tenantId: string;
    sequence: number;
    name: string;
    nameKey: string;
    /** JSON: names of the virtual chip SKUs whose devices the tenant may claim. */
    virtualSkus: string;
    createdAt: number;
  };
  products: {
    productId: string;
    tenantId: string;
    name: string;
    nameKey: string;
    description: string;
    createdAt: number;
  };
  deviceGroups: {
    deviceGroupId: string;
    tenantId: string;
    productId: string;
    name: string;
    nameKey: string;
    description: string;
    osFeed: string;
    updatePolicy: string;
    createdAt: number;
  };
  devices: {
    /** A device is claimed by one tenant at most. */
    deviceId: string;
    tenantId: string;
    deviceGroupId: string | null;
    chipSku: number;
    blocked: number;
    claimedAt: number;
  };
  /** Devices that a tenant has given up and nobody has claimed since. */
  releasedDevices: { deviceId: string; tenantId: string; releasedAt: number };
}

export const REGISTRY_SCHEMA: CapabilitySchema = {
  capability: 'registry',
  async create(db) {
    await db.schema
      .createTable('tenants')
      .addColumn('tenantId', 'text', (column) => column.primaryKey())
      .addColumn('sequence', 'bigint', (column) => column.notNull().unique())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('nameKey', 'text', (column) => column.notNull().unique())
      .addColumn('createdAt', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema
      .createTable('products')
      .addColumn('productId', 'text', (column) => column.primaryKey())
      .addColumn('tenantId', 'text', (column) => column.notNull().references('tenants.tenantId'))
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('nameKey', 'text', (column) => column.notNull())
      .addColumn('description', 'text', (column) => column.notNull())
      .addColumn('createdAt', 'bigint', (column) => column.notNull())
      .addUniqueConstraint('productsByName', ['tenantId', 'nameKey'])
      .execute();
    await db.schema
      .createTable('deviceGroups')
      .addColumn('deviceGroupId', 'text', (column) => column.primaryKey())
      .addColumn('tenantId', 'text', (column) => column.notNull().references('tenants.tenantId'))
      .addColumn('productId', 'text', (column) => column.notNull().references('products.productId'))
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('nameKey', 'text', (column) => column.notNull())
      .addColumn('description', 'text', (column) => column.notNull())
      .addColumn('osFeed', 'text', (column) => column.notNull())
      .addColumn('updatePolicy', 'text', (column) => column.notNull())
      .addColumn('createdAt', 'bigint', (column) => column.notNull())
      .addUniqueConstraint('deviceGroupsByName', ['productId', 'nameKey'])
      .execute();
    await db.schema
      .createIndex('deviceGroupsOfTenant')
      .on('deviceGroups')
      .columns(['tenantId', 'deviceGroupId'])
      .execute();
    await db.schema
      .createTable('devices')
      .addColumn('deviceId', 'text', (column) => column.primaryKey())
      .addColumn('tenantId', 'text', (column) => column.notNull().references('tenants.tenantId'))
      .addColumn('deviceGroupId', 'text', (column) => column.references('deviceGroups.deviceGroupId'))
      .addColumn('chipSku', 'bigint', (column) => column.notNull())
      .addColumn('blocked', 'integer', (column) => column.notNull())
      .addColumn('claimedAt', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema.createIndex('devicesOfTenant').on('devices').columns(['tenantId', 'deviceId']).execute();
  },
  changes: [
    {
      name: 'virtual-skus',
      // Whoever had virtual devices before has to allow them now: nobody had said so.
      apply: (db) =>
        db.schema
          .alterTable('tenants')
          .addColumn('virtualSkus', 'text', (column) => column.notNull().defaultTo('[]'))
          .execute(),
    },
    {
      name: 'released-devices',
      apply: (db) =>
        db.schema
          .createTable('releasedDevices')
          .addColumn('deviceId', 'text', (column) => column.primaryKey())
          .addColumn('tenantId', 'text', (column) => column.notNull())
          .addColumn('releasedAt', 'bigint', (column) => column.notNull())
          .execute(),
    },
    {
      name: 'devices-by-id',
      async apply(db) {
        await db.schema
          .createTable('devicesAnew')
          .addColumn('deviceId', 'text', (column) => column.primaryKey())
          .addColumn('tenantId', 'text', (column) => column.notNull().references('tenants.tenantId'))
          .addColumn('deviceGroupId', 'text', (column) => column.references('deviceGroups.deviceGroupId'))
          .addColumn('chipSku', 'bigint', (column) => column.notNull())
          .addColumn('blocked', 'integer', (column) => column.notNull())
          .addColumn('claimedAt', 'bigint', (column) => column.notNull())
          .modifyEnd(withoutRowId)
          .execute();
        const columns = ['deviceId', 'tenantId', 'deviceGroupId', 'chipSku', 'blocked', 'claimedAt'];
        await replaceTable(db, 'devices', 'devicesAnew', columns);
        await db.schema
          .createIndex('devicesOfTenant')
          .on('devices')
          .columns(['tenantId', 'deviceId'])
          .execute();
        await db.schema
          .createTable('releasedDevicesAnew')
          .addColumn('deviceId', 'text', (column) => column.primaryKey())
          .addColumn('tenantId', 'text', (column) => column.notNull())
          .addColumn('releasedAt', 'bigint', (column) => column.notNull())
          .modifyEnd(withoutRowId)
          .execute();
        await replaceTable(db, 'releasedDevices', 'releasedDevicesAnew', [
          'deviceId',
          'tenantId',
          'releasedAt',
        ]);
      },
    },
  ],
};
