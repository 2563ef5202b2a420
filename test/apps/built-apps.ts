import { fileURLToPath } from 'node:url';
import { generateKeyPair, signWithPkcs8, thumbprint } from '@sevenfold/pki';
import { buildApps, type BuiltApp } from '@sevenfold/sdk';

const folder = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export const TENANT = '11111111-2222-4333-8444-555555555555';

/** The apps of these tests. */
export interface BuiltTestApps {
  readonly blink: readonly BuiltApp[];
  readonly libc: BuiltApp;
}

async function build(): Promise<BuiltTestApps> {
  const key = generateKeyPair();
  const signer = {
    thumbprint: thumbprint(key.spki),
    sign: (message: Uint8Array) => Promise.resolve(signWithPkcs8(key.pkcs8, message)),
  };
  const [libc, ...blink] = await buildApps([
    { sourceDir: folder('libc'), signer },
    ...['1', '2', '3'].map((version) => ({
      sourceDir: folder('../../examples/blink'),
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
