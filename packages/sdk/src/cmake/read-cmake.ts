import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, extname, join, resolve } from 'node:path';
import { SdkError } from '../errors.ts';
import type { Diagnostic } from '../toolchain/diagnostics.ts';
import { holds } from './conditions.ts';
import { parseCMake, type CMakeCommand, type RawArgument } from './parse.ts';

/** The file that says how an app of the original platform is built. */
export const CMAKE_FILE = 'CMakeLists.txt';

/** What a `CMakeLists.txt` says of the app that it packs. Paths are absolute, but for those of resources. */
export interface CMakeProject {
  readonly sources: readonly string[];
  /** Folders in which headers are looked for, of the project alone. */
  readonly includes: readonly string[];
  /** `NAME` or `NAME=value`, as they stand after `-D`. */
  readonly defines: readonly string[];
  /** Files of the image, relative to the project's folder; null: it names none. */
  readonly resources: readonly string[];
  /** The hardware definition that it names, where it would be; null: it names none. */
  readonly hardware: string | null;
  /** What was read and left out. */
  readonly notes: readonly Diagnostic[];
}

/** Libraries that every app has, under the names that projects know them by. */
const HAS_THEM: readonly string[] = ['applibs', 'gcc_s', 'gcc', 'c', 'm', 'pthread', 'curl', 'tlsutils'];
/** Commands that change nothing in what is built here. */
const NOTHING_TO_DO = new Set(
  `cmake_minimum_required cmake_policy enable_language enable_testing add_test source_group find_program install
  set_target_properties set_source_files_properties add_dependencies mark_as_advanced azsphere_configure_tools
  azsphere_configure_api`.split(/\s+/),
);
const SCOPES: readonly string[] = ['PUBLIC', 'PRIVATE', 'INTERFACE', 'SYSTEM', 'BEFORE', 'AFTER'];
const BLOCKS: Readonly<Record<string, string>> = {
  foreach: 'endforeach',
  while: 'endwhile',
  function: 'endfunction',
  macro: 'endmacro',
};
/** Stands for folders of the original SDK: what is looked for there, this one has. */
const ORIGINAL_SDK = '/azure-sphere-sdk';
const DEEPEST = 16;
const LONGEST_VALUE = 64 * 1024;

interface Target {
  readonly sources: string[];
  readonly includes: string[];
  readonly defines: string[];
  readonly libraries: { readonly name: string; readonly place: string }[];
  hardware: string | null;
  /** Null: no image is made of it. */
  resources: string[] | null;
}

