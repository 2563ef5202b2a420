import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { openChip, type Chip } from '../../chip.ts';
import { insecureSeededEntropy } from '../../engines.ts';
import { memoryFlash, memoryFuses } from '../../memory-storage.ts';
import { seededBytes } from '../../seeded.ts';
import type { ChipCore } from '../chip-core.ts';
import { TICKS_PER_SECOND } from '../core-clock.ts';
import { TCM } from '../state.ts';
import { halves } from '../testing/chip-with-core.ts';
import { CorpusRun } from '../testing/corpus.ts';
import { framePacket, MOST_PACKET, PacketReader } from './packets.ts';

const CODE = TCM.base + 0x400;
const DATA = TCM.base + 0x1000;
/** `str r7, [r6]`: enables line 9 in the NVIC. */
const START = halves(0x6037);
/**
 * Counts in memory what a timer's interrupt counts too:
 * `loop: ldr r1,[r0]; adds r1,#1; str r1,[r0]; adds r2,#3; bl double; b loop; double: adds r3,r1,r1; bx lr`.
 */
const PROGRAM = halves(0x6801, 0x3101, 0x6001, 0x3203, 0xf000, 0xf801, 0xe7f8, 0x184b, 0x4770);
const PLACES = {
  loop: CODE,
  add: CODE + 2,
  store: CODE + 4,
  next: CODE + 6,
  call: CODE + 8,
  double: CODE + 14,
};
/** `ldr r5,[r4]; adds r5,#1; str r5,[r4]; bx lr` */
const TICK = halves(0x6825, 0x3501, 0x6025, 0x4770);
const HANDLER = CODE + 0x80;

interface Loaded {
  readonly chip: Chip;
  readonly core: ChipCore;
  readonly run: (seconds: number) => void;
}

function loaded(isDebuggable = true): Loaded {
  const chip = openChip({ flash: memoryFlash(), fuses: memoryFuses(), entropy: insecureSeededEntropy('x') });
  const [core] = chip.realTimeCores;
  if (core === undefined) throw new RangeError('The chip has no core.');
  const vectors = Int32Array.from({ length: 116 }, () => HANDLER | 1);
  vectors[0] = TCM.base + TCM.size;
  vectors[1] = (CODE - START.length) | 1;
  core.clear(isDebuggable);
  core.load(TCM.base, new Uint8Array(vectors.buffer));
  core.load(CODE - START.length, START);
  core.load(CODE, PROGRAM);
  core.load(HANDLER, TICK);
  core.start();
  const { realTime } = core;
  if (realTime === null) throw new RangeError('Nothing was loaded.');
  realTime.setRegister(0, DATA);
  realTime.setRegister(4, DATA + 16);
  realTime.setRegister(6, 0xe000_e100);
  realTime.setRegister(7, 1 << 9);
  return { chip, core, run: (seconds) => chip.runRealTimeCores(Math.round(seconds * TICKS_PER_SECOND)) };
}

/** GDB's end of the wire, for packets that are written by hand. */
function connect(core: ChipCore): {
  ask: (text: string) => string;
  replies: string[];
  hasEnded: () => boolean;
} {
  const reader = new PacketReader();
  const replies: string[] = [];
  let hasEnded = false;
  const session = core.debug(
    (bytes) => {
      for (const each of reader.read(bytes)) if (each.kind === 'packet') replies.push(each.text);
    },
    () => (hasEnded = true),
  );
  return {
    replies,
    hasEnded: () => hasEnded,
    ask: (text) => {
      replies.length = 0;
      session.receive(text === '\u0003' ? Uint8Array.of(3) : framePacket(text));
      return replies.at(-1) ?? '';
    },
  };
}

const hexOf = (value: number): string => value.toString(16);
const littleEndian = (text: string): number =>
  Number.parseInt((text.match(/../gu) ?? []).toReversed().join(''), 16);
const pcOf = (ask: (text: string) => string): number => littleEndian(ask('pf'));

