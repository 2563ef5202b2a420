import { IMPORT_TABLE, type ImportRow } from '../import-table.ts';
import { applibsCalls, waitingApplibsCalls } from './applibs.ts';
import { CallRefused, ERRNO, errnoOf, isEnded } from './errno.ts';
import type { Guest } from './guest.ts';
import { netCalls, socketCalls, waitingNetCalls } from './net-calls.ts';
import { systemCalls, waitingSystemCalls } from './system-calls.ts';
import { Waiting } from './waiting.ts';
import { tlsCalls, waitingTlsCalls } from './tls-calls.ts';
import { engine, type HostFunction } from './wasm-engine.ts';
import { fileCalls, waitingFileCalls } from './wasi-files.ts';
import { processCalls, waitingProcessCalls } from './wasi-process.ts';

/** The errno of a refusal. What is no refusal – an exit, a stack that overflowed here, a defect – goes on through the app. */
function refusal(error: unknown): number {
  const isRefusal =
    error instanceof CallRefused ||
    (typeof error === 'object' && error !== null && typeof Reflect.get(error, 'code') === 'string');
  if (!isRefusal || isEnded(error)) throw error;
  return errnoOf(error);
}

/** A call as the module sees it: an errno value instead of an exception. */
function answering(call: (...args: never[]) => unknown): HostFunction {
  return (...args: never[]) => {
    try {
      const result = call(...args);
      return result instanceof Promise ? result.then(() => ERRNO.success, refusal) : ERRNO.success;
    } catch (error) {
      return refusal(error);
    }
  };
}

function bind(row: ImportRow, call: HostFunction | undefined): HostFunction {
  if (row.answer === 'unknown') return () => ERRNO.ENOSYS;
  if (row.answer === 'never') return () => ERRNO.ENOTCAPABLE;
  if (call === undefined) throw new TypeError('A row of the table is bound to nothing.');
  return row.answer === 'waits' ? new engine.Suspending(answering(call)) : answering(call);
}

/** The import object of an app's module: every row of the table, bound. */
export function bindImports(guest: Guest): Readonly<Record<string, Readonly<Record<string, HostFunction>>>> {
  const waiting = new Waiting();
  const calls: Readonly<Record<string, Readonly<Record<string, HostFunction>>>> = {
    wasi_snapshot_preview1: {
      ...fileCalls(guest),
      ...waitingFileCalls(guest),
      ...processCalls(guest),
      ...waitingProcessCalls(guest, waiting),
      ...socketCalls(guest),
    },
    sevenfold: {
      ...applibsCalls(guest),
      ...waitingApplibsCalls(guest, waiting),
      ...netCalls(guest),
      ...waitingNetCalls(guest),
      ...tlsCalls(guest),
      ...waitingTlsCalls(guest),
      ...systemCalls(guest),
      ...waitingSystemCalls(guest),
    },
  };
  return Object.fromEntries(
    Object.entries(IMPORT_TABLE).map(([moduleName, rows]) => [
      moduleName,
      Object.fromEntries(
        Object.entries(rows).map(([name, row]: [string, ImportRow]) => [
          name,
          bind(row, calls[moduleName]?.[name]),
        ]),
      ),
    ]),
  );
}
