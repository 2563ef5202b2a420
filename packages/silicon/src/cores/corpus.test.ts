import { describe, expect, it } from 'vitest';
import { ButtonModel } from '../models/led.ts';
import { AccelerometerModel, LoopbackModel, TemperatureSensorModel } from '../models/sensors.ts';
import type { I2cDevice } from '../peripherals/i2c-wires.ts';
import type { SpiDevice } from '../peripherals/spi.ts';
import { TICKS_PER_SECOND } from './core-clock.ts';
import { ApplicationEnd } from './testing/application-end.ts';
import { CorpusRun } from './testing/corpus.ts';

const ENGINES = ['interpreter', 'jit'] as const;

/** Lets a program run on both engines; all that it leaves must be the same to the last bit. */
function onBoth(
  name: string,
  play: (run: CorpusRun) => void,
  regions: ConstructorParameters<typeof CorpusRun>[2] = [],
): CorpusRun {
  const [first, second] = ENGINES.map((engine) => {
    const run = new CorpusRun(name, engine, regions).start();
    play(run);
    return run;
  }) as [CorpusRun, CorpusRun];
  expect(second.output).toBe(first.output);
  expect(second.digest).toBe(first.digest);
  return second;
}

const lines = (...all: readonly string[]): string => all.map((line) => `${line}\n`).join('');

describe('programs of the real-time SDK', () => {
  it('turn an LED by a timer’s interrupt', () => {
    const edges: string[] = [];
    const { output } = onBoth(
      'blink',
      (run) => {
        run.chip.pins.onChange((pin, level) =>
          edges.push(`${pin}=${level} at ${(run.realTime.time / TICKS_PER_SECOND).toFixed(2)}`),
        );
        run.run(3);
      },
      ['gpio2'],
    );
    expect(output).toBe('turned 10 times\n');
    expect(edges.slice(0, 3)).toEqual(['8=1 at 0.25', '8=0 at 0.50', '8=1 at 0.75']);
    expect(edges).toHaveLength(20);
  });

  it('fail where the firewall does not let them to their pins', () => {
    const { core, failure } = onBoth('blink', (run) => run.run(0.1));
    expect(core.state).toBe('failed');
    expect(failure).toMatchObject({ kind: 'fault', bfar: 0x3803_0018 });
  });

  it('echo lines that come in by interrupt', () => {
    const { output } = onBoth('uart-echo', (run) =>
      run.run(0.1).type('hello\n').run(0.1).type('World!\n').run(0.1),
    );
    expect(output).toBe(lines('ready', 'HELLO (5)', 'WORLD! (6)'));
  });

  it('are called by all timers in time', () => {
    const { output } = onBoth('timers', (run) => run.run(0.1));
    expect(output).toBe(
      lines(
        ...[10, 20, 30, 40].flatMap((ms) => [
          `timer 0 after ${ms} ms`,
          ...(ms === 10 ? ['timer 3 after 15 ms'] : ms === 30 ? ['timer 1 after 31 ms'] : []),
        ]),
        '32 ticks in 1000 us',
      ),
    );
  });

  it('are interrupted by priority, and not where they forbid it', () => {
    const { output } = onBoth('priorities', (run) => run.run(0.1));
    expect(output).toBe('([{}])([{}]) {}=([{}]) {}|[{}] \n');
  });

  it('print what printf promises', () => {
    const { output } = onBoth('printing', (run) => run.run(0.2));
    expect(output).toBe(
      lines(
        '-5 0 4000000000 beef BEEF c text %',
        '[   42][42   ][-0042][   ab][ab   ][ab]',
        '-1 1 -9000000000 123456789abc 4',
        '1.500000 -3.14 3    0.063 00100000',
        '(null) -2147483648',
        '15 longe 5',
        '0101234567 10 -1 0 1',
        '1234567 cd',
      ),
    );
  });

  it('execute code in flash', () => {
    expect(onBoth('flash', (run) => run.run(0.1)).output).toBe('30030 from flash\n');
  });

  it('sleep where they have nothing to do', () => {
    const { output, realTime } = onBoth('sleep', (run) => run.run(2));
    expect(output).toBe('1024 wakes in 1000 ms\n');
    // Of 395 million cycles.
    expect(realTime.core.executed).toBeLessThan(100_000);
  });
});

