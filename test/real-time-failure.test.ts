import { readFileSync } from 'node:fs';
import {
  decodeErrorReport,
  decodeSymbolMap,
  encodeErrorReport,
  encodeSymbolMap,
  utf8Encode,
  type SymbolLine,
} from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import { ECHO, ECHO_ELF, echoApp } from '../packages/os/src/kernel/testing/echo-app.ts';
import { KernelWorld } from '../packages/os/src/kernel/testing/kernel-world.ts';
import { OUT, scriptModule, type TestApp } from '../packages/os/src/kernel/testing/test-app.ts';
import { describeCoreStack } from '../packages/cli/src/app/core-stack.ts';
import { ArmTools } from '../packages/sdk/src/realtime/arm-tools.ts';
import { elfFunctions, unwindRules } from '../packages/sdk/src/realtime/unwind-rules.ts';
import { makeElfSymbols } from '../packages/sdk/src/realtime/symbols.ts';
import { frameText, symboliseCore } from '../packages/service/src/errors/symbolise.ts';

const ELF = new URL('../packages/os/src/kernel/testdata/echo.elf', import.meta.url).pathname;
const SOURCE = readFileSync(ELF.replace(/elf$/, 'c'), 'utf8').split('\n');
const tools = await ArmTools.find(null).catch(() => null);
if (tools === null) process.stdout.write('real-time failures: no arm-none-eabi-gcc, so no source lines\n');

async function linesOf(arm: ArmTools): Promise<readonly SymbolLine[]> {
  return makeElfSymbols(ECHO_ELF, async (addresses) => {
    const asked = addresses.map((address) => `0x${address.toString(16)}\n`).join('');
    return (await arm.run('addr2line', ['-a', '-f', '-i', '-e', ELF], '.', asked)).output;
  });
}

/** An app that says one thing to the echo, and waits for ever. */
const saying = (words: string): TestApp => ({
  module: scriptModule(
    [
      { call: ['sevenfold', 'app_connect'], args: [2048, OUT] },
      { call: ['wasi_snapshot_preview1', 'sock_send'], args: ['loaded', 2200, 1, 0, 2300] },
      { call: ['wasi_snapshot_preview1', 'sock_recv'], args: ['loaded', 2200, 1, 0, 2300, 2310] },
    ],
    [
      { offset: 2048, bytes: utf8Encode(ECHO) },
      { offset: 2100, bytes: utf8Encode(words) },
      { offset: 2200, bytes: new Uint8Array(Uint32Array.of(2100, words.length).buffer) },
    ],
  ),
  capabilities: { AllowedApplicationConnections: [ECHO] },
});

/** What the device keeps of the echo's end after it was told so. */
async function failureAfter(words: string, capabilities: Readonly<Record<string, unknown>> = {}) {
  const world = await KernelWorld.boot({ apps: [echoApp({ capabilities }), saying(words)] });
  await world.clock.advance(1600);
  const report = world.reports.find(({ componentId }) => componentId === ECHO);
  if (report?.core === undefined) throw new Error(`No report: ${world.log.join('\n')}`);
  return { world, report, core: report.core };
}

/** The line of the source that has this text. */
const lineOf = (text: string): number => SOURCE.findIndex((line) => line.includes(text)) + 1;

describe('a failure on a real-time core', () => {
  it('is a report with trap, registers and stack, which functions and lines can be read off', async () => {
    const { report, core, world } = await failureAfter('fault 939524096');
    expect(report).toMatchObject({ kind: 'AppCrash', trap: 'bus fault at 0x38000000', count: 1, log: [] });
    expect(decodeErrorReport(encodeErrorReport(report))).toEqual(report);
    // CFSR: PRECISERR and BFARVALID; BFAR.
    expect([core.faults[0], core.faults[3]]).toEqual([0x8200, 0x3800_0000]);
    const lines = tools === null ? [] : await linesOf(tools);
    const symbols = { functions: elfFunctions(ECHO_ELF), lines, unwind: unwindRules(ECHO_ELF) };
    const stack = symboliseCore(core, decodeSymbolMap(encodeSymbolMap(symbols)));
    expect(stack.map((frame) => frame.function)).toEqual(['store', 'obey', 'start']);
    if (tools !== null) {
      expect(stack.map(frameText)).toEqual([
        `store (echo.c:${lineOf('REGISTER(address) = 0x5afe')})`,
        `obey (echo.c:${lineOf('store(number_at(kept + 6))')})`,
        `start (echo.c:${lineOf('if (obey(message + 20')})`,
      ]);
    }
    // The same on the developer's terminal.
    const failure = world.chip.realTimeCores[0]?.failure ?? null;
    const shown = failure === null ? [] : describeCoreStack(failure, symbols);
    expect(shown).toEqual(stack.map((frame, index) => `  #${index} ${frameText(frame)}`));
    // Without symbols there is the address at least.
    expect(symboliseCore(core, null).map(frameText)).toEqual([
      `0x${(core.registers[15] ?? 0).toString(16).padStart(8, '0')}`,
    ]);
    expect(world.log).toContain('app echo trapped: bus fault at 0x38000000');
  });

  it('leaves nothing of the app’s data on the way to the service, unless its manifest agrees', async () => {
    const stackAfter = async (
      capabilities: Readonly<Record<string, unknown>>,
    ): Promise<readonly number[]> => {
      const { core, world } = await failureAfter('divide', capabilities);
      expect(core.stack.length).toBeGreaterThan(64);
      // All of it is there for whoever holds the device.
      expect(world.chip.realTimeCores[0]?.failure?.stack.slice(0, core.stack.length).some(Boolean)).toBe(
        true,
      );
      return [...new Uint32Array(core.stack.slice().buffer)];
    };
    const isAddress = (word: number): boolean =>
      word === 0 || (word >= 0x0010_0000 && word <= 0x0013_0000) || word >= 0xffff_ffe1;
    expect((await stackAfter({})).filter((word) => !isAddress(word))).toEqual([]);
    expect((await stackAfter({ MemorySnapshot: true })).some((word) => !isAddress(word))).toBe(true);
  });

  it.each([
    ['divide', 'integer divide by zero', ['quotient', 'obey', 'start']],
    ['fault 3758157824', 'bus fault at 0xe000f000', ['store', 'obey', 'start']],
  ])('says what it was: %s', async (words, trap, functions) => {
    const { report, core } = await failureAfter(words);
    expect(report.trap).toBe(trap);
    const symbols = { functions: elfFunctions(ECHO_ELF), lines: [], unwind: unwindRules(ECHO_ELF) };
    expect(symboliseCore(core, symbols).map((frame) => frame.function)).toEqual(functions);
  });
});
