import { once } from 'node:events';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newApp } from '@sevenfold/sdk';
import { afterAll, afterEach, describe, expect, it } from 'vitest';

const installation = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'sevenfold-debug-'));
const app = join(folder, 'lamp');
const main = join(app, 'main.c');
await newApp({ folder: app, template: 'empty', installation });
/** What VS Code is told of the debugger. */
const extension = join(app, '.vscode/extensions/sevenfold');
const [contributed] = (
  JSON.parse(readFileSync(join(extension, 'package.json'), 'utf8')) as {
    readonly contributes: {
      readonly debuggers: readonly { readonly program: string; readonly args: readonly string[] }[];
    };
  }
).contributes.debuggers;

const SOURCE = `#include <stdlib.h>
#include <time.h>
#include <applibs/log.h>
enum Mode { Mode_Idle, Mode_Busy = 7 };
typedef struct { int x, y; } Point;
struct Part { unsigned low : 3; int high : 5; };
struct Node { const char *name; Point at[2]; struct Node *next; enum Mode mode; double weight; struct Part part; };
static struct Node last = {"last", {{1, 2}, {3, 4}}, NULL, Mode_Busy, 2.5, {5, -3}};
int counter = 3;
static int fetch(int *from, int index) { return from[index]; }
static int add(int a, int b)
{
    counter++;
    return a + b;
}
static int choose(int kind, struct Node *node)
{
    counter += kind;
    if (kind == 1) return node->next->next->at[0].x;
    if (kind == 2) return fetch((int *)0x7ffffff0, counter);
    return kind;
}
int main(int argc, char **argv)
{
    struct Node node = {"first", {{5, 6}, {7, 8}}, &last, Mode_Idle, 1.25, {1, 2}};
    int total = 0;
    for (int i = 0; i < 5; i++) {
        struct timespec pause = {0, 1000000};
        nanosleep(&pause, NULL);
        total = add(total, i);
    }
    Log_Debug("total %d of %d\\n", total, argc);
    return total + choose(KIND, &node);
}
`;
const lineOf = (text: string): number => SOURCE.split('\n').findIndex((line) => line.includes(text)) + 1;

interface Message {
  readonly type: string;
  readonly event?: string;
  readonly request_seq?: number;
  readonly success?: boolean;
  readonly message?: string;
  readonly body: Readonly<Record<string, unknown>>;
}
interface Named {
  readonly name: string;
  readonly value: string;
  readonly type: string;
  readonly line: number;
  readonly id: number;
  readonly variablesReference: number;
}

/** An editor at the other end of the adapter's standard input and output. */
class Editor {
  readonly child: ChildProcess;
  readonly events: Message[] = [];
  readonly #answers = new Map<number, (message: Message) => void>();
  readonly #waiting = new Set<() => void>();
  #bytes = Buffer.alloc(0);
  #seq = 0;

