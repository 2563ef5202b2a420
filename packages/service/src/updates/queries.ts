import type { Kysely, Selectable } from 'kysely';

import type { Database } from '../store/database.ts';
import type { UpdateTables } from './schema.ts';

export type DevicePlanRow = Selectable<UpdateTables['devicePlans']>;

export async function replaceDevicePlan(db: Kysely<Database>, row: DevicePlanRow): Promise<void> {
  const { deviceId: _key, ...rest } = row;
  await db
    .insertInto('devicePlans')
    .values(row)
    .onConflict((conflict) => conflict.column('deviceId').doUpdateSet(rest))
    .execute();
}

export async function selectDevicePlan(
  db: Kysely<Database>,
  deviceId: string,
): Promise<DevicePlanRow | undefined> {
  return db.selectFrom('devicePlans').selectAll().where('deviceId', '=', deviceId).executeTakeFirst();
}
