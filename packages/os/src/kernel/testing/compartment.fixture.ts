import { parseAppManifest, utf8Encode } from '@sevenfold/formats';
import { Compartment } from '../compartments.ts';

/** A compartment of a high-level app with these capabilities, in which nothing runs. */
export function compartmentWith(capabilities: object): Compartment {
  const manifest = parseAppManifest(
    utf8Encode(
      JSON.stringify({
        SchemaVersion: 1,
        Name: 'tried',
        ComponentId: 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee',
        EntryPoint: '/bin/app',
        Capabilities: capabilities,
      }),
    ),
  );
  return new Compartment(
    1,
    {
      kind: 'highLevel',
      componentId: manifest.componentId,
      imageId: '99999999-bbbb-4ccc-8ddd-eeeeeeeeeeee',
      name: manifest.name,
      capabilities: manifest.capabilities,
      module: new Uint8Array(0),
      options: { args: [], entryPoint: '/bin/app', files: [], mutableQuota: 0 },
    },
    0,
  );
}
