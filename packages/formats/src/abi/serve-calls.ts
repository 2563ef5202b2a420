import { nameOf, readArgument, type Arguments, type CallTable } from './argument-rules.ts';
import { PortError } from './port-arguments.ts';
import type { PortHandler, PortValue } from './port.ts';

/** Answers one call. What its table has a rule for has been read by it; every other argument is untrusted. */
export type CallImplementation<Args extends readonly unknown[] = readonly PortValue[]> = (
  args: Args,
  caller: string,
) => PortValue | Promise<PortValue>;

/** One function a call of the table. */
export type CallImplementations<Table extends CallTable> = {
  readonly [Name in keyof Table]: CallImplementation<Arguments<Table[Name]['args']>>;
};

/**
 * A handler that answers exactly the calls of `table`, to callers that `mayCall` lets through, with exactly the
 * arguments that the table says. Everything else is refused with a `PortError` before any call sees it. `admit` is asked
 * of each call before its arguments are read, and throws where the state of the device does not allow it.
 */
export function serveCalls<Table extends CallTable>(
  table: Table,
  mayCall: (caller: string) => boolean,
  implementations: CallImplementations<Table>,
  admit?: (method: keyof Table) => void | Promise<void>,
): PortHandler {
  return async (caller, method, args) => {
    if (!mayCall(caller))
      throw new PortError('CallerNotAllowed', `${caller} may not call here.`, { field: 'caller' });
    const row = Object.hasOwn(table, method) ? table[method] : undefined;
    const implementation = row === undefined ? undefined : implementations[method];
    if (row === undefined || implementation === undefined) {
      throw new PortError('UnknownCall', `There is no call ${JSON.stringify(method.slice(0, 64))}.`, {
        field: 'method',
      });
    }
    if (args.length !== row.args.length) {
      throw new PortError(
        'BadArgument',
        `${method} takes ${row.args.length} arguments, not ${args.length}.`,
        { field: 'args', rule: row.args.map(nameOf).join(', ') },
      );
    }
    const admission = admit?.(method);
    if (admission !== undefined) await admission;
    const read = row.args.map((rule, index) => readArgument(rule, args[index] ?? null));
    // The table's own rules made these arguments: one for one what the implementation's type says.
    return (implementation as CallImplementation<readonly unknown[]>)(read, caller);
  };
}
