import { describe, expect, it } from 'vitest';
import { PLUTON_COMMANDS, type CallImplementations, type CommandRow } from '@sevenfold/formats';
import { largest, wrong } from '../board/testing/rule-values.fixture.ts';
import { serveCommands } from './calls.ts';

const table: Readonly<Record<string, CommandRow>> = PLUTON_COMMANDS;
const rows = Object.entries(table);

/** A mailbox over commands that only say that they were reached. */
function mailbox(phase: 'booting' | 'running' | null, lifecycle = 'DeviceComplete') {
  const reached: string[] = [];
  const commands = Object.fromEntries(
    rows.map(([name]) => [
      name,
      () => {
        reached.push(name);
        return null;
      },
    ]),
  ) as CallImplementations<typeof table>;
  const state = { phase: () => phase, lifecycle: () => Promise.resolve(lifecycle) };
  return { call: serveCommands(table, state, commands), reached };
}

describe('Pluton’s command table', () => {
  it.each(rows)(
    '%s: is reached with the largest right arguments, and with nothing past any bound',
    async (name, row) => {
      const { call, reached } = mailbox(row.phases[0] ?? null);
      const right = row.args.map(largest);
      await call('monitor', name, right);
      expect(reached).toEqual([name]);
      let refused = 0;
      for (const [index, rule] of row.args.entries()) {
        for (const [field, bad] of wrong(rule)) {
          const args = right.map((value, at) => (at === index ? bad : value));
          await expect(call('monitor', name, args)).rejects.toMatchObject({
            code: 'BadArgument',
            field,
          });
          refused += 1;
        }
      }
      for (const args of [[...right, null], right.slice(1)]) {
        if (args.length === row.args.length) continue;
        await expect(call('monitor', name, args)).rejects.toMatchObject({
          code: 'BadArgument',
          field: 'args',
        });
        refused += 1;
      }
      expect(refused).toBeGreaterThan(row.args.length * 8);
      expect(reached).toEqual([name]);
    },
  );

  it.each(rows)('%s: is reached in its states alone', async (name, row) => {
    const right = row.args.map(largest);
    for (const phase of [null, 'booting', 'running'] as const) {
      for (const lifecycle of ['Blank', 'Module1Complete', 'DeviceComplete', 'Unheard'] as const) {
        const { call, reached } = mailbox(phase, lifecycle);
        const isPhase = phase !== null && row.phases.includes(phase);
        const isLifecycle =
          lifecycle === 'Unheard' ? row.lifecycles.length === 3 : row.lifecycles.includes(lifecycle);
        const code = await call('monitor', name, right).then(
          () => 'reached',
          (error: { code: string }) => error.code,
        );
        expect([phase, lifecycle, code]).toEqual([
          phase,
          lifecycle,
          !isPhase ? 'WrongPhase' : !isLifecycle ? 'WrongLifecycle' : 'reached',
        ]);
        expect(reached.length).toBe(isPhase && isLifecycle ? 1 : 0);
      }
    }
  });

  it('answers the monitor alone, and no command that it does not have', async () => {
    const { call, reached } = mailbox('running');
    for (const caller of ['kernel', 'services', 'pluton', 'compartment:1', 'hardware', ''])
      await expect(call(caller, 'identity', [])).rejects.toMatchObject({ code: 'CallerNotAllowed' });
    for (const method of [
      '',
      'toString',
      '__proto__',
      'constructor',
      'signIdentity',
      'makeKey',
      'authenticate',
      'x'.repeat(9999),
    ])
      await expect(call('monitor', method, [])).rejects.toMatchObject({ code: 'UnknownCall' });
    expect(reached).toEqual([]);
  });
});