describe('programs and the core’s own hardware', () => {
  it('use parts on every kind of bus, each in its own time', () => {
    const { output, chip } = onBoth(
      'hardware',
      (run) => {
        const [first, second, third] = run.chip.isus;
        first?.uart.attach(new LoopbackModel());
        second?.i2c.attach(new TemperatureSensorModel(0x48));
        third?.spi.attach(0, new AccelerometerModel());
        run.chip.adc.attach(2, () => 1.25);
        const button = new ButtonModel(run.chip.pins, 12);
        run.run(0.2);
        for (let press = 0; press < 2; press++) {
          // It bounces: that counts once.
          for (let bounce = 0; bounce < 4; bounce++) {
            button.press();
            run.run(0.0002);
            button.release();
            run.run(0.0002);
          }
          button.press();
          run.run(0.1);
          button.release();
          run.run(0.1);
        }
      },
      ['isu0', 'isu1', 'isu2', 'adc', 'gpio1', 'gpio3'],
    );
    expect(output).toBe(
      lines(
        'thermometer 0: 21',
        'nobody 1',
        'accelerometer 1: 69',
        'loop 4: wire',
        'voltage 2048 none -1',
        'wave 1',
        'pressed 1',
        'pressed 2',
      ),
    );
    expect(chip.pwm[1]?.wave(2)).toEqual({ isRunning: true, period: 1_000_000, high: 250_000 });
    expect(chip.bus.firewall.violations).toEqual([]);
  });

  it('move more than a FIFO holds, and refuse what cannot be', () => {
    const waves: unknown[] = [];
    const { output } = onBoth(
      'drivers',
      (run) => {
        const { chip } = run;
        const memory: number[] = [];
        let pointer = 0;
        const part: I2cDevice = {
          address: 0x50,
          start: (direction) => {
            if (direction === 'write') pointer = -1;
            return 'ack';
          },
          write: (byte) => {
            if (pointer < 0) pointer = byte;
            else memory[pointer++] = byte;
            return true;
          },
          read: () => memory[pointer++] ?? 0xff,
          stop: () => {},
        };
        chip.isus[2]?.i2c.attach(part);
        const inverter: SpiDevice = {
          modes: [3],
          selectLevel: 0,
          select: () => {},
          exchange: (byte) => byte ^ 0xff,
          deselect: () => {},
        };
        chip.isus[1]?.spi.attach(0, inverter);
        for (const group of [0, 2])
          chip.pwm[group]?.onChange((channel, { period, high }) =>
            waves.push([group, channel, period, high]),
          );
        run.run(0.1);
      },
      ['gpio0', 'gpio2', 'isu1', 'isu2'],
    );
    expect(output).toBe(
      lines(
        'pins 1 0 0 0',
        'write 0 read 0 1 11 nobody 1 nothing 4',
        'exchange 1 ff f0 one 1 f6 too many 0',
        'pwm 1 0 1 0',
      ),
    );
    expect(waves.slice(0, 2)).toEqual([
      [0, 1, 1_000_000, 250_000],
      [2, 2, 30_000_000, 1_000_000],
    ]);
  });

  it('copy by DMA what it reaches, and nothing else', () => {
    const { output } = onBoth('dma', (run) => run.run(0.1));
    expect(output).toBe(lines('elsewhere 0', 'started 1', 'left 0 wrong 0'));
  });

  it('are ended by a watchdog that they do not feed, and hear of it when they are loaded again', () => {
    const endings: unknown[] = [];
    const { output, core } = onBoth('watchdog', (run) => {
      for (let starts = 0; starts < 2; starts++) {
        run.run(2);
        endings.push(run.core.failure?.kind);
        run.load().start();
      }
      run.run(2);
    });
    expect(endings).toEqual(['watchdog', 'reset', 'watchdog', 'reset']);
    expect(output).toBe(
      lines(
        'run 1 cause 0 initialised 42 zero 0',
        'no more food',
        'run 1 cause 1 initialised 42 zero 0',
        'run 1 cause 2 initialised 42 zero 0',
        'done',
      ),
    );
    expect(core.state).toBe('running');
  });

  it('begin with their own values where memory was left as it was, and keep what they want kept', () => {
    const { output } = onBoth('watchdog', (run) => run.run(2).start().run(0.5));
    expect(output).toContain('run 1 cause 0 initialised 42 zero 0\n');
    expect(output).toContain('run 2 cause 0 initialised 42 zero 0\n');
  });
});

