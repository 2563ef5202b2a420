import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { buildCommand, buildRouteMap, type RouteMap } from '@stricli/core';
import { ROUTES } from '@sevenfold/api';
import {
  encodeCertificateBag,
  fromPem,
  makeOfflineRoot,
  nameText,
  openOfflineRoot,
  parseCertificateBag,
  signIntermediate,
  toPem,
  type KeyCurve,
  type KeyStore,
  type OfflineRoot,
} from '@sevenfold/pki';
import {
  atService,
  positionals,
  serviceFlags,
  textFlag,
  type CliContext,
  type ServiceFlags,
} from '../context.ts';
import { CliError } from '../errors.ts';
import { keyStoreFlags, openKeyStore, type KeyStoreFlags } from '../key-store-flags.ts';
import { installationFolder } from '../profile.ts';
import { formatCertificates } from './certificates.ts';

const CURVES = ['P-256', 'P-384'] as const;

interface DataFlags extends KeyStoreFlags {
  readonly data: string;
}
const dataFlags = {
  data: {
    ...textFlag('Folder of the service, which must not be running', 'DIR'),
    default: join(installationFolder, 'data', 'service'),
  },
  ...keyStoreFlags,
} as const;
const curveFlag = {
  kind: 'enum',
  values: CURVES,
  default: 'P-256',
  brief: 'Curve of root and intermediate',
} as const;

interface InitFlags extends DataFlags {
  readonly offlineRoot: boolean;
  readonly curve: KeyCurve;
  readonly request: string;
}

interface SignFlags extends KeyStoreFlags {
  readonly root: string;
  readonly curve: KeyCurve;
  readonly request: string;
  readonly answer: string;
}

interface ReplaceFlags extends ServiceFlags {
  readonly compromised: boolean;
}

