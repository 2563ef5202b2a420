import type { CapabilitySchema } from './schema.ts';

/** The schema of every capability, in the order in which tables are made. Beside it: the types in `database.ts`. */
export const SCHEMAS: readonly CapabilitySchema[] = [];
