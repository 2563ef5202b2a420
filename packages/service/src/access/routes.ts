import { callerOf, toTime, type Caller, type Handlers } from '../http/handlers.ts';
import { findTenant } from '../registry/tenants.ts';
import type { ServiceContext } from '../service-context.ts';
import { listAudit } from './audit.ts';
import { tenantNotFound } from './authorise.ts';
import { enrol, invite } from './enrol.ts';
import { listPrincipals } from './principals.ts';

type AccessHandlers = Pick<Handlers, 'enrol' | 'me' | 'invite' | 'principals' | 'audit'>;

/** Answers the routes of `ACCESS_ROUTES`. */
export function accessHandlers(context: Pick<ServiceContext, 'store' | 'clock' | 'entropy'>): AccessHandlers {
  return {
    async enrol({ body }) {
      const spki = new Uint8Array(Buffer.from(body.publicKey, 'base64'));
      const { principalId, role, tenantId } = await enrol(context, {
        token: body.token,
        name: body.name,
        spki,
      });
      return { principalId, role, tenantId };
    },
    me: (request) => toPrincipal(callerOf(request)),
    async invite(request) {
      const caller = callerOf(request);
      const { role, tenantId } = request.body;
      if (caller.tenantId !== null && tenantId !== caller.tenantId)
        throw tenantNotFound(tenantId ?? undefined);
      if (tenantId !== null && (await findTenant(context, tenantId)) === null) throw tenantNotFound(tenantId);
      const { token, expiresAt } = await invite(context, { role, tenantId });
      return { token, expiresAt: toTime(expiresAt) };
    },
    async principals(request) {
      const { items, next } = await listPrincipals(context, callerOf(request), request.query);
      return { items: items.map(toPrincipal), next };
    },
    async audit(request) {
      const { items, next } = await listAudit(context, callerOf(request), request.query);
      return { items: items.map((row) => ({ ...row, time: toTime(row.time) })), next };
    },
  };
}

function toPrincipal(caller: Caller): Omit<Caller, 'createdAt'> & { createdAt: string } {
  return { ...caller, createdAt: toTime(caller.createdAt) };
}
