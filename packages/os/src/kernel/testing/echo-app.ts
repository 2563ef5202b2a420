import { readFileSync } from 'node:fs';
import { COMPONENT, type TestApp } from './test-app.ts';

/** Component id of the real-time app. */
export const ECHO = '005180bc-402f-4cb3-a662-72937dbcde47';
/** `testdata/echo.c`, built: see there what it does. Its bytes are an app's payload as they are. */
export const ECHO_ELF = new Uint8Array(readFileSync(new URL('../testdata/echo.elf', import.meta.url)));

/** The echo on a real-time core, which has GPIO 8 and talks to the app under test. */
export const echoApp = (
  changes: Partial<TestApp> & { readonly partners?: readonly string[] } = {},
): TestApp => {
  const { partners = [COMPONENT], capabilities, manifest, ...rest } = changes;
  return {
    module: ECHO_ELF,
    componentId: ECHO,
    imageId: '88888888-bbbb-4ccc-8ddd-eeeeeeeeeeee',
    capabilities: { Gpio: [8], AllowedApplicationConnections: partners, ...capabilities },
    manifest: { Name: 'echo', ApplicationType: 'RealTimeCapable', CmdArgs: [], ...manifest },
    ...rest,
  };
};
