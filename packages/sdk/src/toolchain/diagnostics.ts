/** One message of compiler or linker. */
export interface Diagnostic {
  readonly severity: 'error' | 'warning' | 'note';
  /** Path relative to the project; null when the message is about no file. */
  readonly file: string | null;
  /** From 1; null when the message is about no line. */
  readonly line: number | null;
  readonly column: number | null;
  readonly message: string;
}

const IN_FILE = /^(.*?):(\d+):(\d+): (?:fatal )?(error|warning|note): (.*)$/;
const IN_NONE = /^(?:\S+: )?(?:fatal )?(error|warning): (.*)$/;

function severityOf(text: string | undefined): Diagnostic['severity'] {
  return text === 'error' || text === 'note' ? text : 'warning';
}

/** A name for the machine's word, and another name for it: what the first is on 32 bits by definition. */
const SIZE = /^(?:__)?s?size_t\b|^ptrdiff_t\b/;
const WORD = /^(?:unsigned )?(?:int|long)$|^u?int32_t\b/;

/**
 * Whether a warning tells `size_t` from `int` in a format. Here, as on the original's machine, both are 32 bits wide,
 * where `size_t` is `unsigned int`: `%d` for what `read` gives is right on either.
 */
function isSameWord(message: string): boolean {
  const [, wanted = '', given = ''] =
    /(?:format specifies|precision should have|width should have) type '([^']*)'.*? has (?:type|underlying type) '([^']*)'/.exec(
      message,
    ) ?? [];
  return (SIZE.test(wanted) && WORD.test(given)) || (WORD.test(wanted) && SIZE.test(given));
}

/** Messages in the output of compilers and linkers; `project` is the path prefix of the app's own files. Other lines are dropped. */
export function parseDiagnostics(output: string, project: string): readonly Diagnostic[] {
  return output.split('\n').flatMap((line): Diagnostic[] => {
    const inFile = IN_FILE.exec(line);
    if (inFile !== null) {
      const [, path = '', row, column, severity, message = ''] = inFile;
      if (severity === 'warning' && isSameWord(message)) return [];
      return [
        {
          severity: severityOf(severity),
          file: path.startsWith(project) ? path.slice(project.length) : path,
          line: Number(row),
          column: Number(column),
          message,
        },
      ];
    }
    const inNone = IN_NONE.exec(line);
    if (inNone === null) return [];
    const [, severity, message = ''] = inNone;
    return [{ severity: severityOf(severity), file: null, line: null, column: null, message }];
  });
}

/** As compilers write it: `main.c:12:3: error: …`. */
export function formatDiagnostic({ severity, file, line, column, message }: Diagnostic): string {
  const place = file === null ? '' : `${file}:${line ?? 0}:${column ?? 0}: `;
  return `${place}${severity}: ${message}`;
}
