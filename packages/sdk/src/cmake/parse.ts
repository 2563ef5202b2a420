import { SdkError } from '../errors.ts';

/** One argument of a command, before variables are replaced. */
export interface RawArgument {
  readonly text: string;
  /** How it stands there: only bare ones fall apart at `;`, and nothing is replaced in bracketed ones. */
  readonly kind: 'bare' | 'quoted' | 'bracket';
}

/** One command of a `CMakeLists.txt`. */
export interface CMakeCommand {
  /** In lower case: CMake does not tell them apart. */
  readonly name: string;
  readonly args: readonly RawArgument[];
  /** From 1. */
  readonly line: number;
}

const LONGEST = 256 * 1024;
const SPACE = /[ \t\r\n]+/y;
const BRACKET_COMMENT = /#\[(=*)\[[\s\S]*?\]\1\]/y;
const COMMENT = /#[^\n]*/y;
const NAME = /([A-Za-z_]\w*)[ \t]*\(/y;
const BRACKET = /\[(=*)\[\n?([\s\S]*?)\]\1\]/y;
const QUOTED = /"((?:[^"\\]|\\[\s\S])*)"/y;
/** Quotes in the middle belong to it: `NAME="value"`. */
const BARE = /(?:[^\s()#"\\]|\\[^\n]|(?<=[^\s()])"(?:[^"\\]|\\[\s\S])*")+/y;

/**
 * Parses a `CMakeLists.txt` (cmake-language(7)) into its commands. Throws `ProjectIncomplete` naming `file` and line
 * where it is none.
 */
export function parseCMake(text: string, file: string): readonly CMakeCommand[] {
  const source = text.replace(/^\uFEFF/, '');
  let at = 0;
  const lineAt = (end: number): number => source.slice(0, end).split('\n').length;
  const refuse = (message: string): never => {
    throw new SdkError('ProjectIncomplete', message, { field: `${file}:${lineAt(at)}` });
  };
  if (source.length > LONGEST) refuse(`${file} is longer than ${LONGEST} characters.`);
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(source);
    if (found !== null) at = pattern.lastIndex;
    return found;
  };
  const skip = (): void => {
    while (take(SPACE) !== null || take(BRACKET_COMMENT) !== null || take(COMMENT) !== null);
  };
  const argument = (): RawArgument => {
    const bracket = take(BRACKET);
    if (bracket !== null) return { text: bracket[2] ?? '', kind: 'bracket' };
    const quoted = take(QUOTED);
    if (quoted !== null) return { text: quoted[1] ?? '', kind: 'quoted' };
    const bare = take(BARE);
    return bare === null ? refuse('A CMake argument is not closed.') : { text: bare[0], kind: 'bare' };
  };
  const commands: CMakeCommand[] = [];
  for (skip(); at < source.length; skip()) {
    const line = lineAt(at);
    const name = take(NAME)?.[1] ?? refuse('A CMake command is a name and its arguments in parentheses.');
    const args: RawArgument[] = [];
    for (let depth = 1; depth > 0;) {
      skip();
      const next = source[at];
      if (next === undefined) refuse(`The arguments of ${name} do not end.`);
      if (next === '(' || next === ')') {
        at += 1;
        depth += next === '(' ? 1 : -1;
        if (depth > 0) args.push({ text: next, kind: 'bare' });
      } else args.push(argument());
    }
    commands.push({ name: name.toLowerCase(), args, line });
  }
  return commands;
}
