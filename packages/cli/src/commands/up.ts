import { join, resolve } from 'node:path';
import { buildCommand, type Command } from '@stricli/core';
import { textFlag, type CliContext } from '../context.ts';
import { describeError } from '../errors.ts';
import { createNarrator } from '../narrator.ts';
import { installationFolder } from '../profile.ts';

interface UpFlags {
  readonly once: boolean;
  readonly data: string;
  readonly wiring: 'thread' | 'process';
}

/** `npm start`: brings up the whole platform, runs the main job on it and stays up. */
export const upCommand: Command<CliContext> = buildCommand<UpFlags, [], CliContext>({
  docs: {
    brief: 'Bring up the whole platform on this machine and run the main job',
    fullDescription:
      'Starts the service, makes a virtual device (or finds the one of an earlier start), and runs the main job step by step. Then stays up until Ctrl-C.',
  },
  parameters: {
    flags: {
      once: {
        kind: 'boolean',
        default: false,
        withNegated: false,
        brief: 'Run the story and exit: 0 when every step proved what it has to',
      },
      data: {
        ...textFlag('Folder in which everything is kept', 'DIR'),
        default: join(installationFolder, 'data'),
      },
      wiring: {
        kind: 'enum',
        values: ['thread', 'process'],
        default: 'thread',
        brief: 'What each layer of the device runs in; process also holds hostile native code',
      },
    },
  },
  async func(flags) {
    const narrator = createNarrator(this.process.stdout);
    // Loaded here: every other command is quicker without it.
    const { runUntilStopped } = await import('../story/run-until-stopped.ts');
    try {
      await runUntilStopped({
        dataDir: resolve(flags.data),
        once: flags.once,
        wiring: flags.wiring,
        narrator,
        process: this.process,
      });
    } catch (error) {
      this.process.stderr.write(`\nThe story stopped: ${describeError(error)}\n`);
      this.process.exitCode = 1;
    }
  },
});
