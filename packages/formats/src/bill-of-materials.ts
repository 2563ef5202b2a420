import { FormatError } from './errors.ts';
import { isJsonObject, parseJson, type JsonObject, type JsonValue } from './json.ts';

/** A bill of materials at most, in bytes. */
export const MOST_BILL_BYTES = 1024 * 1024;
/** Components of a bill at most, those inside of others counted. */
export const MOST_BILL_COMPONENTS = 4096;
const MOST_DEPTH = 12;
const LONGEST_TEXT = 512;

const SPEC_VERSIONS = ['1.4', '1.5', '1.6'] as const;
/** Kinds of components (CycloneDX 1.6, `component.type`). */
const COMPONENT_TYPES = [
  'application',
  'framework',
  'library',
  'container',
  'platform',
  'operating-system',
  'device',
  'device-driver',
  'firmware',
  'file',
  'machine-learning-model',
  'data',
  'cryptographic-asset',
] as const;
export type BillComponentType = (typeof COMPONENT_TYPES)[number];

/** Something that was linked. */
export interface BillComponent {
  readonly type: BillComponentType;
  readonly name: string;
  readonly version: string | null;
  /** Package URL, where there is one. */
  readonly purl: string | null;
}

/** What of a CycloneDX document everybody needs; the document itself is kept beside it as it came. */
export interface BillOfMaterials {
  readonly specVersion: (typeof SPEC_VERSIONS)[number];
  /** What the bill is of. Its version is the image id: a bill is of one build. */
  readonly subject: BillComponent;
  /** All of them in the order of the document, those inside of others after them. */
  readonly components: readonly BillComponent[];
}

function objectOf(value: JsonValue | undefined, field: string): JsonObject {
  if (isJsonObject(value)) return value;
  throw new FormatError(value === undefined ? 'MissingField' : 'WrongType', `${field} must be an object.`, {
    field,
    rule: 'an object',
  });
}

function textIn(object: JsonObject, name: string, path: string): string | null {
  const value = object.get(name);
  const field = path === '' ? name : `${path}.${name}`;
  if (value === undefined) return null;
  if (typeof value !== 'string')
    throw new FormatError('WrongType', `${field} must be a text.`, { field, rule: 'a text' });
  if (value.length > LONGEST_TEXT) {
    const rule = `at most ${LONGEST_TEXT} characters`;
    throw new FormatError('TooLong', `${field} has ${value.length} characters.`, { field, rule });
  }
  return value;
}

function oneOf<Choice extends string>(
  object: JsonObject,
  name: string,
  path: string,
  choices: readonly Choice[],
): Choice {
  const value = textIn(object, name, path);
  const choice = choices.find((one) => one === value);
  if (choice !== undefined) return choice;
  const field = path === '' ? name : `${path}.${name}`;
  throw new FormatError(
    value === null ? 'MissingField' : 'ValueOutOfRange',
    `${field} is not as it must be.`,
    {
      field,
      rule: choices.join(', '),
    },
  );
}

class Components {
  readonly all: BillComponent[] = [];
  readonly #references = new Set<string>();

  add(untrusted: JsonValue | undefined, path: string): BillComponent {
    const object = objectOf(untrusted, path);
    const name = textIn(object, 'name', path);
    if (name === null || name === '') {
      const field = `${path}.name`;
      throw new FormatError('MissingField', `${field} is missing.`, { field, rule: 'a text' });
    }
    const reference = textIn(object, 'bom-ref', path);
    if (reference !== null && this.#references.has(reference)) {
      const field = `${path}.bom-ref`;
      throw new FormatError('DuplicateEntry', `${field} names another component as well.`, {
        field,
        rule: 'each reference once',
      });
    }
    if (reference !== null) this.#references.add(reference);
    const component = {
      type: oneOf(object, 'type', path, COMPONENT_TYPES),
      name,
      version: textIn(object, 'version', path),
      purl: textIn(object, 'purl', path),
    };
    this.all.push(component);
    if (this.all.length > MOST_BILL_COMPONENTS + 1) {
      const rule = `at most ${MOST_BILL_COMPONENTS} components`;
      throw new FormatError('TooMany', 'The bill has too many components.', { field: 'components', rule });
    }
    this.addAll(object.get('components'), `${path}.components`);
    return component;
  }

  addAll(untrusted: JsonValue | undefined, path: string): void {
    if (untrusted === undefined) return;
    if (!Array.isArray(untrusted))
      throw new FormatError('WrongType', `${path} must be a list.`, { field: path, rule: 'a list' });
    for (const [index, item] of (untrusted as readonly JsonValue[]).entries())
      this.add(item, `${path}.${index}`);
  }
}

/**
 * Reads a bill of materials in CycloneDX JSON (ECMA-424), 1.4 to 1.6, of the image `imageId`. What every bill must say
 * is checked; other members of the standard are let be. Throws `FormatError`.
 */
export function parseBillOfMaterials(untrusted: Uint8Array, imageId: string): BillOfMaterials {
  const document = objectOf(
    parseJson(untrusted, { maxBytes: MOST_BILL_BYTES, maxDepth: MOST_DEPTH }),
    'bill',
  );
  oneOf(document, 'bomFormat', '', ['CycloneDX']);
  const specVersion = oneOf(document, 'specVersion', '', SPEC_VERSIONS);
  const components = new Components();
  const metadata = objectOf(document.get('metadata'), 'metadata');
  const subject = components.add(metadata.get('component'), 'metadata.component');
  if (subject.version !== imageId) {
    throw new FormatError('ValueOutOfRange', 'The bill is of something else than this image.', {
      field: 'metadata.component.version',
      rule: `the image id, ${imageId}`,
    });
  }
  components.addAll(document.get('components'), 'components');
  return { specVersion, subject, components: components.all.slice(1) };
}
