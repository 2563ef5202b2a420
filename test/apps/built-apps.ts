import { fileURLToPath } from 'node:url';
import { buildApps, type BuiltApp } from '@sevenfold/sdk';
import { exampleFolder, newSigner } from './device-apps.ts';

export const TENANT = '11111111-2222-4333-8444-555555555555';

/** The apps of these tests. */
export interface BuiltTestApps {
  readonly blink: readonly BuiltApp[];
  readonly libc: BuiltApp;
}

async function build(): Promise<BuiltTestApps> {
  const signer = newSigner();
  const [libc, ...blink] = await buildApps([
    { sourceDir: fileURLToPath(new URL('libc', import.meta.url)), signer },
    ...['1', '2', '3'].map((version) => ({
      sourceDir: exampleFolder('blink'),
      defines: { BLINK_VERSION: version },
      manifestOverrides: {
        cmdArgs: ['broker.test', '8883'],
        allowedConnections: ['broker.test'],
        deviceAuthentication: TENANT,
      },
      signer,
    })),
  ]);
  if (libc === undefined) throw new Error('The SDK built nothing.');
  return { libc, blink };
}

let built: Promise<BuiltTestApps> | null = null;

/** Builds them all with one run of the compiler, once a test run and thread. */
export function builtApps(): Promise<BuiltTestApps> {
  built ??= build();
  return built;
}
