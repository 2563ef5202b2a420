import { join, resolve } from 'node:path';
import { buildCommand, buildRouteMap, type RouteMap } from '@stricli/core';
import { APP_TEMPLATES, formatMemoryUse, newApp, type AppTemplate } from '@sevenfold/sdk';
import { positionals, textFlag, type CliContext } from '../context.ts';
import { CliError } from '../errors.ts';
import { installationFolder } from '../profile.ts';

interface BuildFlags {
  readonly directory: string;
  readonly hardware?: string;
  readonly define?: readonly string[];
  readonly toolchain?: string;
  readonly freertos?: string;
}

const freertosFlag = {
  ...textFlag('Folder of a FreeRTOS kernel for a real-time app', 'PATH'),
  optional: true,
} as const;

const buildFlags = {
  directory: { ...textFlag('Folder of the app', 'DIR'), default: '.' },
  hardware: {
    ...textFlag(
      'Hardware definition in place of the app’s own: a file, or a name such as mt3620_rdb.json',
      'FILE',
    ),
    optional: true,
  },
  define: { ...textFlag('Macro for the compiler', 'NAME=VALUE'), optional: true, variadic: true },
  toolchain: {
    ...textFlag(
      'Folder of a compiler in place of the installation’s: clang 19 or newer with wasi-libc (wasi-sdk); for real-time apps of arm-none-eabi-gcc, which is else looked for on the path',
      'DIR',
    ),
    optional: true,
  },
  freertos: freertosFlag,
} as const;

function definesOf(texts: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    texts.map((text) => {
      const [, name, value] = /^([A-Za-z_]\w*)(?:=(.*))?$/.exec(text) ?? [];
      if (name === undefined) {
        throw new CliError('BadValue', `--define ${text} is no macro.`, {
          field: 'define',
          rule: 'NAME=VALUE',
        });
      }
      return [name, value ?? '1'];
    }),
  );
}

const optionsOf = (
  context: CliContext,
  { directory, hardware, define = [], toolchain, freertos }: BuildFlags,
) => ({
  folder: resolve(directory),
  ...(hardware === undefined ? {} : { hardware }),
  ...(toolchain === undefined ? {} : { toolchain: resolve(toolchain) }),
  ...(freertos === undefined ? {} : { freertos: resolve(freertos) }),
  defines: definesOf(define),
  environment: context.process.env,
  messages: context.process.stderr,
});

