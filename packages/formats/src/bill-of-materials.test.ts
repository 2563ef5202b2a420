import { describe, expect, it } from 'vitest';
import { MOST_BILL_BYTES, MOST_BILL_COMPONENTS, parseBillOfMaterials } from './bill-of-materials.ts';
import { utf8Encode } from './utf8.ts';

const IMAGE = '99999999-bbbb-4ccc-8ddd-eeeeeeeeeeee';
const bill = {
  bomFormat: 'CycloneDX',
  specVersion: '1.6',
  serialNumber: `urn:uuid:${IMAGE}`,
  version: 1,
  metadata: { component: { type: 'application', 'bom-ref': 'app', name: 'blink', version: IMAGE } },
  components: [
    { type: 'file', 'bom-ref': 'file:main.c', name: 'main.c' },
    {
      type: 'library',
      'bom-ref': 'sdk',
      name: 'sevenfold-sdk',
      version: '1.0.0',
      purl: 'pkg:generic/sevenfold-sdk@1.0.0',
      licenses: [{ license: { id: 'Apache-2.0' } }],
      components: [{ type: 'file', name: 'gpio.c' }],
    },
  ],
};
const parse = (document: unknown) => parseBillOfMaterials(utf8Encode(JSON.stringify(document)), IMAGE);
const changed = (change: object) => () => parse({ ...bill, ...change });
const withComponent = (component: unknown) => changed({ components: [...bill.components, component] });

describe('a bill of materials', () => {
  it('says what was linked, in order, with what is inside of what', () => {
    expect(parse(bill)).toEqual({
      specVersion: '1.6',
      subject: { type: 'application', name: 'blink', version: IMAGE, purl: null },
      components: [
        { type: 'file', name: 'main.c', version: null, purl: null },
        {
          type: 'library',
          name: 'sevenfold-sdk',
          version: '1.0.0',
          purl: 'pkg:generic/sevenfold-sdk@1.0.0',
        },
        { type: 'file', name: 'gpio.c', version: null, purl: null },
      ],
    });
    expect(parse({ ...bill, components: undefined, specVersion: '1.4' }).components).toEqual([]);
  });

  const deep = (levels: number): object =>
    levels === 0 ? { type: 'file', name: 'x' } : { type: 'file', name: 'x', components: [deep(levels - 1)] };
  const refusals: Readonly<Record<string, readonly [() => unknown, object]>> = {
    'another format': [changed({ bomFormat: 'SPDX' }), { code: 'ValueOutOfRange', field: 'bomFormat' }],
    'no format': [changed({ bomFormat: undefined }), { code: 'MissingField', field: 'bomFormat' }],
    'another version of the standard': [
      changed({ specVersion: '2.0' }),
      { code: 'ValueOutOfRange', field: 'specVersion' },
    ],
    'no subject': [changed({ metadata: {} }), { code: 'MissingField', field: 'metadata.component' }],
    'another image': [
      changed({ metadata: { component: { ...bill.metadata.component, version: '1.0' } } }),
      { code: 'ValueOutOfRange', field: 'metadata.component.version' },
    ],
    'components that are no list': [changed({ components: {} }), { code: 'WrongType', field: 'components' }],
    'a component that is no object': [withComponent('x'), { code: 'WrongType', field: 'components.2' }],
    'a component without a name': [
      withComponent({ type: 'file' }),
      { code: 'MissingField', field: 'components.2.name' },
    ],
    'a component of no kind': [
      withComponent({ type: 'potion', name: 'x' }),
      { code: 'ValueOutOfRange', field: 'components.2.type' },
    ],
    'a name that is a number': [
      withComponent({ type: 'file', name: 7 }),
      { code: 'WrongType', field: 'components.2.name' },
    ],
    'a name without end': [
      withComponent({ type: 'file', name: 'x'.repeat(513) }),
      { code: 'TooLong', field: 'components.2.name' },
    ],
    'one reference twice': [
      withComponent({ type: 'file', name: 'x', 'bom-ref': 'app' }),
      { code: 'DuplicateEntry', field: 'components.2.bom-ref' },
    ],
    'more components than anybody reads': [
      changed({ components: Array.from({ length: MOST_BILL_COMPONENTS + 1 }, () => deep(0)) }),
      { code: 'TooMany', field: 'components' },
    ],
    'components inside of components without end': [withComponent(deep(20)), { code: 'JsonTooDeep' }],
    'more bytes than anybody reads': [
      () => parseBillOfMaterials(new Uint8Array(MOST_BILL_BYTES + 1).fill(0x20), IMAGE),
      { code: 'JsonTooLarge' },
    ],
    'what is no JSON': [() => parseBillOfMaterials(utf8Encode('{'), IMAGE), { code: 'InvalidJson' }],
    'a list': [() => parse([]), { code: 'WrongType' }],
  };
  it.each(Object.keys(refusals))('is refused with %s', (name) => {
    const [run, problem] = refusals[name] ?? [() => null, {}];
    expect(run).toThrow(expect.objectContaining(problem));
  });
});
