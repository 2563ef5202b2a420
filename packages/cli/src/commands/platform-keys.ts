import { join } from 'node:path';
import { buildCommand, buildRouteMap, type RouteMap } from '@stricli/core';
import { ensureKey, openFileKeyStore, thumbprint } from '@sevenfold/pki';
import { toHex } from '@sevenfold/formats';
import { positionals, textFlag, type CliContext } from '../context.ts';
import {
  readPlatformKeys,
  retireKey,
  rotateKeyIn,
  writePlatformKeys,
  type PlatformKeys,
} from '../platform/platform-keys.ts';
import { installationFolder } from '../profile.ts';
import { formatTable } from '../table.ts';

interface PlatformFlags {
  readonly data: string;
}

/** Declares `--data`: where the platform's keys and images are. */
export const platformFlags = {
  data: {
    ...textFlag('Folder of the platform: its keys and images', 'DIR'),
    default: join(installationFolder, 'data', 'platform'),
  },
} as const;

const PUBLISH = 'What is published next (`sevenfold os-release publish`) is signed and trusted like that.';

async function formatKeys(folder: string, { signing, trusted, version }: PlatformKeys): Promise<string> {
  const keys = await openFileKeyStore(join(folder, 'keys'));
  const rows = await Promise.all(
    trusted.map(async (name) => ({ name, thumbprint: toHex(thumbprint(await ensureKey(keys, name))) })),
  );
  const table = formatTable(
    rows,
    [
      { heading: 'KEY', value: ({ name }) => name },
      { heading: 'THUMBPRINT', value: (row) => row.thumbprint },
      { heading: 'SIGNS', value: ({ name }) => (name === signing ? 'yes' : 'no longer') },
    ],
    'No key.',
  );
  return `Keystore version ${version}\n${table}`;
}

/** `sevenfold platform-key …`: the keys that sign system images. */
export const platformKeyCommands: RouteMap<CliContext> = buildRouteMap({
  docs: { brief: 'Keys that sign system images, on the machine that has them' },
  routes: {
    list: buildCommand<PlatformFlags, [], CliContext>({
      docs: { brief: 'List the keys that the next keystore trusts' },
      parameters: { flags: platformFlags },
      async func({ data }) {
        this.process.stdout.write(await formatKeys(data, readPlatformKeys(data)));
      },
    }),
    rotate: buildCommand<PlatformFlags, [], CliContext>({
      docs: {
        brief: 'Make a new key and sign with it from now on; images of the former one go on running',
        fullDescription:
          'First of two steps. Publish a release after it and let the fleet take it: its devices get the new keystore first, restart, and then the images that the new key has signed. When all have, retire the former key.',
      },
      parameters: { flags: platformFlags },
      async func({ data }) {
        const keys = await rotateKeyIn(data);
        this.process.stdout.write(`${await formatKeys(data, keys)}${PUBLISH}\n`);
      },
    }),
    retire: buildCommand<PlatformFlags, [string], CliContext>({
      docs: {
        brief: 'Trust a key no more that was replaced',
        fullDescription:
          'Second of two steps. Devices that missed the first are led over its keystore, as long as the release that brought it is not revoked.',
      },
      parameters: { flags: platformFlags, positional: positionals({ brief: 'The key', placeholder: 'KEY' }) },
      async func({ data }, name) {
        const keys = retireKey(readPlatformKeys(data), name);
        writePlatformKeys(data, keys);
        this.process.stdout.write(`${await formatKeys(data, keys)}${PUBLISH}\n`);
      },
    }),
  },
});
