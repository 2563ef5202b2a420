import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout } from 'node:timers/promises';

const PATIENCE_MILLISECONDS = 60_000;
/** Linux's USER_HZ: what /proc counts in, on every architecture that Node runs on. */
const TICKS_A_SECOND = 100;

/** A server process of its own, so that its CPU time and memory are its own. */
export interface ServerProcess {
  readonly port: number;
  /** User and system time so far, in seconds. */
  cpuSeconds(): number;
  /** Resident and proportional set size now, and the highest resident one so far; MiB. */
  memory(): { readonly resident: number; readonly proportional: number; readonly mostResident: number };
  stop(): Promise<void>;
}

/** Starts it and waits until its port answers. Rejects with what it said when it ends before. */
export async function startServer(
  command: string,
  commandArgs: readonly string[],
  portOf: () => number | null,
): Promise<ServerProcess> {
  const child = spawn(command, commandArgs, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-2000)));
  const ended = once(child, 'close');
  const deadline = performance.now() + PATIENCE_MILLISECONDS;
  for (;;) {
    const port = portOf();
    if (port !== null && (await isListening(port))) return handleOf(child, port, ended);
    if (child.exitCode !== null || performance.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`${command} ${commandArgs.join(' ')} did not start: ${said}`);
    }
    await setTimeout(50);
  }
}

function handleOf(child: ChildProcess, port: number, ended: Promise<unknown>): ServerProcess {
  const proc = `/proc/${child.pid ?? 0}`;
  return {
    port,
    cpuSeconds() {
      // The command name in parentheses may itself hold spaces and parentheses.
      const fields = readFileSync(`${proc}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
    },
    memory() {
      const status = readFileSync(`${proc}/status`, 'utf8');
      const rollup = readFileSync(`${proc}/smaps_rollup`, 'utf8');
      return {
        resident: mebibytes(status, 'VmRSS'),
        proportional: mebibytes(rollup, 'Pss'),
        mostResident: mebibytes(status, 'VmHWM'),
      };
    },
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

function mebibytes(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'mu').exec(text)?.[1] ?? Number.NaN) / 1024;
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const answer = (is: boolean): void => {
      socket.destroy();
      resolve(is);
    };
    socket.once('connect', () => answer(true)).once('error', () => answer(false));
  });
}