describe('messages between cores', () => {
  const component = Uint8Array.from({ length: 16 }, (_, index) => index * 7 + 1);
  const payloadOf = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => index % 251);

  it('come back whole at every limit of their size, however the ring turns', () => {
    const sizes = [0, 1, 11, 12, 13, 1024, 1039, 1040, 1, 1040, 1040, 1040, 500, 1040, 1024, 16];
    const { output } = onBoth('intercore-echo', (run) => {
      const end = new ApplicationEnd(run, 12);
      run.run(0.01);
      for (const size of sizes) {
        const payload = payloadOf(size);
        expect(end.send({ component, payload })).toBe(true);
        run.run(0.01);
        expect(end.receive()).toEqual({ component, payload: payload.toReversed() });
      }
    });
    expect(output.match(/sent 0/g)).toHaveLength(sizes.length);
    expect(output.match(/too large 20/g)).toHaveLength(sizes.filter((size) => size === 1040).length);
  });

  it('are refused when the ring is full, in both directions', () => {
    const { output } = onBoth('intercore-echo', (run) => {
      const end = new ApplicationEnd(run, 11);
      run.run(0.01);
      // A ring of 1984 bytes: one message of 1000 bytes fits in, and its answer; a second answer does not.
      expect(end.send({ component, payload: payloadOf(1000) })).toBe(true);
      expect(end.send({ component, payload: payloadOf(1000) })).toBe(false);
      run.run(0.01);
      expect(end.send({ component, payload: payloadOf(1000) })).toBe(true);
      run.run(0.01);
      expect(end.receive()?.payload).toHaveLength(1000);
      expect(end.receive()).toBeNull();
    });
    expect(output).toContain('1000 sent 0\n');
    expect(output).toContain('1000 sent 21\n');
  });

  it.each([
    ['a position that is not aligned', 0, 8],
    ['a position beyond the end', 0, 4032],
    ['a block longer than what was written', 64, 2000],
    ['a block shorter than its header', 64, 3],
  ])('end where the other side makes no sense: %s', (_what, offset, value) => {
    const { output, core } = onBoth('intercore-echo', (run) => {
      const end = new ApplicationEnd(run, 12);
      run.run(0.01);
      end.poke(0, 32);
      end.poke(offset, value);
      end.signal(2);
      run.run(0.01);
    });
    expect(output).toBe('open 0\nreceive 30\n');
    expect(core.state).toBe('running');
  });
});

describe('programs that fail', () => {
  it.each([
    ['b', 'fault', { bfar: 0x38ff_0000, cfsr: 0x8200 }, 'cfsr 0x8200, bfar 0x38ff0000'],
    ['w', 'fault', { bfar: 0x38ff_0004, cfsr: 0x8200 }, 'bfar 0x38ff0004'],
    ['n', 'fault', { bfar: 0, cfsr: 0x8200 }, 'bfar 0x0'],
    ['d', 'fault', { cfsr: 0x0200_0000 }, 'fault at 0x10'],
    ['u', 'fault', { cfsr: 0x1_0000 }, 'cfsr 0x10000'],
    ['x', 'fault', { cfsr: 0x100 }, 'fault at 0x30000000, cfsr 0x100'],
    ['t', 'fault', { cfsr: 0x2_0000 }, 'cfsr 0x20000'],
    ['h', 'fault', { bfar: 0x38ff_0008, cfsr: 0x8200 }, 'bfar 0x38ff0008'],
    ['l', 'fault', { cfsr: 0x0100_0000 }, 'cfsr 0x1000000'],
    ['s', 'fault', { cfsr: 0x92 }, 'mmfar 0x10'],
    ['a', 'assert', { text: "how == 'A'" }, "assertion how == 'A', line "],
    ['i', 'interrupt', { line: 86 }, 'interrupt of exception 86'],
  ])('leave a record of what was wrong, and say so (%s)', (letter, kind, what, says) => {
    const { output, core, failure } = onBoth('faults', (run) => run.run(0.01).type(letter).run(0.01));
    expect(output).toMatch(/^which\?\n\nfailure: [^\n]+\n$/);
    expect(output).toContain(says);
    expect(core.failure?.kind).toBe('lockup');
    expect(failure).toMatchObject({ kind, ...what });
    // What the program saw is what the core saw.
    const isStacked = ((failure?.cfsr ?? 0) & 0x1010) === 0;
    if (kind === 'fault' && isStacked)
      expect(failure?.registers.slice(0, 16)).toEqual(core.failure?.registers);
  });
});

