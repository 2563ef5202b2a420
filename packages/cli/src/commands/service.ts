import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { buildCommand, buildRouteMap, type RouteMap } from '@stricli/core';
import { textFlag, type CliContext } from '../context.ts';
import { keyStoreFlags, openKeyStore, type KeyStoreFlags } from '../key-store-flags.ts';
import { formatProperties } from '../table.ts';

interface RunFlags extends KeyStoreFlags {
  readonly data: string;
  readonly host?: string;
  readonly serverName?: string;
}

export const serviceCommands: RouteMap<CliContext> = buildRouteMap({
  docs: { brief: 'The Security Service on this machine' },
  routes: {
    run: buildCommand<RunFlags, [], CliContext>({
      docs: {
        brief: 'Run the service alone, until Ctrl-C',
        fullDescription:
          'What the first start makes (authorities, ports, database) every later one finds. While nobody has enrolled, each start prints a one-time token for the first Administrator, valid for 10 minutes.',
      },
      parameters: {
        flags: {
          data: textFlag('Folder of everything the service knows', 'DIR'),
          host: { ...textFlag('Address to listen on; loopback when absent', 'ADDRESS'), optional: true },
          serverName: {
            ...textFlag('Name by which devices and people reach it', 'NAME'),
            optional: true,
          },
          ...keyStoreFlags,
        },
      },
      async func({ data, host, serverName, ...keyFlags }) {
        const dataDir = resolve(data);
        // Loaded here: every other command is quicker without it.
        const { startService } = await import('@sevenfold/service');
        const { keys, close } = await openKeyStore(keyFlags, dataDir, this.process.env);
        const service = await startService({
          dataDir,
          keys,
          ...(host === undefined ? {} : { host }),
          ...(serverName === undefined ? {} : { serverName }),
        });
        const root = join(dataDir, 'tls-root.pem');
        writeFileSync(root, service.tlsRootPem);
        this.process.stdout.write(
          formatProperties([
            ['people', service.peopleUrl],
            ['devices', `port ${service.devicePort}`],
            ['broker', `port ${service.brokerPort}`],
            ['TLS root', root],
          ]),
        );
        if (service.administratorToken !== null) {
          const login = `sevenfold login --service ${service.peopleUrl} --root ${root} --token=${service.administratorToken}`;
          this.process.stdout.write(
            `\nNobody has enrolled yet. Within 10 minutes, once:\n\n  npx ${login}\n\n`,
          );
        }
        this.process.stdout.write('Ctrl-C stops it.\n');
        await Promise.race([once(this.process, 'SIGINT'), once(this.process, 'SIGTERM')]);
        await service.close();
        await close();
      },
    }),
  },
});