  constructor() {
    // As VS Code starts a debugger without a runtime.
    this.child = spawn(join(extension, contributed?.program ?? ''), contributed?.args ?? [], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, SEVENFOLD_PROFILE: join(folder, 'profile') },
    });
    this.child.stdout?.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      for (let end = this.#bytes.indexOf('\r\n\r\n'); end !== -1; end = this.#bytes.indexOf('\r\n\r\n')) {
        const length = Number(/Content-Length: (\d+)/.exec(this.#bytes.toString('latin1', 0, end))?.[1]);
        if (this.#bytes.length < end + 4 + length) return;
        this.#take(JSON.parse(this.#bytes.toString('utf8', end + 4, end + 4 + length)) as Message);
        this.#bytes = this.#bytes.subarray(end + 4 + length);
      }
    });
  }

  #take(message: Message): void {
    if (message.type === 'event') this.events.push(message);
    else this.#answers.get(message.request_seq ?? 0)?.(message);
    for (const look of this.#waiting) look();
  }

  send(text: string): void {
    this.child.stdin?.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
  }

  ask(name: string, args: object = {}): Promise<Message> {
    this.#seq += 1;
    const seq = this.#seq;
    const answered = new Promise<Message>((resolve) => this.#answers.set(seq, resolve));
    this.send(JSON.stringify({ seq, type: 'request', command: name, arguments: args }));
    return answered;
  }

  /** The next event of a name that nobody has waited for yet. */
  async event(name: string): Promise<Message['body']> {
    for (;;) {
      const at = this.events.findIndex(({ event }) => event === name);
      if (at !== -1) return this.events.splice(at, 1)[0]?.body ?? {};
      await new Promise<void>((resolve) => {
        const look = (): void => {
          this.#waiting.delete(look);
          resolve();
        };
        this.#waiting.add(look);
      });
    }
  }

  async launch(args: object, breakpoints: readonly object[] = []): Promise<Message> {
    await this.ask('initialize', { adapterID: 'sevenfold' });
    const launched = await this.ask('launch', { program: app, ...args });
    if (launched.success !== true) return launched;
    await this.event('initialized');
    const set = await this.ask('setBreakpoints', { source: { path: main }, breakpoints });
    await this.ask('configurationDone');
    return set;
  }

  async stack(): Promise<readonly Named[]> {
    return (await this.ask('stackTrace', { threadId: 1 })).body['stackFrames'] as Named[];
  }

  async place(): Promise<string> {
    const [frame] = await this.stack();
    return `${frame?.name}:${frame?.line}`;
  }

  /** Steps, and says where it stands then. */
  async step(how: string): Promise<string> {
    await this.ask(how, { threadId: 1 });
    expect(await this.event('stopped')).toMatchObject({ reason: how === 'pause' ? 'pause' : 'step' });
    return this.place();
  }

  async variables(variablesReference: number): Promise<readonly Named[]> {
    return (await this.ask('variables', { variablesReference })).body['variables'] as Named[];
  }

  /** Local variables of a frame, the innermost if none is named, and the number that expands them. */
  async locals(frameId = 1): Promise<{ readonly reference: number; readonly all: readonly Named[] }> {
    const [scope] = (await this.ask('scopes', { frameId })).body['scopes'] as Named[];
    const reference = scope?.variablesReference ?? 0;
    return { reference, all: await this.variables(reference) };
  }

  /** The value of an expression, or why there is none. */
  async value(expression: string): Promise<unknown> {
    const answer = await this.ask('evaluate', { expression, frameId: 1, context: 'watch' });
    return answer.success === true ? answer.body['result'] : answer.message;
  }
}

const editors: Editor[] = [];
function openEditor(source: string): Editor {
  writeFileSync(main, source);
  const editor = new Editor();
  editors.push(editor);
  return editor;
}

