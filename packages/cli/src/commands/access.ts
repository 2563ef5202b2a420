import { readFile } from 'node:fs/promises';
import { buildCommand, buildRouteMap, type Command, type RouteMap } from '@stricli/core';
import { ROLES, ROUTES, type AuditEntry, type Principal, type Role } from '@sevenfold/api';
import {
  allItems,
  serviceFlags,
  textFlag,
  atService,
  type CliContext,
  type ServiceFlags,
} from '../context.ts';
import { CliError } from '../errors.ts';
import { defaultProfileFolder, enrol } from '../profile.ts';
import { formatTable } from '../table.ts';

interface LoginFlags {
  readonly service: string;
  readonly token: string;
  readonly root: string;
  readonly name: string;
  readonly profile?: string;
}

/** Enrols this machine: makes a key pair in the profile's folder and exchanges the token for a principal. */
export const loginCommand: Command<CliContext> = buildCommand<LoginFlags, [], CliContext>({
  docs: { brief: 'Exchange a one-time token for a key pair of your own' },
  parameters: {
    flags: {
      service: textFlag('URL of the service', 'URL'),
      token: textFlag('The one-time token', 'TOKEN'),
      root: textFlag('The service’s TLS root, PEM', 'FILE'),
      name: { ...textFlag('Your name in the audit trail', 'NAME'), default: 'operator' },
      profile: { ...textFlag('Folder of the profile to make', 'DIR'), optional: true },
    },
  },
  async func(flags) {
    let tlsRootPem: string;
    try {
      tlsRootPem = await readFile(flags.root, 'utf8');
    } catch (cause) {
      throw new CliError('FileError', `Cannot read ${flags.root}.`, { cause });
    }
    const folder = flags.profile ?? defaultProfileFolder(this.process.env);
    const { principalId } = await enrol({
      folder,
      serviceUrl: flags.service,
      tlsRootPem,
      token: flags.token,
      name: flags.name,
    });
    this.process.stdout.write(`Enrolled as ${principalId}; the key is in ${folder}.\n`);
  },
});

const formatPrincipals = (principals: readonly Principal[]): string =>
  formatTable(
    principals,
    [
      { heading: 'PRINCIPAL', value: (principal) => principal.principalId },
      { heading: 'NAME', value: (principal) => principal.name },
      { heading: 'ROLE', value: (principal) => principal.role },
      { heading: 'TENANT', value: (principal) => principal.tenantId ?? 'all' },
    ],
    'Nobody.',
  );

interface InviteFlags extends ServiceFlags {
  readonly role: Role;
  readonly tenant?: string;
}

export const accessCommands: RouteMap<CliContext> = buildRouteMap({
  docs: { brief: 'People and machines that may call, and what they did' },
  routes: {
    me: buildCommand<ServiceFlags, [], CliContext>({
      docs: { brief: 'Show who you are' },
      parameters: { flags: serviceFlags },
      func: atService(
        (client) => client.call(ROUTES.me),
        (me) => formatPrincipals([me]),
      ),
    }),
    list: buildCommand<ServiceFlags, [], CliContext>({
      docs: { brief: 'List principals' },
      parameters: { flags: serviceFlags },
      func: atService(
        (client) => allItems<Principal>((query) => client.call(ROUTES.principals, { query })),
        formatPrincipals,
      ),
    }),
    invite: buildCommand<InviteFlags, [], CliContext>({
      docs: { brief: 'Make a one-time token for somebody else; it is shown once' },
      parameters: {
        flags: {
          ...serviceFlags,
          role: { kind: 'enum', values: ROLES, brief: 'What they may do' },
          tenant: {
            ...textFlag('Id of the tenant; the whole service when absent', 'TENANT'),
            optional: true,
          },
        },
      },
      func: atService(
        (client, { role, tenant }) =>
          client.call(ROUTES.invite, { body: { role, tenantId: tenant ?? null } }),
        ({ token, expiresAt }) => `${token}\nvalid until ${expiresAt}, once\n`,
      ),
    }),
    audit: buildCommand<ServiceFlags, [], CliContext>({
      docs: { brief: 'List the latest changes that were asked for' },
      parameters: { flags: serviceFlags },
      func: atService(
        async (client) => (await client.call(ROUTES.audit, { query: { limit: 100 } })).items,
        (items) =>
          formatTable<AuditEntry>(
            items,
            [
              { heading: 'TIME', value: (entry) => entry.time },
              { heading: 'OPERATION', value: (entry) => entry.operation },
              { heading: 'OUTCOME', value: (entry) => entry.outcome },
              { heading: 'TARGET', value: (entry) => entry.target },
              { heading: 'PRINCIPAL', value: (entry) => entry.principalId ?? '–' },
            ],
            'Nothing yet.',
          ),
      ),
    }),
  },
});
