import { generateKeyPair, signWithPkcs8, thumbprint } from '@sevenfold/pki';
import { buildApps, type BuildOptions, type BuiltApp } from '@sevenfold/sdk';
import { fileURLToPath } from 'node:url';
import type { KernelWorld } from '../../packages/os/src/kernel/testing/kernel-world.ts';

/** Signs apps with a key that nobody else has. */
export function newSigner(): BuildOptions['signer'] {
  const key = generateKeyPair();
  return {
    thumbprint: thumbprint(key.spki),
    sign: (message) => Promise.resolve(signWithPkcs8(key.pkcs8, message)),
  };
}

/** Folder of an example. */
export const exampleFolder = (name: string): string =>
  fileURLToPath(new URL(`../../examples/${name}`, import.meta.url));

/** Builds examples with one run of the compiler. */
export async function buildExamples<Name extends string>(
  names: readonly Name[],
): Promise<Readonly<Record<Name, BuiltApp>>> {
  const signer = newSigner();
  const built = await buildApps(names.map((name) => ({ sourceDir: exampleFolder(name), signer })));
  // One for each, in their order.
  return Object.fromEntries(names.map((name, index) => [name, built[index]])) as Record<Name, BuiltApp>;
}

/** Installs an app on a device that runs, and starts it. */
export async function install(world: KernelWorld, app: BuiltApp): Promise<void> {
  world.installPackage(app.componentId, app.imagePackage);
  await world.services('appInstalled', app.componentId);
}

/** What an app has said through `Log_Debug`. */
export function linesOf(world: KernelWorld, name: string): readonly string[] {
  const start = `app ${name}: `;
  return world.log.filter((line) => line.startsWith(start)).map((line) => line.slice(start.length));
}