afterEach(() => {
  for (const { child } of editors.splice(0)) {
    child.stdin?.destroy();
    child.kill('SIGKILL');
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const at = (text: string, condition?: string): object => ({
  line: lineOf(text),
  ...(condition === undefined ? {} : { condition }),
});

describe('an editor that debugs an app', () => {
  it('starts the debugger as a program: VS Code would load what runs by `node` into its own, and no module can be', () => {
    expect(contributed).toMatchObject({ args: ['app', 'debug'] });
    expect(contributed).not.toHaveProperty('runtime');
  });

  it('stops at lines, steps, looks at variables and changes them, and is stopped by a null pointer', async () => {
    const editor = openEditor(SOURCE);
    const set = await editor.launch({ defines: { KIND: 1 } }, [
      at('total = add', 'i == 3'),
      { line: lineOf('static int add') },
      { line: 9999 },
    ]);
    // The head of a function means its first line with something to do.
    expect(set.body['breakpoints']).toMatchObject([
      { verified: true, line: lineOf('total = add') },
      { verified: true, line: lineOf('counter++') },
      { verified: false },
    ]);
    await editor.event('stopped');
    expect(await editor.stack()).toMatchObject([
      { name: 'add', line: lineOf('counter++'), source: { path: main } },
      { name: 'main', line: lineOf('total = add') },
      {},
      {},
    ]);
    await editor.ask('setBreakpoints', {
      source: { path: main },
      breakpoints: [at('total = add', 'i == 3')],
    });
    expect(
      (await editor.ask('setBreakpoints', { source: { path: '/x.c' }, breakpoints: [{ line: 1 }] })).body,
    ).toMatchObject({ breakpoints: [{ verified: false, message: 'This file is not in the app.' }] });

    await editor.ask('continue', { threadId: 1 });
    expect(await editor.event('stopped')).toMatchObject({ reason: 'breakpoint' });
    const { reference, all } = await editor.locals();
    const shown = (variables: readonly Named[]): Readonly<Record<string, string>> =>
      Object.fromEntries(variables.map(({ name, value }) => [name, value]));
    expect(shown(all)).toMatchObject({ i: '3', total: '3', argc: '1' });
    const node = all.find(({ name }) => name === 'node');
    const members = await editor.variables(node?.variablesReference ?? 0);
    expect(shown(members)).toMatchObject({
      name: expect.stringMatching(/^0x[0-9a-f]+ "first"$/),
      mode: 'Mode_Idle (0)',
      weight: '1.25',
    });
    const next = members.find(({ name }) => name === 'next');
    expect(next).toMatchObject({ type: 'struct Node *' });
    expect(shown(await editor.variables(next?.variablesReference ?? 0))).toMatchObject({
      mode: 'Mode_Busy (7)',
      next: '0x0',
    });
    expect(await editor.value('node.next->at[1].y')).toBe('4');
    expect(await editor.value('(&node.at[0] + 1)->x * 2 + i')).toBe('17');
    expect(await editor.value('node.next->part.high')).toBe('-3');
    expect(await editor.value('*node.next == 1')).toContain('is no number');
    expect(await editor.value('nobody')).toContain('There is no nobody here');
    expect(await editor.value('1 +')).toContain('not complete');

    const assigned = await editor.ask('setVariable', {
      variablesReference: reference,
      name: 'i',
      value: '4',
    });
    expect(assigned.body).toMatchObject({ value: '4' });
    expect(await editor.step('stepIn')).toBe(`add:${lineOf('counter++')}`);
    expect(await editor.step('stepOut')).toBe(`main:${lineOf('total = add')}`);
    expect(await editor.step('next')).toBe(`main:${lineOf('for (int i')}`);
    expect(await editor.value('total')).toBe('7');
    expect(await editor.step('next')).toBe(`main:${lineOf('Log_Debug("total')}`);
    await editor.ask('continue', { threadId: 1 });

    expect(await editor.event('stopped')).toMatchObject({ reason: 'exception', text: 'null pointer' });
    expect((await editor.ask('exceptionInfo', { threadId: 1 })).body).toMatchObject({
      exceptionId: 'null pointer',
    });
    expect(await editor.place()).toBe(`choose:${lineOf('if (kind == 1)')}`);
    expect(await editor.value('node->next->name')).toContain('"last"');
    expect(editor.events).toContainEqual(
      expect.objectContaining({ event: 'output', body: { category: 'stdout', output: 'total 7 of 1\n' } }),
    );
    await editor.ask('continue', { threadId: 1 });
    expect(await editor.event('exited')).toEqual({ exitCode: 1 });
    await editor.event('terminated');
    expect(await editor.ask('disconnect')).toMatchObject({ success: true });
    expect(await once(editor.child, 'exit')).toEqual([0, null]);
  }, 180_000);

  it('steps over what waits, pauses what runs, shows the variables at a trap, and lets go of an app that stands still', async () => {
    const editor = openEditor(SOURCE.replace('i < 5', 'i < 1000000'));
    await editor.launch({ defines: { KIND: 2 }, stopOnEntry: true }, [at('nanosleep')]);
    expect(await editor.event('stopped')).toMatchObject({ reason: 'entry' });
    expect(await editor.place()).toBe(`main:${lineOf('struct Node node =')}`);
    await editor.ask('continue', { threadId: 1 });
    expect(await editor.event('stopped')).toMatchObject({ reason: 'breakpoint' });
    expect(await editor.step('next')).toBe(`main:${lineOf('total = add')}`);
    await editor.ask('setBreakpoints', { source: { path: main }, breakpoints: [] });
    await editor.ask('continue', { threadId: 1 });
    // The editor asks by itself while the mouse rests on a word: nobody wants a box for that.
    expect(await editor.ask('evaluate', { expression: 'counter', context: 'hover' })).toMatchObject({
      message: expect.stringContaining('is running'),
      body: { error: { showUser: false } },
    });
    await editor.ask('pause', { threadId: 1 });
    expect(await editor.event('stopped')).toMatchObject({ reason: 'pause' });
    expect((await editor.stack()).map(({ name }) => name)).toContain('main');
    // Where it was paused it may hold `i` to count on; at the head of a line it does not.
    await editor.ask('setBreakpoints', { source: { path: main }, breakpoints: [at('total = add')] });
    await editor.ask('continue', { threadId: 1 });
    expect(await editor.event('stopped')).toMatchObject({ reason: 'breakpoint' });
    const { reference } = await editor.locals();
    await editor.ask('setVariable', { variablesReference: reference, name: 'i', value: '999999' });
    await editor.ask('setBreakpoints', { source: { path: main }, breakpoints: [] });
    await editor.ask('continue', { threadId: 1 });
    // No check of the compiler's, and long after the app has waited for the first time.
    expect(await editor.event('stopped')).toMatchObject({
      reason: 'exception',
      text: 'memory access out of bounds',
    });
    expect((await editor.locals()).all).toMatchObject([
      { name: 'from', value: '0x7ffffff0' },
      { name: 'index', value: expect.stringMatching(/^\d+$/) },
    ]);
    expect((await editor.locals(2)).all).toContainEqual(
      expect.objectContaining({ name: 'kind', value: '2' }),
    );
    expect(await editor.ask('disconnect')).toMatchObject({ success: true });
    expect(await once(editor.child, 'exit')).toEqual([0, null]);
  }, 180_000);

  it('sees every frame of a trap at -O2, also of functions that were inlined', async () => {
    const editor = openEditor(SOURCE);
    await editor.launch({ defines: { KIND: 2 }, optimized: true }, [at('nanosleep')]);
    await editor.event('stopped');
    // In no memory, but in a local of WebAssembly.
    expect(await editor.value('argc')).toBe('1');
    await editor.ask('setBreakpoints', { source: { path: main }, breakpoints: [] });
    await editor.ask('continue', { threadId: 1 });
    expect(await editor.event('stopped')).toMatchObject({
      reason: 'exception',
      text: 'memory access out of bounds',
    });
    expect((await editor.stack()).slice(0, 3)).toMatchObject([
      { name: 'fetch', line: lineOf('static int fetch') },
      { name: 'choose', line: lineOf('if (kind == 2)') },
      { name: 'main', line: lineOf('choose(KIND') },
    ]);
    expect(await editor.value('counter')).toBe('10');
    expect((await editor.locals()).all).toMatchObject([{ name: 'from', value: '0x7ffffff0' }]);
    // It has failed once and is not stopped at again on its way to its end.
    await editor.ask('continue', { threadId: 1 });
    expect(await editor.event('exited')).toEqual({ exitCode: 1 });
    expect(editor.events.filter(({ event }) => event === 'stopped')).toEqual([]);
  }, 180_000);

  it('is told of what does not build, where it stands', async () => {
    const editor = openEditor('int main(void) { return nothing; }\n');
    const refused = await editor.launch({});
    expect(refused).toMatchObject({
      success: false,
      message: expect.stringContaining('main.c:1:25: error'),
      body: { error: { showUser: true } },
    });
    expect(await editor.ask('variables', { variablesReference: 1 })).toMatchObject({ success: false });
    expect(await editor.ask('loadedSources')).toMatchObject({ success: false });
    editor.send('no JSON at all');
    const [code] = (await once(editor.child, 'exit')) as [number];
    expect(code).not.toBe(0);
  }, 180_000);
});
