import { z } from 'zod';
import type { Route } from './contract.ts';
import { problem } from './primitives.ts';
import { ALL_ROUTES } from './routes.ts';

type JsonObject = { [name: string]: unknown };

/** The contract as an OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.1), made from the route table. */
export function openApiDocument(): JsonObject {
  const paths: { [path: string]: JsonObject } = {};
  for (const [, route] of ALL_ROUTES) {
    (paths[route.path] ??= {})[route.method.toLowerCase()] = operation(route);
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Sevenfold Security Service',
      version: 'v1',
      description: 'For people and their tools. Devices speak the protocol of docs/device-protocol.md.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths,
    components: {
      securitySchemes: {
        signedRequest: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description:
            'A JWT made for this one request: ES256, kid = principal id, claims aud (origin), htm (method), ' +
            'htu (path and query), iat, exp (at most 60 s later), bh (base64url SHA-256 of the body), jti (different in each: a token for a change is good once).',
        },
      },
      schemas: { Problem: schemaOf(problem) },
      responses: {
        Problem: {
          description: 'Refused: `code` is stable, `field` and `rule` name what was wrong (RFC 9457)',
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      },
    },
  };
}

function operation(route: Route): JsonObject {
  return {
    operationId: route.name,
    summary: route.summary,
    'x-permission': route.permission,
    'x-scope': route.scope,
    security: route.permission === 'public' ? [] : [{ signedRequest: [] }],
    parameters: [...parameters(route.params, 'path'), ...parameters(route.query, 'query')],
    ...requestBody(route),
    responses: {
      [route.status]: {
        description: 'Done',
        content: { 'application/json': { schema: schemaOf(route.reply) } },
      },
      default: { $ref: '#/components/responses/Problem' },
    },
  };
}

function requestBody(route: Route): JsonObject {
  switch (route.body.kind) {
    case 'none':
      return {};
    case 'json':
      return {
        requestBody: {
          required: true,
          content: { 'application/json': { schema: schemaOf(route.body.schema) } },
        },
      };
    case 'bytes':
      return { requestBody: { required: true, content: { 'application/octet-stream': {} } } };
    default:
      return route.body satisfies never;
  }
}

function parameters(schema: z.ZodType | null, place: 'path' | 'query'): JsonObject[] {
  if (schema === null) return [];
  const { properties, required } = objectShape.parse(schemaOf(schema));
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: required.includes(name),
    schema: property,
  }));
}

const objectShape = z.object({
  properties: z.record(z.string(), z.unknown()),
  required: z.array(z.string()).default([]),
});

/** JSON Schema 2020-12, which is OpenAPI 3.1's own dialect. */
function schemaOf(schema: z.ZodType): JsonObject {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'output' });
  return rest;
}
