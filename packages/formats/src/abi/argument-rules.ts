import {
  booleanArgument,
  bytesArgument,
  choiceArgument,
  guidArgument,
  listArgument,
  recordArgument,
  textArgument,
  uintArgument,
} from './port-arguments.ts';
import type { PortValue } from './port.ts';

/** What one argument of a call must be. Sizes in bytes; texts in UTF-16 units; `least` of a number is 0 unless told. */
export type ArgumentRule =
  | { readonly kind: 'bytes'; readonly name: string; readonly min: number; readonly max: number }
  /** `null` is allowed as well. */
  | { readonly kind: 'optionalBytes'; readonly name: string; readonly min: number; readonly max: number }
  | { readonly kind: 'uint'; readonly name: string; readonly min?: number; readonly max: number }
  | { readonly kind: 'text'; readonly name: string; readonly max: number }
  /** In lower case. */
  | { readonly kind: 'guid'; readonly name: string }
  | { readonly kind: 'flag'; readonly name: string }
  | { readonly kind: 'choice'; readonly name: string; readonly of: readonly string[] }
  | { readonly kind: 'list'; readonly name: string; readonly most: number; readonly of: ArgumentRule }
  /** With exactly these fields. */
  | { readonly kind: 'record'; readonly name: string; readonly fields: readonly ArgumentRule[] };

/** One call of a table. An argument is a rule, or a text that describes what the call itself reads. */
export interface CallRow {
  readonly args: readonly (ArgumentRule | string)[];
  readonly returns: string;
}
/** The calls of a port: the whole of it. */
export type CallTable = Readonly<Record<string, CallRow>>;

/** What an argument is once it has been read as its rule says. */
export type Argument<Rule> = Rule extends { kind: 'bytes' }
  ? Uint8Array
  : Rule extends { kind: 'optionalBytes' }
    ? Uint8Array | null
    : Rule extends { kind: 'uint' }
      ? number
      : Rule extends { kind: 'text' | 'guid' }
        ? string
        : Rule extends { kind: 'flag' }
          ? boolean
          : Rule extends { kind: 'choice'; of: readonly (infer Choice)[] }
            ? Choice
            : Rule extends { kind: 'list'; of: infer Item }
              ? readonly Argument<Item>[]
              : Rule extends { kind: 'record'; fields: readonly (infer Field)[] }
                ? RecordOf<Field>
                : PortValue;
type RecordOf<Field> = {
  readonly [Each in Field as Each extends { name: infer Name extends string } ? Name : never]: Argument<Each>;
};
/** All arguments of a call. */
export type Arguments<Rules extends readonly unknown[]> = {
  readonly [Index in keyof Rules]: Argument<Rules[Index]>;
};

/** Reads one argument. Throws `BadArgument`, naming the part that is wrong. */
export function readArgument(
  rule: ArgumentRule | string,
  untrusted: PortValue,
  field = nameOf(rule),
): PortValue {
  if (typeof rule === 'string') return untrusted;
  switch (rule.kind) {
    case 'bytes':
      return bytesArgument(untrusted, field, rule);
    case 'optionalBytes':
      return untrusted === null ? null : bytesArgument(untrusted, field, rule);
    case 'uint':
      return uintArgument(untrusted, field, rule);
    case 'text':
      return textArgument(untrusted, field, rule.max);
    case 'guid':
      return guidArgument(untrusted, field);
    case 'flag':
      return booleanArgument(untrusted, field);
    case 'choice':
      return choiceArgument(untrusted, field, rule.of);
    case 'list':
      return listArgument(untrusted, field, rule.most, (item, path) => readArgument(rule.of, item, path));
    case 'record': {
      const names = rule.fields.map(({ name }) => name);
      const values = recordArgument(untrusted, field, names);
      return Object.fromEntries(
        rule.fields.map((each) => [each.name, readArgument(each, values[each.name] ?? null)]),
      );
    }
    default:
      return rule satisfies never;
  }
}

/** The name of an argument, as an error tells it. */
export const nameOf = (rule: ArgumentRule | string): string => (typeof rule === 'string' ? rule : rule.name);
