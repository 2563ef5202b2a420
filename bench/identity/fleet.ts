import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import {
  CHIP_SKUS,
  fromHex,
  guidFromRandom,
  IMAGE_TYPES,
  SYSTEM_COMPONENT_IDS,
  SYSTEM_IMAGE_TYPES,
  toHex,
} from '@sevenfold/formats';
import { generateKeyPair, openFileKeyStore, sha256, toPem } from '@sevenfold/pki';
import { CertificateAuthorities } from '../../packages/service/src/certificates/authorities.ts';
import { SILENT_LOG } from '../../packages/service/src/http/log.ts';
import { openFolderBlobStore } from '../../packages/service/src/blobs/folder-blob-store.ts';
import { registerSiliconMaker } from '../../packages/service/src/manufacturing/silicon-makers.ts';
import { SYSTEM_CLOCK, SYSTEM_ENTROPY } from '../../packages/service/src/real-world.ts';
import { createDeviceGroup } from '../../packages/service/src/registry/device-groups.ts';
import { createProduct } from '../../packages/service/src/registry/products.ts';
import { createTenant } from '../../packages/service/src/registry/tenants.ts';
import type { ServiceContext } from '../../packages/service/src/service-context.ts';
import { migrate } from '../../packages/service/src/store/migrate.ts';
import { SCHEMAS } from '../../packages/service/src/store/schemas.ts';
import { openSqliteStore } from '../../packages/service/src/store/sqlite-store.ts';
import { Chip, type MeasuredImage } from './chip.ts';

const CHIP_SKU = CHIP_SKUS['SF-V1'];
/** An SPKI on P-256 up to its point. */
const SPKI_PREFIX = '3059301306072a8648ce3d020106082a8648ce3d03010703420004';

/** The data folder of a service with its fleet: what `chips` say is true, the other devices are rows alone. */
export interface Fleet {
  readonly folder: string;
  readonly rootPem: string;
  /** Endorsed and claimed, running the release in force. */
  readonly chips: readonly Chip[];
}

/** How large it is. */
export interface FleetSize {
  readonly devices: number;
  readonly releases: number;
  /** Of the devices, those that can attest. */
  readonly chips: number;
}

/** What the verbs of the service stand on, in a data folder: as `startService` opens it. */
export async function openContext(folder: string): Promise<ServiceContext> {
  const store = openSqliteStore(join(folder, 'service.sqlite'));
  await migrate(store, SCHEMAS, SYSTEM_CLOCK.now());
  return {
    store,
    blobs: await openFolderBlobStore(join(folder, 'blobs')),
    keys: await openFileKeyStore(join(folder, 'keys')),
    clock: SYSTEM_CLOCK,
    entropy: SYSTEM_ENTROPY,
    log: SILENT_LOG,
  };
}

/** Fills an empty folder: authorities, maker, tenant, product and group by their verbs, the many rows in bulk. */
export async function makeFleet(folder: string, size: FleetSize): Promise<Fleet> {
  const context = await openContext(folder);
  const authorities = new CertificateAuthorities(context);
  await authorities.ensureAuthorities();
  const rootPem = toPem('CERTIFICATE', (await authorities.issuing('root', null)).certificate.der);
  const maker = await registerSiliconMaker(context, { name: 'Bench silicon', spki: generateKeyPair().spki });
  const settings = { allowedVirtualSkus: ['SF-V1'] } as const;
  const { tenantId } = await createTenant({ ...context, authorities }, 'Bench', settings);
  const { productId } = await createProduct(context, tenantId, { name: 'Lamp' });
  const group = await createDeviceGroup(context, tenantId, { productId, name: 'Production' });
  await context.store.close();

  const database = new DatabaseSync(join(folder, 'service.sqlite'));
  database.exec('pragma synchronous = off; pragma cache_size = -400000; begin');
  const running = fillReleases(database, size.releases);
  const chips = Array.from({ length: size.chips }, () => new Chip(running));
  fillDevices(database, { ...size, makerId: maker.makerId, tenantId, groupId: group.deviceGroupId }, chips);
  database.exec('commit; pragma wal_checkpoint(truncate)');
  database.close();
  return { folder, rootPem, chips };
}

/** Releases of system images of their own; the images of the newest. */
function fillReleases(database: DatabaseSync, count: number): readonly MeasuredImage[] {
  const image = database.prepare(
    'insert into "osImages" ("imageId", "componentId", "imageType", "name", "size", "digest", "contentDigest", "chipSku", "securityVersion", "uploadedAt") values (?, ?, ?, ?, 100000, ?, ?, ?, 1, ?)',
  );
  const release = database.prepare(
    `insert into "osReleases" ("name", "feed", "chipSku", "sequence", "createdAt") values (?, 'Retail', ?, ?, ?)`,
  );
  const part = database.prepare(
    'insert into "osReleaseImages" ("release", "imageId", "digest") values (?, ?, ?)',
  );
  let newest: MeasuredImage[] = [];
  for (let sequence = 1; sequence <= count; sequence++) {
    const name = `26.${sequence}`;
    release.run(name, CHIP_SKU, sequence, Date.now());
    newest = SYSTEM_IMAGE_TYPES.map((imageType) => {
      const imageId = guidFromRandom(SYSTEM_ENTROPY.random(16));
      const digest = SYSTEM_ENTROPY.random(32);
      const [component, type] = [SYSTEM_COMPONENT_IDS[imageType], IMAGE_TYPES[imageType]];
      image.run(
        imageId,
        component,
        type,
        imageType,
        toHex(digest),
        toHex(sha256(digest)),
        CHIP_SKU,
        Date.now(),
      );
      part.run(name, imageId, toHex(digest));
      return { imageType, name: imageType, securityVersion: 1, digest, signerId: new Uint8Array(32) };
    });
  }
  return newest;
}

interface DeviceRows extends FleetSize {
  readonly makerId: string;
  readonly tenantId: string;
  readonly groupId: string;
}

/** Rows as an import and a claim leave them; those of no chip have random ids and points. */
function fillDevices(database: DatabaseSync, rows: DeviceRows, chips: readonly Chip[]): void {
  const endorsement =
    'insert into "endorsements" ("deviceId", "spki", "chipSku", "evidenceName", "makerId", "createdAt")';
  const one = database.prepare(`${endorsement} values (?, ?, ?, ?, ?, ?)`);
  for (const { deviceId, spki } of chips) {
    one.run(deviceId, spki, CHIP_SKU, `01${deviceId}`, rows.makerId, Date.now());
  }
  database
    .prepare(
      `with recursive numbers (number) as (select 1 union all select number + 1 from numbers where number < ?),
       ids (id) as materialized (select lower(hex(randomblob(32))) from numbers)
       ${endorsement} select id, cast(? || randomblob(64) as blob), ?, '01' || id, ?, ? from ids order by id`,
    )
    .run(Math.max(1, rows.devices - chips.length), fromHex(SPKI_PREFIX), CHIP_SKU, rows.makerId, Date.now());
  database
    .prepare(
      `insert into "devices" ("deviceId", "tenantId", "deviceGroupId", "chipSku", "blocked", "claimedAt")
       select "deviceId", ?, ?, "chipSku", 0, "createdAt" from "endorsements" order by "deviceId"`,
    )
    .run(rows.tenantId, rows.groupId);
}
