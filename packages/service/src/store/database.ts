import type { AccessTables } from '../access/schema.ts';
import type { AttestationTables } from '../attestation/schema.ts';
import type { CertificatesTables } from '../certificates/schema.ts';
import type { DeploymentTables } from '../deployments/schema.ts';
import type { ErrorTables } from '../errors/schema.ts';
import type { ImageTables } from '../images/schema.ts';
import type { JobTables } from '../jobs/schema.ts';
import type { ManufacturingTables } from '../manufacturing/schema.ts';
import type { RegistryTables } from '../registry/schema.ts';
import type { UpdateTables } from '../updates/schema.ts';
import type { MigrationTables } from './schema.ts';

/**
 * All tables of the service: each capability declares its own in its `schema.ts` and is one name in this list.
 * A capability queries its own tables only; of others it calls the verbs.
 */
export interface Database
  extends
    MigrationTables,
    AccessTables,
    AttestationTables,
    CertificatesTables,
    DeploymentTables,
    ErrorTables,
    ImageTables,
    JobTables,
    ManufacturingTables,
    RegistryTables,
    UpdateTables {}
