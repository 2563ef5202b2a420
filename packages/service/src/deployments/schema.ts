import type { CapabilitySchema } from '../store/schema.ts';

/** Rows of this capability. Times in ms since 1970. Digests: SHA-256, hex. */
export interface DeploymentTables {
  deployments: {
    deploymentId: string;
    tenantId: string;
    deviceGroupId: string;
    /** 1, 2, … in a group: the highest is in force. */
    sequence: number;
    /** JSON: image ids. */
    imageIds: string;
    createdAt: number;
  };
  platformKeys: {
    /** SHA-1 of the SPKI, hex, as image packages name their signer. */
    thumbprint: string;
    spki: Uint8Array;
    createdAt: number;
  };
  osImages: {
    imageId: string;
    componentId: string;
    imageType: number;
    name: string;
    size: number;
    /** Of the whole package: the reference value of attestation. */
    digest: string;
    /** As `images.contentDigest`. */
    contentDigest: string;
    chipSku: number;
    securityVersion: number;
    uploadedAt: number;
    /** SHA-256 of the SPKI of the key that signed it, hex; null for one that was uploaded before this was kept. */
    signerId: string | null;
  };
  osReleases: {
    name: string;
    feed: string;
    chipSku: number;
    /** 1, 2, … over all releases: the highest of a feed and SKU that is not revoked is in force. */
    sequence: number;
    createdAt: number;
    revokedAt: number | null;
    revokedReason: string | null;
  };
  osReleaseImages: { release: string; imageId: string; digest: string };
}

export const DEPLOYMENTS_SCHEMA: CapabilitySchema = {
  capability: 'deployments',
  async create(db) {
    await db.schema
      .createTable('deployments')
      .addColumn('deploymentId', 'text', (column) => column.primaryKey())
      .addColumn('tenantId', 'text', (column) => column.notNull())
      .addColumn('deviceGroupId', 'text', (column) => column.notNull())
      .addColumn('sequence', 'integer', (column) => column.notNull())
      .addColumn('imageIds', 'text', (column) => column.notNull())
      .addColumn('createdAt', 'bigint', (column) => column.notNull())
      .addUniqueConstraint('deploymentsInOrder', ['deviceGroupId', 'sequence'])
      .execute();
    await db.schema
      .createTable('platformKeys')
      .addColumn('thumbprint', 'text', (column) => column.primaryKey())
      .addColumn('spki', 'bytea', (column) => column.notNull())
      .addColumn('createdAt', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema
      .createTable('osImages')
      .addColumn('imageId', 'text', (column) => column.primaryKey())
      .addColumn('componentId', 'text', (column) => column.notNull())
      .addColumn('imageType', 'integer', (column) => column.notNull())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('size', 'bigint', (column) => column.notNull())
      .addColumn('digest', 'text', (column) => column.notNull())
      .addColumn('contentDigest', 'text', (column) => column.notNull())
      .addColumn('chipSku', 'bigint', (column) => column.notNull())
      .addColumn('securityVersion', 'bigint', (column) => column.notNull())
      .addColumn('uploadedAt', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema.createIndex('osImagesByDigest').on('osImages').column('digest').execute();
    await db.schema
      .createTable('osReleases')
      .addColumn('name', 'text', (column) => column.primaryKey())
      .addColumn('feed', 'text', (column) => column.notNull())
      .addColumn('chipSku', 'bigint', (column) => column.notNull())
      .addColumn('sequence', 'integer', (column) => column.notNull().unique())
      .addColumn('createdAt', 'bigint', (column) => column.notNull())
      .addColumn('revokedAt', 'bigint')
      .addColumn('revokedReason', 'text')
      .execute();
    await db.schema
      .createIndex('osReleasesOfFeed')
      .on('osReleases')
      .columns(['chipSku', 'feed', 'sequence'])
      .execute();
    await db.schema
      .createTable('osReleaseImages')
      .addColumn('release', 'text', (column) => column.notNull().references('osReleases.name'))
      .addColumn('imageId', 'text', (column) => column.notNull().references('osImages.imageId'))
      .addColumn('digest', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('osReleaseImagesKey', ['release', 'imageId'])
      .execute();
    await db.schema.createIndex('osReleaseImagesByDigest').on('osReleaseImages').column('digest').execute();
  },
  changes: [
    {
      name: 'os-image-signers',
      apply: (db) => db.schema.alterTable('osImages').addColumn('signerId', 'text').execute(),
    },
  ],
};