/** `sevenfold pki …`: what stands above the tenants' CAs. */
export const pkiCommands: RouteMap<CliContext> = buildRouteMap({
  docs: { brief: 'Root and intermediate of a service' },
  routes: {
    init: buildCommand<InitFlags, [], CliContext>({
      docs: {
        brief: 'Make root and intermediate before the first start, or ask a root that lives elsewhere',
        fullDescription:
          'With --offline-root the intermediate’s key is made here and its request written to a file: carry that to the root (`pki sign`) and bring the answer back (`pki import`). Needs no network. Again later: the request for the next intermediate.',
      },
      parameters: {
        flags: {
          ...dataFlags,
          offlineRoot: {
            kind: 'boolean',
            default: false,
            withNegated: false,
            brief: 'The root’s key lives on another machine',
          },
          curve: curveFlag,
          request: { ...textFlag('Where the request is written', 'FILE'), default: 'intermediate.csr' },
        },
      },
      async func({ offlineRoot, curve, request, ...flags }) {
        const { initPki, requestFromOfflineRoot } = await import('@sevenfold/service');
        await using folder = await folderOptions(flags, this.process.env);
        if (!offlineRoot) {
          const root = await initPki(folder.options, curve);
          this.process.stdout.write(`The root is ${nameText(root.subject)}, serial ${root.serial}.\n`);
          return;
        }
        await write(
          request,
          toPem('CERTIFICATE REQUEST', await requestFromOfflineRoot(folder.options, curve)),
        );
        this.process.stdout.write(
          `The request is in ${request}. At the root: \`sevenfold pki sign --request ${request}\`.\n`,
        );
      },
    }),
    sign: buildCommand<SignFlags, [], CliContext>({
      docs: {
        brief: 'At the root: certify the intermediate of a request; makes the root at its first use',
        fullDescription: 'For a machine without network, whose clock is right.',
      },
      parameters: {
        flags: {
          root: {
            ...textFlag('Folder of the root: its key and certificate', 'DIR'),
            default: 'offline-root',
          },
          ...keyStoreFlags,
          curve: curveFlag,
          request: { ...textFlag('The request', 'FILE'), default: 'intermediate.csr' },
          answer: { ...textFlag('Where the answer is written', 'FILE'), default: 'intermediate.p7b' },
        },
      },
      async func({ request, answer, ...flags }) {
        const [csr, ...others] = fromPem('CERTIFICATE REQUEST', (await read(request)).toString('latin1'));
        if (csr === undefined || others.length > 0)
          throw new CliError('FileError', `${request} does not hold one request.`);
        const folder = resolve(flags.root);
        const store = await openKeyStore(flags, folder, this.process.env);
        await using _closing = { [Symbol.asyncDispose]: () => store.close() };
        const root = await openRoot(folder, store.keys, flags.curve);
        const intermediate = await signIntermediate(root, csr);
        await write(answer, encodeCertificateBag([intermediate.der, root.certificate.der]));
        this.process.stdout.write(
          `Root ${root.certificate.serial} has certified ${nameText(intermediate.subject)}, serial ${intermediate.serial}.\nThe answer is in ${answer}. At the service: \`sevenfold pki import --answer ${answer}\`.\n`,
        );
      },
    }),
    import: buildCommand<
      DataFlags & { readonly answer: string; readonly compromised: boolean },
      [],
      CliContext
    >({
      docs: { brief: 'At the service: take the root’s answer' },
      parameters: {
        flags: {
          ...dataFlags,
          answer: { ...textFlag('The answer', 'FILE'), default: 'intermediate.p7b' },
          compromised: {
            kind: 'boolean',
            default: false,
            withNegated: false,
            brief: 'Take the former intermediate back',
          },
        },
      },
      async func({ answer, compromised, ...flags }) {
        const { importFromOfflineRoot } = await import('@sevenfold/service');
        const certificates = parseCertificateBag(new Uint8Array(await read(answer)));
        await using folder = await folderOptions(flags, this.process.env);
        const intermediate = await importFromOfflineRoot(folder.options, certificates, compromised);
        this.process.stdout.write(`The intermediate is ${intermediate.serial} from now on.\n`);
      },
    }),
    list: buildCommand<ServiceFlags, [], CliContext>({
      docs: { brief: 'Show the intermediate that issues' },
      parameters: { flags: serviceFlags },
      func: atService(async (client) => (await client.call(ROUTES.intermediates)).items, formatCertificates),
    }),
    'replace-intermediate': buildCommand<ReplaceFlags, [string], CliContext>({
      docs: { brief: 'Put a new intermediate in place of the one that issues' },
      parameters: {
        flags: {
          ...serviceFlags,
          compromised: {
            kind: 'boolean',
            default: false,
            withNegated: false,
            brief: 'Take it back, and certify everything below it anew',
          },
        },
        positional: positionals({ brief: 'Serial of the one that issues now', placeholder: 'SERIAL' }),
      },
      func: atService(
        (client, { compromised }: ReplaceFlags, serial) =>
          client.call(ROUTES.replaceIntermediate, { body: { serial, compromised } }),
        (next) => formatCertificates([next]),
      ),
    }),
  },
});

/** The folder of a service that is not running, with its keys. */
async function folderOptions(
  flags: DataFlags,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<{ readonly options: { dataDir: string; keys: KeyStore } } & AsyncDisposable> {
  const dataDir = resolve(flags.data);
  const { keys, close } = await openKeyStore(flags, dataDir, environment);
  return { options: { dataDir, keys }, [Symbol.asyncDispose]: close };
}

async function openRoot(folder: string, keys: KeyStore, curve: KeyCurve): Promise<OfflineRoot> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const entropy = { random: (length: number) => new Uint8Array(randomBytes(length)) };
  const options = { keys, now: Date.now(), entropy };
  const path = join(folder, 'root.cer');
  let kept: Buffer | null = null;
  try {
    kept = await readFile(path);
  } catch (error) {
    const isFirstUse = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (!isFirstUse) throw error;
  }
  if (kept !== null) return openOfflineRoot(options, new Uint8Array(kept));
  const root = await makeOfflineRoot(options, curve);
  await write(path, root.certificate.der);
  return root;
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new CliError('FileError', `Cannot read ${path}.`, { cause });
  }
}

async function write(path: string, content: string | Uint8Array): Promise<void> {
  try {
    await writeFile(path, content);
  } catch (cause) {
    throw new CliError('FileError', `Cannot write ${path}.`, { cause });
  }
}