describe('the debug port of a real-time core', () => {
  it('is closed unless the Security Monitor has opened it, and takes one debugger', () => {
    const locked = loaded(false);
    expect(() => connect(locked.core)).toThrow(expect.objectContaining({ code: 'DebugLocked' }) as Error);
    const { core } = loaded();
    connect(core);
    expect(() => connect(core)).toThrow(expect.objectContaining({ code: 'WrongState' }) as Error);
  });

  it('stops the core, shows registers and memory, and lets it go on', () => {
    const { core, run } = loaded();
    run(1e-5);
    const before = core.realTime?.core.executed ?? 0;
    expect(before).toBeGreaterThan(0);
    const { ask, replies, hasEnded } = connect(core);
    run(1e-5);
    expect(core.realTime?.core.executed).toBe(before);
    expect(ask('?')).toBe('T02thread:1;');
    expect(ask('g')).toHaveLength(2 * (17 * 4 + 6 * 4 + 16 * 8 + 4));
    expect(littleEndian(ask('p0'))).toBe(DATA);
    expect(littleEndian(ask(`m${hexOf(DATA)},4`))).toBeGreaterThan(0);
    expect(ask(`M${hexOf(DATA)},4:78563412`)).toBe('OK');
    expect(ask(`m${hexOf(DATA)},4`)).toBe('78563412');
    expect(ask('P2=01000000')).toBe('OK');
    expect(littleEndian(ask('p2'))).toBe(1);
    ask('c');
    expect(replies).toEqual([]);
    run(1e-5);
    expect(ask('\u0003')).toBe('T02thread:1;');
    expect(littleEndian(ask(`m${hexOf(DATA)},4`))).toBeGreaterThan(0x1234_5678);
    expect(ask('D')).toBe('OK');
    expect(hasEnded()).toBe(true);
    const after = core.realTime?.core.executed ?? 0;
    run(1e-5);
    expect(core.realTime?.core.executed).toBeGreaterThan(after);
  });

  it('stops at breakpoints, which the program does not see, and steps over them', () => {
    const { core, run } = loaded();
    const { ask, replies } = connect(core);
    const original = ask(`m${hexOf(PLACES.loop)},12`);
    expect(ask(`Z0,${hexOf(PLACES.next)},2`)).toBe('OK');
    expect(ask(`Z1,${hexOf(PLACES.call)},4`)).toBe('OK');
    expect(ask(`m${hexOf(PLACES.loop)},12`)).toBe(original);
    const counts: number[] = [];
    for (let round = 0; round < 3; round++) {
      for (const place of [PLACES.next, PLACES.call]) {
        ask('c');
        run(1e-5);
        expect(replies).toEqual(['T05swbreak:;thread:1;']);
        expect(pcOf(ask)).toBe(place);
      }
      counts.push(littleEndian(ask('p1')));
    }
    expect(counts).toEqual([1, 2, 3]);
    expect(ask('s')).toBe('T05thread:1;');
    expect(pcOf(ask)).toBe(PLACES.double);
    expect(ask(`z0,${hexOf(PLACES.next)},2`)).toBe('OK');
    expect(ask(`z1,${hexOf(PLACES.call)},4`)).toBe('OK');
    ask('c');
    run(1e-4);
    expect(replies).toEqual([]);
  });

  it('stops before an instruction that touches what is watched, as GDB expects of a core by Arm', () => {
    const { core, run } = loaded();
    const { ask, replies } = connect(core);
    expect(ask(`Z2,${hexOf(DATA + 1)},1`)).toBe('OK');
    ask('c');
    run(1e-5);
    expect(replies).toEqual([`T05watch:${hexOf(DATA + 1)};thread:1;`]);
    expect(pcOf(ask)).toBe(PLACES.store);
    expect(littleEndian(ask(`m${hexOf(DATA)},4`))).toBe(0);
    // Who leaves the watchpoint where it is comes past it all the same.
    expect(ask('s')).toBe('T05thread:1;');
    expect(littleEndian(ask(`m${hexOf(DATA)},4`))).toBe(1);
    expect(pcOf(ask)).toBe(PLACES.next);
    ask('c');
    run(1e-5);
    expect(replies).toEqual([`T05watch:${hexOf(DATA + 1)};thread:1;`]);
    ask('c');
    run(1e-5);
    expect(littleEndian(ask(`m${hexOf(DATA)},4`))).toBe(2);
    expect(ask(`z2,${hexOf(DATA + 1)},1`)).toBe('OK');
    expect(ask(`Z3,${hexOf(DATA)},4`)).toBe('OK');
    ask('c');
    run(1e-5);
    expect(replies).toEqual([`T05rwatch:${hexOf(DATA)};thread:1;`]);
    expect(pcOf(ask)).toBe(PLACES.loop);
  });

  it('goes back, instruction by instruction, through interrupts that came from outside', () => {
    const { core } = loaded();
    const { ask, replies } = connect(core);
    const trace: string[] = [];
    const seen = (): string => `${pcOf(ask)} ${ask('g')} ${ask(`m${hexOf(DATA)},20`)}`;
    for (let step = 0; step < 60; step++) {
      // From outside, at moments of its own.
      if (step === 20 || step === 41) {
        core.setLine(9, true);
        core.setLine(9, false);
      }
      trace.push(seen());
      ask('s');
    }
    expect(new Set(trace).size).toBe(60);
    for (let step = 59; step >= 0; step--) {
      expect(ask('bs')).toBe('T05thread:1;');
      expect(seen(), `back to step ${step}`).toBe(trace[step]);
    }
    expect(ask('bs')).toBe('T05replaylog:begin;thread:1;');
    // What has been cannot be changed.
    expect(ask('P0=00000000')).toBe('E16');
    expect(ask(`M${hexOf(DATA)},1:00`)).toBe('E16');
    for (let step = 0; step < 60; step++) {
      expect(seen(), `forth to step ${step}`).toBe(trace[step]);
      ask('s');
    }
    expect(ask('P0=00000000')).toBe('OK');
    expect(replies).toEqual(['OK']);
  });

  it('goes back to the last breakpoint, and on again to the present', () => {
    const { core, run } = loaded();
    run(1e-5);
    const { ask, replies } = connect(core);
    const now = ask('g');
    ask(`Z0,${hexOf(PLACES.call)},4`);
    expect(ask('bc')).toBe('T05swbreak:;thread:1;');
    const last = littleEndian(ask('p1'));
    expect(ask('bc')).toBe('T05swbreak:;thread:1;');
    expect(littleEndian(ask('p1'))).toBe(last - 1);
    ask(`Z2,${hexOf(DATA)},4`);
    expect(ask('bc')).toBe(`T05watch:${hexOf(DATA)};thread:1;`);
    expect(pcOf(ask)).toBe(PLACES.next);
    const stored = littleEndian(ask(`m${hexOf(DATA)},4`));
    expect(ask('bc')).toBe('T05swbreak:;thread:1;');
    expect(ask('bc')).toBe(`T05watch:${hexOf(DATA)};thread:1;`);
    expect(littleEndian(ask(`m${hexOf(DATA)},4`))).toBe(stored - 1);
    ask(`z2,${hexOf(DATA)},4`);
    ask(`z0,${hexOf(PLACES.call)},4`);
    expect(ask('bc')).toBe('T05replaylog:begin;thread:1;');
    expect(littleEndian(ask(`m${hexOf(DATA)},4`))).toBe(0);
    ask('c');
    expect(replies).toEqual([]);
    // The present is where it was left, and goes on from there.
    expect(ask('\u0003')).toBe('T02thread:1;');
    expect(ask('g')).toBe(now);
  });

  it.each(['blink', 'rtos-timers', 'rtos-fpu', 'dma', 'uart-echo', 'sleep', 'watchdog'])(
    'plays back what %s did, to the last register',
    (name) => {
      const started = new CorpusRun(name, 'jit', ['isu0', 'gpio2']).start();
      for (let turn = 0; turn < 5; turn++) started.run(0.004).type('echo\n').run(0.003);
      const { ask } = connect(started.core);
      const now = ask('g');
      expect(ask('bs')).toBe('T05thread:1;');
      // At the present it is compared with what the core is: an error if it were another.
      expect(ask('s')).toMatch(/^T(05|0b)/u);
      expect(ask('g')).toBe(now);
      expect(ask('bc')).toBe('T05replaylog:begin;thread:1;');
    },
  );

  it('ends when what it looks at is gone', () => {
    const { core } = loaded();
    const { hasEnded } = connect(core);
    core.clear();
    expect(hasEnded()).toBe(true);
  });

  it('tells when the core has failed', () => {
    const { core, run } = loaded();
    const { ask, replies } = connect(core);
    // udf, in the handler as well
    ask(`M${hexOf(PLACES.add)},2:00de`);
    ask(`M${hexOf(HANDLER)},2:00de`);
    ask('c');
    run(1e-4);
    expect(replies).toEqual(['T0bthread:1;']);
    expect(core.failure?.kind).toBe('lockup');
    expect(ask('s')).toBe('T0bthread:1;');
    expect(ask('bs')).toBe('T05thread:1;');
  });

  it('takes whatever comes over the wire', () => {
    const { core, run } = loaded();
    let sent = 0;
    const session = core.debug(
      () => sent++,
      () => {},
    );
    const row = seededBytes(6);
    const random = (below: number): number => row.below(below);
    const letters = 'gpPmMXcsbvqQZzHTD?k0123456789abcdef,;:=}*$#+-\u0003';
    for (let packet = 0; packet < 3000; packet++) {
      const text = Array.from({ length: random(24) }, () => letters[random(letters.length)] ?? '').join('');
      if (/^[Dk]/u.test(text)) continue;
      session.receive(random(4) === 0 ? new TextEncoder().encode(text) : framePacket(text));
      if (packet % 10 === 0) session.receive(Uint8Array.of(3));
      run(1e-7);
    }
    session.receive(framePacket('M0,ffffffff:'));
    session.receive(framePacket(`m${hexOf(TCM.base)},ffffffff`));
    session.receive(framePacket('x'.repeat(2 * MOST_PACKET)));
    expect(sent).toBeGreaterThan(1000);
  });
});

