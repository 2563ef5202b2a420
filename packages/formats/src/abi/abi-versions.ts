import { ABI_KINDS, type AbiVersion } from '../image-metadata.ts';
import { APPLICATION_RUNTIME_VERSION } from './application-runtime.ts';
import type { SystemImageTypeName } from './image-types.ts';

interface AbiRow {
  readonly provides: readonly AbiVersion[];
  readonly depends: readonly AbiVersion[];
}

const PLUTON: AbiVersion = { version: 2, kind: ABI_KINDS.PlutonRuntime };
const SECURE_WORLD: AbiVersion = { version: 1, kind: ABI_KINDS.SecureWorldRuntime };
const OS: AbiVersion = { version: 1, kind: ABI_KINDS.OSRuntime };
const APPLICATIONS: AbiVersion = { version: APPLICATION_RUNTIME_VERSION, kind: ABI_KINDS.ApplicationRuntime };

/**
 * The interfaces of this repository's stages, as their packages state them: a version is raised when the table of calls
 * in `calls.ts` grows, and a layer depends on the version whose calls it uses. So layers that are updated alone are
 * refused where they do not fit.
 */
export const STAGE_ABI: Readonly<Partial<Record<SystemImageTypeName, AbiRow>>> = {
  PlutonRuntime: { provides: [PLUTON], depends: [] },
  SecurityMonitor: { provides: [SECURE_WORLD], depends: [{ ...PLUTON, version: 1 }] },
  NormalWorldKernel: { provides: [OS, APPLICATIONS], depends: [SECURE_WORLD] },
  Services: { provides: [], depends: [SECURE_WORLD, OS] },
};
