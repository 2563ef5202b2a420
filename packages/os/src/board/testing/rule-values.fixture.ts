import type { ArgumentRule, PortValue } from '@sevenfold/formats';

const GUID = '0c9b8e2a-4f6d-4b1e-8a35-7d2c6e1f0aff';

/** A right argument for a rule, as large as it may be. */
export function largest(rule: ArgumentRule): PortValue {
  switch (rule.kind) {
    case 'bytes':
    case 'optionalBytes':
      return new Uint8Array(rule.max);
    case 'uint':
      return rule.max;
    case 'text':
      return 'x'.repeat(rule.max);
    case 'guid':
      return GUID;
    case 'flag':
      return true;
    case 'choice':
      return rule.of[0] ?? '';
    case 'list':
      return Array.from({ length: rule.most }, () => largest(rule.of));
    case 'record':
      return Object.fromEntries(rule.fields.map((field) => [field.name, largest(field)]));
    default:
      return rule satisfies never;
  }
}

/** An argument that its rule must refuse, and the field that its error names. */
export type Wrong = readonly [field: string, value: PortValue];

/** Arguments that a rule must refuse: each just past one of its bounds, and other types. */
export function wrong(rule: ArgumentRule, field: string = rule.name): readonly Wrong[] {
  const here = (...values: readonly PortValue[]): readonly Wrong[] => values.map((value) => [field, value]);
  const others = here(1.5, -1, 2n, {}, [[]]);
  switch (rule.kind) {
    case 'bytes':
    case 'optionalBytes': {
      const short = rule.min > 0 ? [new Uint8Array(rule.min - 1)] : [];
      const none = rule.kind === 'bytes' ? [null] : [];
      return [...others, ...here('text', [], ...none, ...short, new Uint8Array(rule.max + 1))];
    }
    case 'uint': {
      const below = rule.min === undefined ? [] : [rule.min - 1];
      return [...others, ...here(null, [], '1', ...below, Math.min(rule.max + 1, 2 ** 53))];
    }
    case 'text':
      return [...others, ...here(null, [], 'x'.repeat(rule.max + 1), new Uint8Array(1))];
    case 'guid':
      return [...others, ...here(null, [], '', GUID.toUpperCase(), `${GUID}0`, new Uint8Array(16))];
    case 'flag':
    case 'choice':
      return [...others, ...here(null, [], 0, 'true', 'nothing of the kind')];
    case 'list': {
      const items = largest(rule) as readonly PortValue[];
      const inside = wrong(rule.of, `${field}.1`).map(([path, value]): Wrong => [
        path,
        [largest(rule.of), value],
      ]);
      return [...here(null, {}, 'text', [...items, largest(rule.of)]), ...inside];
    }
    case 'record': {
      const right = largest(rule) as Readonly<Record<string, PortValue>>;
      const [first] = rule.fields;
      const without = Object.fromEntries(Object.entries(right).filter(([name]) => name !== first?.name));
      const inside = rule.fields.flatMap((each) =>
        wrong(each).map(([path, value]): Wrong => [path, { ...right, [each.name]: value }]),
      );
      return [...here(null, [], {}, without, { ...right, more: 1 }), ...inside];
    }
    default:
      return rule satisfies never;
  }
}
