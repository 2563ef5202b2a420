import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { openApiDocument } from './openapi.ts';
import { ALL_ROUTES } from './routes.ts';

/** Everything below a value that is an object, with where it is. */
function* walk(value: unknown, place = '#'): Generator<readonly [string, object]> {
  if (typeof value !== 'object' || value === null) return;
  yield [place, value];
  for (const [name, child] of Object.entries(value)) yield* walk(child, `${place}/${name}`);
}

/** The part of the document that these tests look at. */
const operations = z.object({
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({
        operationId: z.string(),
        'x-permission': z.string(),
        parameters: z.array(z.object({ name: z.string(), in: z.string() })),
      }),
    ),
  ),
});

describe('the OpenAPI document', () => {
  const document = openApiDocument();
  const { paths } = operations.parse(document);

  it('has every route once, with its permission and the parameters of its path', () => {
    const documented = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        name: operation.operationId,
        method: method.toUpperCase(),
        path,
        permission: operation['x-permission'],
        pathParameters: operation.parameters.filter((one) => one.in === 'path').map((one) => one.name),
      })),
    );
    const wanted = ALL_ROUTES.map(([, { name, method, path, permission }]) => {
      const pathParameters = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      return { name, method, path, permission, pathParameters };
    });
    expect(documented).toHaveLength(wanted.length);
    expect(documented).toEqual(expect.arrayContaining(wanted));
  });

  it('is plain JSON whose references lead somewhere', () => {
    expect(JSON.parse(JSON.stringify(document))).toEqual(document);
    const places = new Map(walk(document));
    const references = [...places.values()].flatMap((value) => ('$ref' in value ? [String(value.$ref)] : []));
    expect(references.length).toBeGreaterThan(0);
    for (const reference of references) expect(places.has(reference)).toBe(true);
  });

  it('lets objects of requests have only the fields that it names', () => {
    const bodies = [...walk(document)].filter(([place]) =>
      place.endsWith('/requestBody/content/application/json/schema'),
    );
    expect(bodies.length).toBeGreaterThan(5);
    for (const [, schema] of bodies)
      expect(schema).toMatchObject({ type: 'object', additionalProperties: false });
  });
});
