import { ACCESS_SCHEMA } from '../access/schema.ts';
import { ATTESTATION_SCHEMA } from '../attestation/schema.ts';
import { CERTIFICATES_SCHEMA } from '../certificates/schema.ts';
import { DEPLOYMENTS_SCHEMA } from '../deployments/schema.ts';
import { ERRORS_SCHEMA } from '../errors/schema.ts';
import { IMAGES_SCHEMA } from '../images/schema.ts';
import { JOBS_SCHEMA } from '../jobs/schema.ts';
import { MANUFACTURING_SCHEMA } from '../manufacturing/schema.ts';
import { REGISTRY_SCHEMA } from '../registry/schema.ts';
import { UPDATES_SCHEMA } from '../updates/schema.ts';
import type { CapabilitySchema } from './schema.ts';

/** The schema of every capability, in the order in which tables are made. Beside it: the types in `database.ts`. */
export const SCHEMAS: readonly CapabilitySchema[] = [
  JOBS_SCHEMA,
  ACCESS_SCHEMA,
  REGISTRY_SCHEMA,
  MANUFACTURING_SCHEMA,
  CERTIFICATES_SCHEMA,
  IMAGES_SCHEMA,
  DEPLOYMENTS_SCHEMA,
  ATTESTATION_SCHEMA,
  UPDATES_SCHEMA,
  ERRORS_SCHEMA,
];
