import type { MigrationTables } from './schema.ts';

/**
 * All tables of the service: each capability declares its own in its `schema.ts` and is one name in this list.
 * A capability queries its own tables only; of others it calls the verbs.
 */
export interface Database extends MigrationTables {}
