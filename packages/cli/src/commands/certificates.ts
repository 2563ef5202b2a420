import { writeFile } from 'node:fs/promises';
import { buildCommand, buildRouteMap, type RouteMap } from '@stricli/core';
import { ROUTES, type TenantCertificate } from '@sevenfold/api';
import { toPem } from '@sevenfold/pki';
import {
  inTenant,
  positionals,
  tenantFlags,
  textFlag,
  type CliContext,
  type TenantFlags,
} from '../context.ts';
import { CliError } from '../errors.ts';
import { formatTable } from '../table.ts';

const SERIAL = { brief: 'Its serial', placeholder: 'SERIAL' } as const;

interface OutputFlags extends TenantFlags {
  readonly output?: string;
}
interface ProofFlags extends OutputFlags {
  readonly nonce: string;
}
const outputFlag = {
  ...textFlag('File to write; without it, PEM on standard output', 'FILE'),
  optional: true,
} as const;

/** Authorities as a table, the newest first. */
export const formatCertificates = (items: readonly TenantCertificate[]): string =>
  formatTable<TenantCertificate>(
    items,
    [
      { heading: 'SERIAL', value: (certificate) => certificate.serial },
      { heading: 'STATUS', value: (certificate) => certificate.status },
      { heading: 'ACTIVE FROM', value: (certificate) => certificate.activeFrom },
      { heading: 'UNTIL', value: (certificate) => certificate.notAfter },
      { heading: 'THUMBPRINT', value: (certificate) => certificate.thumbprint },
      { heading: 'SUBJECT', value: (certificate) => certificate.subject },
    ],
    'No CA yet.',
  );

/** `sevenfold ca-certificate …`. */
export const certificateCommands: RouteMap<CliContext> = buildRouteMap({
  docs: { brief: 'The tenant’s certificate authorities: what a broker or cloud registers' },
  routes: {
    list: buildCommand<TenantFlags, [], CliContext>({
      docs: { brief: 'List the tenant’s CAs, the newest first' },
      parameters: { flags: tenantFlags },
      func: inTenant(
        async (client, tenantId) => (await client.call(ROUTES.certificates, { params: { tenantId } })).items,
        formatCertificates,
      ),
    }),
    download: buildCommand<OutputFlags, [string], CliContext>({
      docs: { brief: 'Download one CA’s certificate (.cer: DER)' },
      parameters: { flags: { ...tenantFlags, output: outputFlag }, positional: positionals(SERIAL) },
      func: inTenant(async (client, tenantId, { output }: OutputFlags, serial) => {
        const reply = await client.call(ROUTES.certificate, { params: { tenantId, serial } });
        return deliver(output, reply.cer, pemOf(reply.cer));
      }, show),
    }),
    'download-chain': buildCommand<OutputFlags, [string], CliContext>({
      docs: { brief: 'Download a CA and those above it: .p7b into a file, PEM (leaf first) without one' },
      parameters: { flags: { ...tenantFlags, output: outputFlag }, positional: positionals(SERIAL) },
      func: inTenant(async (client, tenantId, { output }: OutputFlags, serial) => {
        const reply = await client.call(ROUTES.certificateChain, { params: { tenantId, serial } });
        return deliver(output, reply.p7b, reply.chainPem);
      }, show),
    }),
    'download-proof': buildCommand<ProofFlags, [string], CliContext>({
      docs: {
        brief: 'Prove to a relying party that a CA is yours: a certificate over its nonce, for an hour',
      },
      parameters: {
        flags: {
          ...tenantFlags,
          output: outputFlag,
          nonce: textFlag('The relying party’s verification code', 'NONCE'),
        },
        positional: positionals(SERIAL),
      },
      func: inTenant(async (client, tenantId, { output, nonce }: ProofFlags, serial) => {
        const reply = await client.call(ROUTES.proveCertificate, {
          params: { tenantId, serial },
          body: { nonce },
        });
        return deliver(output, reply.cer, pemOf(reply.cer));
      }, show),
    }),
    revoke: buildCommand<TenantFlags, [string], CliContext>({
      docs: { brief: 'Take a CA back at once: nothing of it counts any more, the next one issues' },
      parameters: { flags: tenantFlags, positional: positionals(SERIAL) },
      func: inTenant(
        (client, tenantId, _flags: TenantFlags, serial) =>
          client.call(ROUTES.revokeCertificate, { params: { tenantId }, body: { serial } }),
        (next) => formatCertificates([next]),
      ),
    }),
  },
});

/** What a download printed or wrote. */
interface Delivery {
  readonly writtenTo: string | null;
  readonly pem: string;
}

async function deliver(path: string | undefined, base64: string, pem: string): Promise<Delivery> {
  if (path === undefined) return { writtenTo: null, pem };
  try {
    await writeFile(path, Buffer.from(base64, 'base64'));
  } catch (cause) {
    throw new CliError('FileError', `Cannot write ${path}.`, { cause });
  }
  return { writtenTo: path, pem };
}

function show({ writtenTo, pem }: Delivery): string {
  return writtenTo === null ? pem : `Written to ${writtenTo}.\n`;
}

function pemOf(base64: string): string {
  return toPem('CERTIFICATE', Buffer.from(base64, 'base64'));
}
