import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { buildCommand, buildRouteMap, type RouteMap } from '@stricli/core';
import { hardwareHeader, utf8Decode } from '@sevenfold/formats';
import { headerName, readHardware } from '@sevenfold/sdk';
import { positionals, textFlag, type CliContext } from '../context.ts';
import { CliError } from '../errors.ts';
import { readInput } from '../read-input.ts';

const DEFINITION = { brief: 'The hardware definition (JSON)', placeholder: 'FILE' } as const;
const outFlag = {
  ...textFlag('Folder of headers; default: `inc` beside the definition', 'DIR'),
  optional: true,
} as const;

interface HeaderFlags {
  readonly out?: string;
}

const headerPath = (definition: string, { out }: HeaderFlags): string =>
  join(out ?? join(dirname(definition), 'inc'), headerName(definition));

export const hardwareDefinitionCommands: RouteMap<CliContext> = buildRouteMap({
  docs: { brief: 'Hardware definitions and their C headers' },
  routes: {
    'generate-header': buildCommand<HeaderFlags, [string], CliContext>({
      docs: { brief: 'Write the C header of a hardware definition: inc/hw/NAME.h' },
      parameters: { flags: { out: outFlag }, positional: positionals(DEFINITION) },
      async func(flags, definition) {
        const path = headerPath(definition, flags);
        const header = hardwareHeader(await readHardware(definition));
        await mkdir(dirname(path), { recursive: true });
        await writeFile(path, header);
        this.process.stdout.write(`${path}\n`);
      },
    }),
    'test-header': buildCommand<HeaderFlags, [string], CliContext>({
      docs: { brief: 'Check that the C header of a hardware definition says what the definition says' },
      parameters: { flags: { out: outFlag }, positional: positionals(DEFINITION) },
      async func(flags, definition) {
        const path = headerPath(definition, flags);
        const header = hardwareHeader(await readHardware(definition));
        if (utf8Decode(await readInput(path)) !== header) {
          throw new CliError('BadValue', `${path} is not the header of ${definition}.`, {
            field: path,
            rule: 'as `hardware-definition generate-header` writes it',
          });
        }
        this.process.stdout.write(`${path} is up to date\n`);
      },
    }),
  },
});