const hasGdb = spawnSync('gdb-multiarch', ['--version']).status === 0;

describe('GDB itself', () => {
  it.skipIf(!hasGdb)(
    'breaks, watches, steps, and goes back',
    async () => {
      const { core, chip } = loaded();
      const server = createServer((socket) => {
        const session = core.debug(
          (bytes) => socket.write(bytes),
          () => socket.end(),
        );
        socket.on('data', (bytes) => {
          if (typeof bytes !== 'string') session.receive(bytes);
        });
        const pump = setInterval(() => chip.runRealTimeCores(TICKS_PER_SECOND / 1000), 1);
        socket.on('close', () => clearInterval(pump));
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      const commands = [
        'set pagination off',
        'set confirm off',
        'set architecture armv7e-m',
        'set remotetimeout 60',
        `target remote 127.0.0.1:${port}`,
        'print $r0',
        'print $control',
        'print $d3',
        `break *${PLACES.call}`,
        'continue',
        'continue',
        'print $r1',
        'delete',
        `watch *(int *)${DATA}`,
        'continue',
        'print $pc',
        'reverse-continue',
        'print $pc',
        'stepi',
        'delete',
        'stepi',
        'print $pc',
        'reverse-stepi',
        'reverse-stepi',
        'print $pc',
        'reverse-continue',
        'print $r1',
        'x/2i $pc',
        'detach',
      ];
      const gdb = spawn('gdb-multiarch', ['-nx', '-batch', ...commands.flatMap((each) => ['-ex', each])]);
      let output = '';
      gdb.stdout.on('data', (text) => (output += String(text)));
      gdb.stderr.on('data', (text) => (output += String(text)));
      const [code] = (await once(gdb, 'close')) as [number];
      server.close();
      expect(code, output).toBe(0);
      const values = [...output.matchAll(/^\$\d+ = (.*)$/gmu)].map(([, value]) => value);
      expect(values, output).toEqual([
        String(DATA),
        '0',
        '0',
        '2',
        // Directly behind the store, and going back directly before it.
        `(void (*)()) 0x${hexOf(PLACES.next)}`,
        `(void (*)()) 0x${hexOf(PLACES.store)}`,
        `(void (*)()) 0x${hexOf(PLACES.call)}`,
        `(void (*)()) 0x${hexOf(PLACES.store)}`,
        '0',
      ]);
      expect(output).toMatch(/Hardware watchpoint \d+: .*\s+Old value = 2\s+New value = 3/u);
      expect(output).toMatch(/Hardware watchpoint \d+: .*\s+Old value = 3\s+New value = 2/u);
      expect(output).toMatch(/str\s+r7, \[r6/u);
    },
    120_000,
  );
  if (!hasGdb) console.log('skipped: gdb-multiarch is not installed');
});
