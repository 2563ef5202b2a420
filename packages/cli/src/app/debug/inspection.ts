import {
  evaluateExpression,
  evaluateLocation,
  Values,
  type DebugInfo,
  type Typed,
  type Variable,
} from '@sevenfold/sdk';
import { CliError } from '../../errors.ts';
import type { Stop, StoppedFrame } from './debuggee.ts';

/** A variable as the protocol has it. */
interface ShownVariable {
  readonly name: string;
  readonly value: string;
  readonly type: string;
  readonly variablesReference: number;
  readonly memoryReference?: string;
  readonly evaluateName?: string;
}

type Holder =
  | { readonly kind: 'locals' | 'globals'; readonly frame: StoppedFrame }
  | { readonly kind: 'value'; readonly value: Typed; readonly path: string | null };

/** Units of the app itself, whose global variables are shown. */
const OWN = '/app/';
const VALUE_BYTES = 8;

/** Looks into an app that stands still. Numbers that the editor is given hold until it runs on. */
export class Inspection {
  readonly stop: Stop;
  readonly #info: DebugInfo;
  readonly #values: Values;
  /** By reference, from 1. */
  readonly #holders: Holder[] = [];

  constructor(stop: Stop, info: DebugInfo) {
    this.stop = stop;
    this.#info = info;
    this.#values = new Values(info, stop.memory);
  }

  /** The frame of an editor's number: its place on the stack, from 1. Throws `NotFound`. */
  frame(id: number): StoppedFrame {
    const frame = this.stop.frames[id - 1];
    if (frame === undefined) throw new CliError('NotFound', `There is no frame ${id}.`, { field: 'frameId' });
    return frame;
  }

  scopes(frameId: number): readonly object[] {
    const frame = this.frame(frameId);
    return [
      {
        name: 'Locals',
        presentationHint: 'locals',
        variablesReference: this.#hold({ kind: 'locals', frame }),
        expensive: false,
      },
      { name: 'Globals', variablesReference: this.#hold({ kind: 'globals', frame }), expensive: false },
    ];
  }

  #hold(holder: Holder): number {
    this.#holders.push(holder);
    return this.#holders.length;
  }

  #holder(reference: number): Holder {
    const holder = this.#holders[reference - 1];
    if (holder === undefined)
      throw new CliError('NotFound', `There is nothing to expand at ${reference}.`, {
        field: 'variablesReference',
      });
    return holder;
  }

  async variables(reference: number): Promise<readonly ShownVariable[]> {
    const shown: ShownVariable[] = [];
    for (const { name, value, path } of await this.#parts(this.#holder(reference))) {
      shown.push(
        value === null
          ? { name, value: '<not available>', type: '', variablesReference: 0 }
          : await this.#show(name, value, path),
      );
    }
    return shown;
  }

  async #parts(
    holder: Holder,
  ): Promise<
    readonly { readonly name: string; readonly value: Typed | null; readonly path: string | null }[]
  > {
    if (holder.kind === 'value') {
      const { path } = holder;
      return (await this.#values.children(holder.value)).map(({ name, value }) => ({
        name,
        value,
        path:
          path === null
            ? null
            : name === '*'
              ? `*(${path})`
              : name.startsWith('[')
                ? `(${path})${name}`
                : `(${path}).${name}`,
      }));
    }
    const { frame } = holder;
    const variables =
      holder.kind === 'globals' ? this.#info.globals(OWN) : this.#info.localsOf(frame, frame.address);
    const parts = [];
    for (const variable of variables) {
      const { name } = variable;
      parts.push({ name, value: await this.#valueOf(variable, frame), path: name });
    }
    return parts;
  }

  async #valueOf(variable: Variable, { reader, frameBase }: StoppedFrame): Promise<Typed | null> {
    const { type, location, constant } = variable;
    if (location === null) {
      const bytes = constant === null ? null : this.#values.encode(type, constant);
      return bytes === null ? null : { type, address: null, bytes };
    }
    const place = await evaluateLocation(location, reader, frameBase);
    if (place === null) return null;
    if (place.kind === 'memory') return { type, address: place.address, bytes: null };
    const bytes = this.#values.encode(type, place.value) ?? new Uint8Array(VALUE_BYTES);
    return { type, address: null, bytes };
  }

  async #show(name: string, value: Typed, path: string | null): Promise<ShownVariable> {
    const { text, type, children } = await this.#values.describe(value);
    return {
      name,
      value: text,
      type,
      variablesReference: children === 0 ? 0 : this.#hold({ kind: 'value', value, path }),
      ...(value.address === null ? {} : { memoryReference: `0x${value.address.toString(16)}` }),
      ...(path === null ? {} : { evaluateName: path }),
    };
  }

  /** The variable that a name means in a frame: a local one, else a global one. */
  async #lookUp(name: string, frame: StoppedFrame): Promise<Typed | null> {
    const local = this.#info.localsOf(frame, frame.address).find((one) => one.name === name);
    const found = local ?? this.#info.globals('').find((one) => one.name === name);
    if (found === undefined) return null;
    const value = await this.#valueOf(found, frame);
    if (value === null) throw new CliError('NotFound', `${name} has no value here: it is optimised away.`);
    return value;
  }

  #evaluate(text: string, frame: StoppedFrame): ReturnType<typeof evaluateExpression> {
    return evaluateExpression(text, this.#values, (name) => this.#lookUp(name, frame));
  }

  /** An expression's value in a frame; absent: the innermost. Throws `ExpressionFailed`. */
  async evaluate(
    text: string,
    frameId = 1,
  ): Promise<Omit<ShownVariable, 'name' | 'value'> & { readonly result: string }> {
    const result = await this.#evaluate(text, this.frame(frameId));
    if (result.kind === 'number')
      return { result: String(result.value), type: 'number', variablesReference: 0 };
    const isAddress = result.kind === 'address';
    const value = isAddress ? result.of : result.value;
    const { name: _, value: shown, ...rest } = await this.#show('', value, text);
    return isAddress
      ? { ...rest, result: `0x${(value.address ?? 0).toString(16)}`, type: `${rest.type} *` }
      : { ...rest, result: shown };
  }

  /** Whether a condition holds in the innermost frame. Throws `ExpressionFailed`. */
  async holds(condition: string): Promise<boolean> {
    const result = await this.#evaluate(condition, this.frame(1));
    if (result.kind === 'number') return Number(result.value) !== 0;
    if (result.kind === 'address') return true;
    return Number((await this.#values.scalar(result.value)) ?? 0) !== 0;
  }

  /** Writes a number to a variable in memory; gives it as it is now. Throws `BadValue` or `ExpressionFailed`. */
  async assign(reference: number, name: string, text: string): Promise<ShownVariable> {
    const holder = this.#holder(reference);
    const part = (await this.#parts(holder)).find((one) => one.name === name);
    const value = part?.value ?? null;
    const frame = holder.kind === 'value' ? this.frame(1) : holder.frame;
    const result = await this.#evaluate(text, frame);
    const number =
      result.kind === 'number'
        ? result.value
        : result.kind === 'address'
          ? result.of.address
          : await this.#values.scalar(result.value);
    const bytes = value === null || number === null ? null : this.#values.encode(value.type, number);
    if (
      value === null ||
      value.address === null ||
      bytes === null ||
      !(await this.stop.memory.write(value.address, bytes))
    ) {
      throw new CliError('BadValue', `${name} cannot be set.`, { field: 'name', rule: 'a number in memory' });
    }
    return this.#show(name, value, part?.path ?? null);
  }
}
