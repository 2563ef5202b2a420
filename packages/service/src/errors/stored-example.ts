import { z } from 'zod';

import type { ErrorExample } from './error-group.ts';

const STORED_EXAMPLE = z.strictObject({
  deviceId: z.string(),
  imageId: z.string(),
  osVersion: z.string(),
  time: z.number(),
  uptime: z.number(),
  trap: z.string().nullable(),
  exitCode: z.number().nullable(),
  stack: z.array(
    z.strictObject({
      function: z.string(),
      offset: z.number(),
      file: z.string().nullable(),
      line: z.number().nullable(),
    }),
  ),
  log: z.array(z.string()),
  // Rows that were written before these were told have none.
  registers: z.record(z.string(), z.string()).nullable().default(null),
  memory: z.strictObject({ address: z.number(), bytes: z.string() }).nullable().default(null),
});

/** The JSON of an example, as the column `example` keeps it. */
export function writeExample(example: ErrorExample): string {
  return JSON.stringify(example);
}

/** The example of a row. */
export function readExample(json: string): ErrorExample {
  return STORED_EXAMPLE.parse(JSON.parse(json));
}

/** OS versions of a group as its row keeps them. */
export function readVersions(json: string): readonly string[] {
  return z.array(z.string()).parse(JSON.parse(json));
}
