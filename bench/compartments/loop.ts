import { execFile } from 'node:child_process';
import { join } from 'node:path';
import type { VirtualDevice } from '@sevenfold/device';
import type { BuiltApp } from '@sevenfold/sdk';
import type { Figure } from '../figure.ts';
import { alternate, compare } from '../pairs.ts';
import { lineOf } from './device.ts';

const LEAST_SHARE = 0.7;
const LINE = /loop (\d+) us crc ([0-9a-f]{4})/;

interface Run {
  readonly microseconds: number;
  /** Of everything it computed: equal on both sides, or the loop is not the same. */
  readonly crc: string;
}

function execute(program: string, args: readonly string[]): Promise<string | null> {
  return new Promise((resolve) => {
    execFile(program, args, (error, stdout) => resolve(error === null ? stdout : null));
  });
}

function runOf(match: RegExpExecArray | null): Run {
  return { microseconds: Number(match?.[1] ?? Number.NaN), crc: match?.[2] ?? '' };
}

/** The loop of `loop/main.c` in a compartment, with the SDK's default guards, beside the same file by `cc -O2`. */
export async function measureLoop(device: VirtualDevice, app: BuiltApp, scratch: string): Promise<Figure> {
  const name = 'CoreMark-like loop in a compartment';
  const target = `≥ ${LEAST_SHARE * 100} % of native`;
  const native = join(scratch, 'loop');
  const built = await execute('cc', ['-O2', '-o', native, join(import.meta.dirname, 'loop/main.c')]);
  if (built === null)
    return { name, measured: '–', peer: 'no cc: needs the package gcc', target, isMet: false };
  const ours = async (): Promise<Run> => {
    await device.gateway.call('appRemoved', app.componentId);
    const line = lineOf(device, LINE);
    await device.gateway.call('appInstalled', app.componentId);
    return runOf((await line).match);
  };
  const theirs = async (): Promise<Run> => runOf(LINE.exec((await execute(native, [])) ?? ''));
  await device.gateway.call('appInstalled', app.componentId);
  const pairs = await alternate(ours, theirs);
  await device.gateway.call('appRemoved', app.componentId);
  const compared = compare(pairs, ({ microseconds }) => microseconds);
  const isSame = pairs.every(([a, b]) => a.crc !== '' && a.crc === b.crc);
  return {
    name,
    measured: `${(100 / compared.ratio).toFixed(0)} %${isSame ? '' : ', results differ'}`,
    peer: `native ${(compared.theirs / 1000).toFixed(1)} ms, here ${(compared.ours / 1000).toFixed(1)} ms`,
    target,
    isMet: isSame && 1 / compared.ratio >= LEAST_SHARE,
  };
}
