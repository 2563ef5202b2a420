/** One line of the sources, or a part of one, that is a defence; and what stands there when it is taken out. */
export interface Edit {
  /** Path from the repository's root. */
  readonly file: string;
  /** Occurs once in the file. */
  readonly line: string;
  readonly instead: string;
}

/** An attack of the catalogue. Its file says at its head what it stands for and what holds it. */
export interface Attack {
  readonly name: string;
  /** The code with which it is stopped. */
  readonly stoppedBy: string;
  /** Without these lines it succeeds: so it was first seen. All of them are taken out at once. */
  readonly without: readonly Edit[];
  /** Attacks. Gives `succeeded`, or the code by which it was stopped. */
  run(): Promise<string>;
}

/** `succeeded` if `work` comes through, else the code of what stopped it. */
export async function outcomeOf(work: () => unknown): Promise<string> {
  try {
    await work();
    return 'succeeded';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
}