describe('the kernel of the real-time SDK', () => {
  it('runs the most urgent task, and equals in turn', () => {
    const { output } = onBoth('rtos-scheduler', (run) => run.run(0.2));
    expect(output).toBe(
      lines(
        'high first',
        'low runs',
        'high resumed at 5',
        'low again',
        'no resume is lost',
        'high slept to 22 ms',
        'high is low',
        'ended 1, stack left 1',
        'equal shares 1',
      ),
    );
  });

  it('lets nobody of middle priority hold up who waits for a mutex', () => {
    const { output } = onBoth('rtos-mutex', (run) => run.run(0.5));
    expect(output).toBe(
      lines(
        'low has the bus',
        'not now: 1',
        'not in time: 1',
        'low without a waiter is at 1',
        'low is at 12',
        'once is not enough: 12',
        'high has the bus at 30 ms, middle worked 0 times',
        'other has the second',
        'middle is done',
        'not its owner: 2',
        'low is back at 1',
      ),
    );
  });

  it('hands items over in order, waits for room and for items, and for no longer than asked', () => {
    const { output } = onBoth('rtos-queue', (run) => run.run(0.5));
    expect(output).toBe(
      lines(
        'empty: 1, in time: 1',
        'sent 1',
        'sent 2',
        'there are 2',
        'sent 3',
        'received 1',
        'sent 4',
        'received 2',
        'sent 5',
        'received 3',
        'full: 1, in time: 1',
        'left 4',
        'left 5',
        'from the interrupt 100',
        'from the interrupt 101',
        'all: 0 6',
        'any: 0 2',
        'from the interrupt 102',
        'semaphore 2, limit: 0 0 2',
        'cleared: 1',
      ),
    );
  });

  it('calls timers in time, without drift, and never after they were stopped', () => {
    const { output } = onBoth('rtos-timers', (run) => run.run(8));
    expect(output).toBe(lines('once at 50 ms', '1011 rounds of 230 ticks', 'missed some: 1'));
  });

  it('keeps every task’s floating-point registers, whoever comes in between', () => {
    const { output } = onBoth('rtos-fpu', (run) => run.run(0.4));
    expect(output).toBe(lines('sum 4.679871, interrupts 180: 358.000000', 'all ran 1, wrong 0'));
  });

  it('serves the most urgent first and equals in order, and counts time beyond where its clock goes round', () => {
    const { output } = onBoth('rtos-order', (run) => run.run(41 * 3600));
    expect(output).toBe(lines('bdcaBDCA', 'gone 1', 'after 40 hours'));
  });

  it('keeps every promise at once, whatever its tasks happen to do', () => {
    const { output } = onBoth('rtos-stress', (run) => run.run(6));
    expect(output).toMatch(
      /^locked \d{3,} sent \d{3,} taken \d{3,} flagged \d{2,} timeouts \d{2,}\nwrong 0\n$/,
    );
  });

  it('has no tick: an hour with a look every minute takes a few thousand instructions', () => {
    const { output, realTime } = onBoth('rtos-idle', (run) => run.run(3601));
    expect(output).toBe('an hour: 3600 s\n');
    expect(realTime.core.executed).toBeLessThan(60_000);
  });

  it('ends a program whose task has too small a stack, and says which', () => {
    const { failure, output } = onBoth('rtos-overflow', (run) => run.run(0.01).type('-').run(0.01));
    expect(output).toBe('guard?\n\nfailure: stack of task too small\n');
    expect(failure).toMatchObject({ kind: 'stack', text: 'too small' });
  });

  it('stops the store that goes too far where the memory protection unit watches', () => {
    const { failure, output } = onBoth('rtos-overflow', (run) => run.run(0.01).type('g').run(0.01));
    expect(output).toMatch(/^guard\?\n\nfailure: fault at 0x\w+, cfsr 0x82, mmfar 0x\w+\n$/);
    expect(failure).toMatchObject({ kind: 'fault', cfsr: 0x82 });
  });
});
