import { buildApplication, buildRouteMap, run, text_en } from '@stricli/core';
import { accessCommands, loginCommand } from './commands/access.ts';
import { appCommands } from './commands/app.ts';
import { chipCommands } from './commands/chip.ts';
import { certificateCommands } from './commands/certificates.ts';
import { errorCommands } from './commands/errors.ts';
import { hardwareDefinitionCommands } from './commands/hardware-definitions.ts';
import { imagePackageCommands } from './commands/image-packages.ts';
import { deploymentCommands, imageCommands, osReleaseCommands } from './commands/images.ts';
import { platformKeyCommands } from './commands/platform-keys.ts';
import { pkiCommands } from './commands/pki.ts';
import { deviceCommands, deviceGroupCommands, productCommands, tenantCommands } from './commands/registry.ts';
import { serviceCommands } from './commands/service.ts';
import { telemetryCommands } from './commands/telemetry.ts';
import { upCommand } from './commands/up.ts';
import type { CliContext } from './context.ts';
import { describeError } from './errors.ts';

const application = buildApplication<CliContext>(
  buildRouteMap({
    docs: { brief: 'Keeps connected devices genuine, up to date and contained' },
    routes: {
      up: upCommand,
      app: appCommands,
      service: serviceCommands,
      login: loginCommand,
      access: accessCommands,
      tenant: tenantCommands,
      product: productCommands,
      'device-group': deviceGroupCommands,
      device: deviceCommands,
      image: imageCommands,
      'image-package': imagePackageCommands,
      'hardware-definition': hardwareDefinitionCommands,
      deployment: deploymentCommands,
      'os-release': osReleaseCommands,
      'platform-key': platformKeyCommands,
      error: errorCommands,
      telemetry: telemetryCommands,
      'ca-certificate': certificateCommands,
      pki: pkiCommands,
      chip: chipCommands,
    },
  }),
  {
    name: 'sevenfold',
    scanner: { caseStyle: 'allow-kebab-for-camel' },
    documentation: { caseStyle: 'convert-camel-to-kebab', onlyRequiredInUsageLine: true },
    determineExitCode: () => 1,
    localization: {
      // One clear error: our own text in place of a stack.
      loadText: () => ({ ...text_en, exceptionWhileRunningCommand: (error) => describeError(error) }),
    },
  },
);

// Node leaves the exit code undefined until it is set; Stricli's types know null for that.
await run(application, process.argv.slice(2), {
  process: process as NodeJS.Process & { exitCode: number | string | null },
});
