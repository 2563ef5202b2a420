import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { expect, it } from 'vitest';
import { findEndorsement } from '../manufacturing/find-endorsement.ts';
import { findAttester } from '../registry/find-attester.ts';
import { migrate } from './migrate.ts';
import { SCHEMAS } from './schemas.ts';
import { openSqliteStore } from './sqlite-store.ts';

const DEVICE = 'd'.repeat(64);
const NAME = `01${DEVICE}`;

it('a database from before its tables were laid out by key is taken over with every row and rule', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sevenfold-keyed-'));
  const store = openSqliteStore(join(folder, 'service.sqlite'));
  try {
    const former = SCHEMAS.map((schema) => ({
      ...schema,
      changes: (schema.changes ?? []).filter(
        ({ name }) => name !== 'endorsements-by-evidence-name' && name !== 'devices-by-id',
      ),
    }));
    await migrate(store, former, 1000);
    await store.write(async (tx) => {
      await sql`insert into tenants ("tenantId", "sequence", "name", "nameKey", "virtualSkus", "createdAt")
        values ('t', 1, 'T', 't', '["SF-V1"]', 5)`.execute(tx);
      const endorsement = { chipSku: 1, makerId: 'm', createdAt: 5 };
      await tx
        .insertInto('endorsements')
        .values([
          { ...endorsement, deviceId: 'e'.repeat(64), evidenceName: '02', spki: Uint8Array.of(2) },
          { ...endorsement, deviceId: DEVICE, evidenceName: NAME, spki: Uint8Array.of(1, 0, 255) },
        ])
        .execute();
      const device = { tenantId: 't', deviceGroupId: null, chipSku: 1, blocked: 1, claimedAt: 7 };
      await tx
        .insertInto('devices')
        .values({ ...device, deviceId: DEVICE })
        .execute();
      await tx
        .insertInto('releasedDevices')
        .values({ deviceId: 'e'.repeat(64), tenantId: 't', releasedAt: 9 })
        .execute();
    });
    await migrate(store, SCHEMAS, 2000);

    const claimed = await findAttester(store.read, NAME);
    expect(claimed).toMatchObject({ deviceId: DEVICE, tenantId: 't', blocked: true, released: false });
    expect([...(claimed?.spki ?? [])]).toEqual([1, 0, 255]);
    expect(await findAttester(store.read, '02')).toMatchObject({ tenantId: null, released: true });
    expect(await findEndorsement(store.read, DEVICE)).toMatchObject({ evidenceName: NAME, makerId: 'm' });
    const again = { chipSku: 1, makerId: 'm', createdAt: 5, spki: Uint8Array.of(3) };
    for (const twice of [
      { ...again, deviceId: DEVICE, evidenceName: '03' },
      { ...again, deviceId: 'f'.repeat(64), evidenceName: NAME },
    ]) {
      await expect(
        store.write((tx) => tx.insertInto('endorsements').values(twice).execute()),
      ).rejects.toThrow(/UNIQUE/u);
    }
    const orphan = { deviceId: 'f'.repeat(64), tenantId: 'nobody', deviceGroupId: null, chipSku: 1 };
    await expect(
      store.write((tx) =>
        tx
          .insertInto('devices')
          .values({ ...orphan, blocked: 0, claimedAt: 1 })
          .execute(),
      ),
    ).rejects.toThrow(/FOREIGN KEY/u);
  } finally {
    await store.close();
    rmSync(folder, { recursive: true });
  }
});

it('an attestation finds its chip by the key of two tables, and reads neither of them twice', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sevenfold-keyed-'));
  const store = openSqliteStore(join(folder, 'service.sqlite'));
  try {
    await migrate(store, SCHEMAS, 1000);
    const { rows } = await sql<{ name: string }>`select name from pragma_table_list
      where wr = 1 order by name`.execute(store.read);
    expect(rows.map(({ name }) => name)).toEqual(['devices', 'endorsements', 'releasedDevices']);
  } finally {
    await store.close();
    rmSync(folder, { recursive: true });
  }
});
