import { ROLES, type Permission, type Role, type Scope } from '@sevenfold/api';
import type { Caller } from '../http/handlers.ts';
import { ServiceError } from '../service-error.ts';

/** The part of a route that says who may call it. */
export interface AccessRule {
  readonly permission: Permission;
  readonly scope: Scope;
}

/**
 * May this caller call this route, for this tenant? `tenantId` is the one in the path, if the route has one.
 * Another tenant's things do not exist, as far as a caller can tell: `NotFound`. Else `Forbidden` names the role.
 */
export function authorise(rule: AccessRule, caller: Caller, tenantId: string | undefined): void {
  if (rule.permission === 'public') return;
  if (caller.tenantId !== null) {
    if (rule.scope === 'tenant' && tenantId !== caller.tenantId) throw tenantNotFound(tenantId);
    if (rule.scope === 'service') {
      throw new ServiceError('Forbidden', 'This concerns the whole service, and you belong to a tenant.', {
        rule: 'a principal of the whole service',
      });
    }
  }
  if (rank(caller.role) < rank(rule.permission)) {
    throw new ServiceError('Forbidden', `This needs the role ${rule.permission}; yours is ${caller.role}.`, {
      rule: `role ${rule.permission}`,
    });
  }
}

/** The refusal that does not tell whether the tenant exists. */
export function tenantNotFound(tenantId: string | undefined): ServiceError {
  return new ServiceError('NotFound', `There is no tenant "${tenantId ?? ''}".`, { field: 'tenantId' });
}

function rank(role: Role): number {
  return ROLES.indexOf(role);
}
