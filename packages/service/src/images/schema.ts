import type { CapabilitySchema } from '../store/schema.ts';

/** Rows of this capability. Times in ms since 1970, build times in s since 1970. Digests: SHA-256, hex. */
export interface ImageTables {
  images: {
    /** The id inside the package: one image in the whole service. */
    imageId: string;
    tenantId: string;
    componentId: string;
    imageType: number;
    name: string;
    /** Of the package with the service's signature, as devices get it. */
    size: number;
    digest: string;
    /** Of everything but signer and signature: says whether an upload is the same image. */
    contentDigest: string;
    buildTime: number;
    uploadedAt: number;
    symbolsDigest: string | null;
    /** Of the bill of materials, as it was uploaded. */
    materialsDigest: string | null;
  };
}

export const IMAGES_SCHEMA: CapabilitySchema = {
  capability: 'images',
  changes: [
    {
      name: 'index-symbols',
      async apply(db) {
        await db.schema.createIndex('imagesBySymbols').on('images').column('symbolsDigest').execute();
      },
    },
    {
      name: 'keep-materials',
      async apply(db) {
        await db.schema.alterTable('images').addColumn('materialsDigest', 'text').execute();
        await db.schema.createIndex('imagesByMaterials').on('images').column('materialsDigest').execute();
      },
    },
  ],
  async create(db) {
    await db.schema
      .createTable('images')
      .addColumn('imageId', 'text', (column) => column.primaryKey())
      .addColumn('tenantId', 'text', (column) => column.notNull())
      .addColumn('componentId', 'text', (column) => column.notNull())
      .addColumn('imageType', 'integer', (column) => column.notNull())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('size', 'bigint', (column) => column.notNull())
      .addColumn('digest', 'text', (column) => column.notNull())
      .addColumn('contentDigest', 'text', (column) => column.notNull())
      .addColumn('buildTime', 'bigint', (column) => column.notNull())
      .addColumn('uploadedAt', 'bigint', (column) => column.notNull())
      .addColumn('symbolsDigest', 'text')
      .execute();
    await db.schema.createIndex('imagesOfTenant').on('images').columns(['tenantId', 'imageId']).execute();
  },
};
