import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SdkError } from './errors.ts';
import { findFreeRtos } from './realtime/freertos.ts';

/** What a new app may start from, and what it is. */
export const APP_TEMPLATES = {
  blink: 'an LED, a button and a timer, in C',
  telemetry: 'readings to a broker of its own over MQTT with the device’s certificate, in C',
  empty: 'a main function',
  intercore: 'an app and one on a real-time core that talk to each other, in C',
  rust: 'the blinking LED in Rust, with your rustc',
  assemblyscript: 'the blinking LED in AssemblyScript, whose compiler `npm install` brings',
  'realtime-baremetal': 'a real-time app: an LED and a button by interrupts, in C',
  'realtime-rtos': 'a real-time app of tasks, on the SDK’s kernel, in C',
  'realtime-freertos': 'a real-time app of tasks, on your FreeRTOS (--freertos PATH), in C',
} as const;
export type AppTemplate = keyof typeof APP_TEMPLATES;

/** What a new app is made from. */
export interface NewAppOptions {
  /** Where it goes; its last part is the app's name. Must not exist, or be empty. */
  readonly folder: string;
  readonly template: AppTemplate;
  /** Folder of the installation that the app is to be built with. */
  readonly installation: string;
  /** Folder of a FreeRTOS kernel, which the template `realtime-freertos` needs. */
  readonly freertos?: string;
}

const FREERTOS: AppTemplate = 'realtime-freertos';
const TEMPLATES = fileURLToPath(new URL('../templates', import.meta.url));
const NAME = /^[A-Za-z][A-Za-z0-9_-]{0,30}$/;
/** Folders and files whose names begin with a dot where they go. */
const HIDDEN: readonly string[] = ['vscode', 'gitignore'];

/**
 * Writes a new app; gives the paths of its files. It is bound to this installation by links in `node_modules`, so that
 * `npx sevenfold` works at once and without a network. Throws `ProjectExists`, `NameInvalid` or `ProjectIncomplete`.
 */
export async function newApp(options: NewAppOptions): Promise<readonly string[]> {
  const { folder, template, installation, freertos } = options;
  const name = basename(folder);
  if (!NAME.test(name)) {
    throw new SdkError('NameInvalid', `${name} is no name for an app.`, {
      field: 'name',
      rule: 'a letter, then at most 30 letters, digits, - and _',
    });
  }
  const present = await readdir(folder).catch(() => []);
  if (present.length > 0) {
    throw new SdkError('ProjectExists', `There is something in ${folder} already.`, { field: 'name' });
  }
  if (template === FREERTOS) await findFreeRtos(freertos ?? '');
  const values: Readonly<Record<string, string>> = {
    NAME: name,
    COMPONENT_ID: randomUUID(),
    PARTNER_ID: randomUUID(),
    // Inside a JSON text.
    FREERTOS: JSON.stringify(freertos ?? '').slice(1, -1),
    INSTALLATION: installation.endsWith(sep) ? installation.slice(0, -1) : installation,
  };
  const files = new Set<string>();
  for (const source of [join(TEMPLATES, 'common'), join(TEMPLATES, template)]) {
    for (const entry of await readdir(source, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const from = join(entry.parentPath, entry.name);
      const path = relative(source, from)
        .split(sep)
        .map((part) => (HIDDEN.includes(part) ? `.${part}` : part))
        .join('/');
      const text = await readFile(from, 'utf8');
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(
        join(folder, path),
        text.replaceAll(/\{\{(\w+)\}\}/g, (whole, key: string) => values[key] ?? whole),
      );
      files.add(path);
    }
  }
  await linkInstallation(folder, installation);
  return [...files].sort();
}

/** What `npm install` would make of the dependency in `package.json`. */
async function linkInstallation(folder: string, installation: string): Promise<void> {
  const modules = join(folder, 'node_modules');
  await mkdir(join(modules, '.bin'), { recursive: true });
  const links = [
    [join(modules, 'sevenfold'), installation],
    [join(modules, '.bin', 'sevenfold'), join(installation, 'packages/cli/bin/sevenfold.mjs')],
  ] as const;
  for (const [link, target] of links) {
    await rm(link, { force: true });
    await symlink(target, link);
  }
}
