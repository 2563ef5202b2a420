import {
  PortError,
  booleanArgument,
  bytesArgument,
  choiceArgument,
  textArgument,
  uintArgument,
  type ArgumentRule,
  type BootPhase,
  type CommandTable,
  type PortHandler,
  type PortValue,
} from '@sevenfold/formats';
import { PlutonError } from './errors.ts';

/** What an argument is once it has been read as its rule says. */
type Argument<Rule extends ArgumentRule> = Rule extends { kind: 'bytes' }
  ? Uint8Array
  : Rule extends { kind: 'optionalBytes' }
    ? Uint8Array | null
    : Rule extends { kind: 'uint' }
      ? number
      : Rule extends { kind: 'text' }
        ? string
        : Rule extends { kind: 'flag' }
          ? boolean
          : Rule extends { kind: 'choice'; of: readonly (infer Choice)[] }
            ? Choice
            : never;
type Arguments<Rules extends readonly ArgumentRule[]> = {
  readonly [Index in keyof Rules]: Argument<Rules[Index]>;
};

/** One function a command, over arguments that were read already. */
export type Commands<Table extends CommandTable> = {
  readonly [Name in keyof Table]: (...args: Arguments<Table[Name]['args']>) => PortValue | Promise<PortValue>;
};

/** Where the device stands, as the dispatcher asks. */
export interface DeviceState {
  /** Null: the monitor is not measured yet. */
  phase(): BootPhase | null;
  /** Manufacturing state; asked only for commands that are not allowed in every one. */
  lifecycle(): Promise<string>;
}

const LIFECYCLES = 3;

/**
 * Answers exactly the commands of `table`, to the monitor alone, with exactly the arguments, and in exactly the
 * states, that the table says. Everything else is refused before any command sees it.
 */
export function dispatch<Table extends CommandTable>(
  table: Table,
  state: DeviceState,
  commands: Commands<Table>,
): PortHandler {
  return async (caller, method, args) => {
    if (caller !== 'monitor')
      throw new PortError('CallerNotAllowed', `${caller} may not call here.`, { field: 'caller' });
    const row = Object.hasOwn(table, method) ? table[method] : undefined;
    const command = row === undefined ? undefined : commands[method];
    if (row === undefined || command === undefined) {
      throw new PortError('UnknownCall', `There is no command ${JSON.stringify(method.slice(0, 64))}.`, {
        field: 'method',
      });
    }
    if (args.length !== row.args.length) {
      throw new PortError(
        'BadArgument',
        `${method} takes ${row.args.length} arguments, not ${args.length}.`,
        {
          field: 'args',
          rule: row.args.map(({ name }) => name).join(', '),
        },
      );
    }
    const phase = state.phase();
    if (phase === null || !row.phases.includes(phase)) {
      throw new PlutonError(
        'WrongPhase',
        `${method} is not allowed while the device is ${phase ?? 'starting'}.`,
        {
          rule: row.phases.join(' or '),
        },
      );
    }
    if (row.lifecycles.length < LIFECYCLES) await isInLifecycle(method, row.lifecycles, state);
    const read = row.args.map((rule, index) => readArgument(rule, args[index]));
    // The table's own rules made these arguments: one for one what the command's type says.
    return (command as (...values: readonly unknown[]) => PortValue | Promise<PortValue>)(...read);
  };
}

async function isInLifecycle(method: string, allowed: readonly string[], state: DeviceState): Promise<void> {
  const lifecycle = await state.lifecycle();
  if (allowed.includes(lifecycle)) return;
  throw new PlutonError('WrongLifecycle', `${method} is not allowed on a chip that is ${lifecycle}.`, {
    rule: allowed.join(' or '),
  });
}

function readArgument(
  rule: ArgumentRule,
  untrusted: PortValue | undefined,
): Uint8Array | number | string | boolean | null {
  const { kind, name } = rule;
  if (kind === 'bytes') return bytesArgument(untrusted, name, rule);
  if (kind === 'optionalBytes') return untrusted === null ? null : bytesArgument(untrusted, name, rule);
  if (kind === 'uint') return uintArgument(untrusted, name, rule);
  if (kind === 'text') return textArgument(untrusted, name, rule.max);
  if (kind === 'flag') return booleanArgument(untrusted, name);
  return choiceArgument(untrusted, name, rule.of);
}
