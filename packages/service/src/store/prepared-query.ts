import type { CompiledQuery, Kysely, QueryResult } from 'kysely';

import type { Database } from './database.ts';

/** Runs what was compiled, without the machinery of the query builder. */
type Runner = <Row>(query: CompiledQuery, parameters: readonly unknown[]) => QueryResult<Row>;

const runners = new WeakMap<object, Runner>();

/** To be called by a store for each database that it gives out. */
export function registerRunner(db: object, run: Runner): void {
  runners.set(db, run);
}

/** Stands in a query for a value that comes with each run. */
class Parameter {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** Writes a query with stand-ins for its values. */
type Build<Values, Row, Tables> = (
  db: Kysely<Tables>,
  parameter: <Name extends keyof Values & string>(name: Name) => Values[Name],
) => { compile(): CompiledQuery<Row> };

/** A query that is built and compiled once, then runs with other values each time: for what every request asks. */
export type PreparedQuery<Values, Row, Tables = Database> = (
  db: Kysely<Tables>,
  values: Values,
) => Promise<readonly Row[]>;

/**
 * Prepares a query over `Values`: `build` writes it with `parameter(name)` wherever a value of them belongs. Every
 * database of a process is of one engine, so what was compiled for the first is right for all.
 */
export function prepareFor<Values extends Readonly<Record<string, unknown>>, Tables = Database>(): <Row>(
  build: Build<Values, Row, Tables>,
) => PreparedQuery<Values, Row, Tables> {
  return <Row>(build: Build<Values, Row, Tables>) => {
    let compiled: CompiledQuery<Row> | null = null;
    return async (db, values) => {
      // The query builder looks at no value that is an object: it passes through to `compiled.parameters`.
      compiled ??= build(db, (name) => new Parameter(name) as unknown as Values[typeof name]).compile();
      const parameters = compiled.parameters.map((value) =>
        value instanceof Parameter ? values[value.name] : value,
      );
      const run = runners.get(db);
      if (run === undefined) throw new Error('a prepared query runs on the databases of a store alone');
      return run<Row>(compiled, parameters).rows;
    };
  };
}