export const appCommands: RouteMap<CliContext> = buildRouteMap({
  docs: {
    brief: 'Write, build, run, debug and test an app on this machine; no service and no network needed',
  },
  routes: {
    new: buildCommand<{ readonly template: AppTemplate; readonly freertos?: string }, [string], CliContext>({
      docs: {
        brief: 'Make a new app in a folder of its own',
        fullDescription: `Templates:\n${Object.entries(APP_TEMPLATES)
          .map(([name, what]) => `  ${name.padEnd(18)} ${what}`)
          .join('\n')}`,
      },
      parameters: {
        flags: {
          template: {
            kind: 'enum',
            values: Object.keys(APP_TEMPLATES) as AppTemplate[],
            brief: 'What to start from',
            default: 'blink',
          },
          freertos: freertosFlag,
        },
        positional: positionals({ brief: 'The app’s name, and its folder', placeholder: 'NAME' }),
      },
      async func({ template, freertos }, path) {
        const files = await newApp({
          folder: resolve(path),
          template,
          installation: installationFolder,
          ...(freertos === undefined ? {} : { freertos: resolve(freertos) }),
        });
        this.process.stdout.write(
          `${files.map((file) => `  ${join(path, file)}`).join('\n')}\n\ncd ${path}\nnpx sevenfold app build\nnpx sevenfold app run\nnpx sevenfold app test\n`,
        );
      },
    }),
    build: buildCommand<BuildFlags & { readonly out?: string }, [], CliContext>({
      docs: {
        brief: 'Build the app of this folder into an image package',
        fullDescription:
          'Compiles every C and C++ source of the folder, links it with the SDK and packs it with its manifest and the folder `resources`. Writes out/NAME.imagepackage, its symbols for `image add --symbols`, its bill of materials (CycloneDX) for `--sbom`, and its debug information; for a real-time app (ApplicationType RealTimeCapable), which arm-none-eabi-gcc compiles, also the linker’s map.',
      },
      parameters: {
        flags: { ...buildFlags, out: { ...textFlag('Where to write', 'DIR'), optional: true } },
      },
      async func(flags) {
        const { buildAndTell } = await import('../app/build.ts');
        const began = performance.now();
        const options = optionsOf(this, flags);
        const outDir = flags.out === undefined ? join(options.folder, 'out') : resolve(flags.out);
        const app = await buildAndTell({ ...options, outDir });
        this.process.stdout.write(
          `${join(outDir, `${app.name}.imagepackage`)}  ${app.imagePackage.length} bytes, image ${app.imageId}, ${Math.round(performance.now() - began)} ms\n`,
        );
        for (const use of app.realTime?.use ?? []) this.process.stdout.write(`${formatMemoryUse(use)}\n`);
      },
    }),
    run: buildCommand<
      BuildFlags & {
        readonly partner?: readonly string[];
        readonly watch: boolean;
        readonly verbose: boolean;
        readonly trace?: string;
        readonly gdb?: number;
      },
      [],
      CliContext
    >({
      docs: {
        brief: 'Run the app of this folder on a virtual device until Ctrl-C',
        fullDescription:
          'Builds the app and boots a virtual device in this process with the app installed. What the app logs – a real-time app on its core’s debug UART – and what its LEDs show appears at once; keys 1 to 9 press its buttons. Its Ethernet leads to this machine’s network: private networks of several devices are for tests (createPrivateNetwork). --trace writes what its GPIOs did, as a value change dump that any waveform viewer opens.',
      },
      parameters: {
        flags: {
          ...buildFlags,
          partner: {
            ...textFlag('Folder of another app for the same device: a partner on a real-time core', 'DIR'),
            optional: true,
            variadic: true,
          },
          watch: {
            kind: 'boolean',
            default: false,
            withNegated: false,
            brief: 'Build and run anew when a file changes',
          },
          trace: {
            ...textFlag('Where to write a timing diagram of the GPIOs (.vcd) at the end', 'FILE'),
            optional: true,
          },
          verbose: {
            kind: 'boolean',
            default: false,
            withNegated: false,
            brief: 'Show every line of the device',
          },
          gdb: {
            kind: 'parsed',
            parse: portOf,
            optional: true,
            brief: 'Let GDB on this machine take hold of the real-time core that runs the app, at this port',
            placeholder: 'PORT',
          },
        },
      },
      async func(flags) {
        const { runApp } = await import('../app/run.ts');
        await runApp({
          ...optionsOf(this, flags),
          process: this.process,
          partners: (flags.partner ?? []).map((folder) => resolve(folder)),
          isWatching: flags.watch,
          isVerbose: flags.verbose,
          gdbPort: flags.gdb ?? null,
          ...(flags.trace === undefined ? {} : { tracePath: resolve(flags.trace) }),
        });
      },
    }),
    debug: buildCommand({
      docs: {
        brief: 'Be an editor’s debugger: Debug Adapter Protocol at standard input and output',
        fullDescription:
          'Builds the app that the editor launches without optimisation and runs it on a virtual device as `app run` does: breakpoints, steps and variables by source line. `app new` writes .vscode/launch.json (docs/sdk.md).',
      },
      parameters: {},
      async func(this: CliContext) {
        const { debugApp } = await import('../app/debug/debug.ts');
        await debugApp(this.process);
      },
    }),
    test: buildCommand<BuildFlags, readonly string[], CliContext>({
      docs: {
        brief: 'Build the app of this folder and run its tests on virtual time',
        fullDescription:
          'Runs tests/*.test.ts and *.test.js with Node’s own test runner. They import `startApp` from "sevenfold/test", which boots a virtual device with the app and board models (docs/sdk.md).',
      },
      parameters: {
        flags: buildFlags,
        positional: {
          kind: 'array',
          parameter: {
            parse: (text: string) => text,
            brief: 'Only files with this in their name',
            placeholder: 'PART',
          },
        },
      },
      async func(flags, ...patterns) {
        const { testApp } = await import('../app/test.ts');
        this.process.exitCode = await testApp(optionsOf(this, flags), patterns);
      },
    }),
  },
});

/** A port of this machine; 0: any that is free. Throws `RangeError`. */
function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (port <= 65_535) return port;
  throw new RangeError(`${text} is no port: a number up to 65535, or 0 for any that is free.`);
}