/** Walks the commands; directories share one set of variables, which is what such projects need. */
class Reader {
  readonly #folder: string;
  readonly #variables = new Map<string, string>([
    ['AZURE_SPHERE_SDK_PATH', ORIGINAL_SDK],
    ['AZURE_SPHERE_API_SET_DIR', `${ORIGINAL_SDK}/Sysroots`],
    ['CMAKE_BUILD_TYPE', 'Release'],
    ['CMAKE_C_COMPILER_ID', 'Clang'],
    ['AZURE_SPHERE', '1'],
  ]);
  readonly #targets = new Map<string, Target>();
  readonly #includes: string[] = [];
  readonly #defines: string[] = [];
  readonly #notes: Diagnostic[] = [];
  #at = '';
  #file = CMAKE_FILE;

  constructor(folder: string) {
    this.#folder = resolve(folder);
    for (const name of ['CMAKE_SOURCE_DIR', 'CMAKE_HOME_DIRECTORY', 'PROJECT_SOURCE_DIR'])
      this.#variables.set(name, this.#folder);
    this.#at = this.#folder;
  }

  read(): CMakeProject | null {
    this.#directory(this.#folder, CMAKE_FILE, 0);
    const packed = [...this.#targets.values()].find(({ resources }) => resources !== null);
    if (packed === undefined) return null;
    const all = this.#withLibraries(packed);
    return {
      sources: [...new Set(all.flatMap(({ sources }) => sources))].filter((path) =>
        /^\.(?:c|cc|cpp|cxx)$/.test(extname(path)),
      ),
      includes: [...new Set([...this.#includes, ...all.flatMap(({ includes }) => includes)])].filter(
        (path) => !path.startsWith(ORIGINAL_SDK),
      ),
      defines: [...new Set([...this.#defines, ...all.flatMap(({ defines }) => defines)])],
      resources: packed.resources ?? [],
      hardware: packed.hardware,
      notes: this.#notes,
    };
  }

  /** A target and the project's own libraries that it is linked with. Throws `ProjectIncomplete` for foreign ones. */
  #withLibraries(target: Target): readonly Target[] {
    const all = new Set([target]);
    for (const { libraries } of all) {
      for (const { name, place } of libraries) {
        const own = this.#targets.get(name);
        if (own !== undefined) all.add(own);
        else if (!HAS_THEM.includes(name)) this.#foreignLibrary(name, place);
      }
    }
    return [...all];
  }

  #foreignLibrary(name: string, place: string): void {
    if (name.startsWith('-')) return this.#note(`${name} is not handed to the linker.`, place);
    throw new SdkError(
      'ProjectIncomplete',
      `${name} is no library of this SDK: bring its sources (add_library), or use what docs/porting.md names instead.`,
      { field: place },
    );
  }

  #note(message: string, place: string): void {
    const [file = '', line] = place.split(':');
    this.#notes.push({ severity: 'warning', file, line: Number(line), column: 1, message });
  }

  #directory(folder: string, file: string, depth: number): void {
    const path = join(folder, file);
    const shown = path.slice(this.#folder.length + 1);
    if (!existsSync(path) || depth > DEEPEST) {
      throw new SdkError('ProjectIncomplete', `${this.#file} needs ${shown}, which cannot be read.`, {
        field: this.#file,
      });
    }
    const before = [this.#at, this.#file] as const;
    [this.#at, this.#file] = [folder, shown];
    this.#run(parseCMake(readFileSync(path, 'utf8'), shown), depth);
    [this.#at, this.#file] = before;
  }

  #run(commands: readonly CMakeCommand[], depth: number): void {
    /** What each open `if` has come to: its branch runs, none has run yet, or one has. */
    const open: ('runs' | 'waits' | 'over')[] = [];
    let block: string | null = null;
    for (const command of commands) {
      const { name, line } = command;
      const place = `${this.#file}:${line}`;
      const isRunning = open.every((state) => state === 'runs');
      if (block !== null) block = name === block ? null : block;
      else if (name === 'if')
        open.push(isRunning && this.#holds(command, place) ? 'runs' : isRunning ? 'waits' : 'over');
      else if (name === 'elseif' || name === 'else') {
        const state = open.pop();
        const may = state === 'waits' && (name === 'else' || this.#holds(command, place));
        open.push(may ? 'runs' : state === 'waits' ? 'waits' : 'over');
      } else if (name === 'endif') open.pop();
      else if (isRunning && BLOCKS[name] !== undefined) {
        block = BLOCKS[name] ?? null;
        this.#note(`${name} is not run by app build.`, place);
      } else if (isRunning && name === 'return') return;
      else if (isRunning) this.#command(name, this.#expand(command.args), place, depth);
    }
  }

  #holds({ args }: CMakeCommand, place: string): boolean {
    const result = holds(this.#expand(args), {
      variable: (name) => this.#variables.get(name) ?? null,
      exists: (path) => existsSync(resolve(this.#at, path)),
    });
    if (result === null) this.#note('This condition is not understood, and taken not to hold.', place);
    return result ?? false;
  }

  /** Arguments as the command sees them: variables replaced, lists taken apart. */
  #expand(args: readonly RawArgument[]): readonly string[] {
    return args.flatMap(({ text, kind }) => {
      if (kind === 'bracket') return [text];
      const replaced = this.#replace(text).replace(/\\([\s\S])/g, (_, after: string) =>
        after === 'n' ? '\n' : after,
      );
      return kind === 'quoted' ? [replaced] : replaced.split(';').filter((part) => part !== '');
    });
  }

  #replace(text: string): string {
    let [before, replaced] = ['', text];
    // Names may be put together from variables: innermost first, and no deeper than such files are.
    for (let round = 0; before !== replaced && round < DEEPEST; round++) {
      before = replaced;
      replaced = before.replace(/\$(?:ENV)?\{([\w.+/-]*)\}/g, (found, name: string) =>
        this.#value(found, name),
      );
    }
    return replaced;
  }

  /** A variable may double with every command: what is longer than any list of files is refused. */
  #remember(name: string, value: string): void {
    if (value.length > LONGEST_VALUE) {
      throw new SdkError('ProjectIncomplete', `${name} is longer than ${LONGEST_VALUE} characters.`, {
        field: this.#file,
      });
    }
    this.#variables.set(name, value);
  }

  #value(found: string, name: string): string {
    if (found.startsWith('$ENV')) return '';
    if (['CMAKE_CURRENT_SOURCE_DIR', 'CMAKE_CURRENT_LIST_DIR'].includes(name)) return this.#at;
    return this.#variables.get(name) ?? '';
  }

  #target(name: string): Target {
    const found = this.#targets.get(name);
    if (found !== undefined) return found;
    const made: Target = {
      sources: [],
      includes: [],
      defines: [],
      libraries: [],
      hardware: null,
      resources: null,
    };
    this.#targets.set(name, made);
    return made;
  }

  #command(name: string, args: readonly string[], place: string, depth: number): void {
    const [first = '', ...rest] = args;
    const plain = rest.filter((word) => !SCOPES.includes(word));
    const paths = (words: readonly string[]): string[] => words.map((word) => resolve(this.#at, word));
    switch (name) {
      case 'project':
        this.#variables.set('PROJECT_NAME', first).set('CMAKE_PROJECT_NAME', first);
        return;
      case 'set':
        this.#set(first, rest);
        return;
      case 'option':
        if (!this.#variables.has(first)) this.#variables.set(first, rest[1] ?? 'OFF');
        return;
      case 'find_path':
        this.#findPath(first, rest);
        return;
      case 'add_executable':
      case 'add_library':
        this.#target(first).sources.push(
          ...paths(plain.filter((word) => !['STATIC', 'OBJECT'].includes(word))),
        );
        return;
      case 'target_sources':
        this.#target(first).sources.push(...paths(plain));
        return;
      case 'aux_source_directory':
        this.#variables.set(rest[0] ?? '', this.#listed(first, /\.(?:c|cc|cpp|cxx)$/).join(';'));
        return;
      case 'file':
        this.#glob(first, rest, place);
        return;
      case 'add_subdirectory':
        this.#directory(resolve(this.#at, first), CMAKE_FILE, depth + 1);
        return;
      case 'include':
        if (existsSync(resolve(this.#at, first)) && extname(first) !== '')
          this.#directory(dirname(resolve(this.#at, first)), first.split('/').at(-1) ?? '', depth + 1);
        return;
      case 'include_directories':
        this.#includes.push(...paths(args.filter((word) => !SCOPES.includes(word))));
        return;
      case 'target_include_directories':
        this.#target(first).includes.push(...paths(plain));
        return;
      case 'add_compile_definitions':
      case 'add_definitions':
      case 'add_compile_options':
        this.#defines.push(...definesOf(args, name !== 'add_compile_options'));
        return;
      case 'target_compile_definitions':
      case 'target_compile_options':
        this.#target(first).defines.push(...definesOf(plain, name === 'target_compile_definitions'));
        return;
      case 'target_link_libraries':
        this.#target(first).libraries.push(...plain.map((library) => ({ name: library, place })));
        return;
      case 'azsphere_target_hardware_definition':
        this.#target(first).hardware = this.#hardware(rest);
        return;
      case 'azsphere_target_add_image_package':
        this.#target(first).resources = [...wordsAfter(rest, 'RESOURCE_FILES', ['DEBUG_LIB'])];
        return;
      case 'message':
        if (first === 'FATAL_ERROR')
          throw new SdkError('ProjectIncomplete', rest.join(' '), { field: place });
        return;
      default:
        if (!NOTHING_TO_DO.has(name)) this.#note(`${name} is not run by app build.`, place);
    }
  }

  #set(name: string, values: readonly string[]): void {
    const end = values.findIndex((word) => word === 'CACHE' || word === 'PARENT_SCOPE');
    const own = end < 0 ? values : values.slice(0, end);
    if (own.length === 0) this.#variables.delete(name);
    else this.#remember(name, own.join(';'));
    if (/^CMAKE_C(?:XX)?_FLAGS$/.test(name))
      this.#defines.push(...definesOf(own.join(' ').split(/\s+/), false));
  }

  #findPath(variable: string, words: readonly string[]): void {
    const names = wordsAfter(words, 'NAMES', [
      'PATHS',
      'HINTS',
      'NO_DEFAULT_PATH',
      'NO_CMAKE_FIND_ROOT_PATH',
    ]);
    const places = ['PATHS', 'HINTS'].flatMap((word) =>
      wordsAfter(words, word, [
        'NAMES',
        'PATHS',
        'HINTS',
        'NO_DEFAULT_PATH',
        'NO_CMAKE_FIND_ROOT_PATH',
        'DOC',
      ]),
    );
    const found = places
      .map((folder) => resolve(this.#at, folder))
      .find((folder) => names.some((file) => existsSync(join(folder, file))));
    this.#variables.set(variable, found ?? `${variable}-NOTFOUND`);
  }

  #listed(folder: string, pattern: RegExp): readonly string[] {
    const at = resolve(this.#at, folder);
    if (!existsSync(at)) return [];
    return readdirSync(at)
      .filter((name) => pattern.test(name))
      .toSorted()
      .map((name) => join(at, name));
  }

  #glob(kind: string, [variable = '', ...patterns]: readonly string[], place: string): void {
    const simple = patterns.map((pattern) => /^(.*\/)?\*(\.\w+)$/.exec(pattern));
    if (kind !== 'GLOB' || simple.includes(null))
      return this.#note(`file(${kind}) is run by app build only as GLOB of FOLDER/*.ENDING.`, place);
    const found = simple.flatMap((match) =>
      this.#listed(match?.[1] ?? '.', new RegExp(`\\${match?.[2] ?? ''}$`)),
    );
    this.#variables.set(variable, found.join(';'));
  }

  /** The definition's file: in the folder that is named, or else by its name alone, as the SDK's own are. */
  #hardware(words: readonly string[]): string | null {
    const [file] = wordsAfter(words, 'TARGET_DEFINITION', ['TARGET_DIRECTORY']);
    if (file === undefined) return null;
    const folders = wordsAfter(words, 'TARGET_DIRECTORY', ['TARGET_DEFINITION']);
    const places = folders
      .flatMap((folder) => folder.split(';'))
      .map((folder) => resolve(this.#at, folder, file));
    return places.find((path) => existsSync(path)) ?? file;
  }
}

/** Words after a keyword, up to the next. */
function wordsAfter(words: readonly string[], keyword: string, others: readonly string[]): readonly string[] {
  const start = words.indexOf(keyword);
  if (start < 0) return [];
  const rest = words.slice(start + 1);
  const end = rest.findIndex((word) => others.includes(word));
  return end < 0 ? rest : rest.slice(0, end);
}

/** Macros among words: with `-D`, and without where only macros stand. */
function definesOf(words: readonly string[], mayBeBare: boolean): readonly string[] {
  return words.flatMap((word) => {
    if (word.startsWith('-D')) return word === '-D' ? [] : [word.slice(2)];
    return mayBeBare && /^[A-Za-z_]/.test(word) ? [word] : [];
  });
}

/**
 * What the `CMakeLists.txt` of a folder says of the app that it packs (`azsphere_target_add_image_package`); null: there
 * is none, or it packs none. Throws `ProjectIncomplete` for what it needs and is not there.
 */
export function readCMake(folder: string): CMakeProject | null {
  return existsSync(join(folder, CMAKE_FILE)) ? new Reader(folder).read() : null;
}
