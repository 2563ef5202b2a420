import { compareBytes, concatBytes, crc32, viewOf } from './bytes.ts';
import { FormatError } from './errors.ts';
import { utf8Encode } from './utf8.ts';

/*
 * ASXipFS: a cramfs without compression, for execution in place (azure-sphere.md §2.4, real-time-cores.md §8.2).
 * Superblock of 64 bytes, then the root inode, then the directories in the order of `ls -UR`, then the files,
 * each on a boundary of 4096 bytes. One set of files has exactly one image.
 */

/** A file to be written: absolute path with `/`, such as `/bin/app`. */
export interface FileEntry {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly executable?: boolean;
}

export const FILE_SYSTEM_LIMITS = {
  /** Files and directories together, the root included. */
  maxNodes: 1024,
  /** Nesting of directories below the root. */
  maxDepth: 8,
  /** Bytes of UTF-8 of one name: 6 bits of four bytes each. */
  maxName: 252,
  /** Bytes of one image. */
  maxBytes: 16 * 1024 * 1024 - 4096,
} as const;

/** Numbers of the format that writer and parser share. */
export const FILE_SYSTEM_LAYOUT = {
  magic: 0x28cd3d45,
  /** FSID version 2 and sorted directories. */
  flags: 3,
  signature: utf8Encode('Compressed ROMFS'),
  volume: concatBytes(utf8Encode('Compressed'), new Uint8Array(6)),
  crcOffset: 32,
  rootInode: 64,
  inodeLength: 12,
  firstDirectory: 76,
  page: 4096,
  directoryMode: 0o040755,
  /** Both carry the sticky bit: stored as is, ready to execute in place. */
  fileMode: 0o101644,
  executableMode: 0o101755,
} as const;

interface Directory {
  readonly children: Map<string, Node>;
}
type Node = Directory | FileEntry;
const isDirectory = (node: Node): node is Directory => 'children' in node;

/** Names of a path, each of them harmless. Throws `InvalidPath`. */
export function splitPath(path: string): readonly string[] {
  const names = path.split('/').slice(1);
  const harmless = (name: string): boolean =>
    name !== '' && name !== '.' && name !== '..' && !name.includes('\0') && name.isWellFormed();
  if (!path.startsWith('/') || !names.every(harmless)) {
    throw new FormatError('InvalidPath', `${JSON.stringify(path)} is not an absolute path of plain names.`, {
      field: path,
      rule: 'starts with /, no empty name, no . or .., no NUL',
    });
  }
  if (names.some((name) => utf8Encode(name).length > FILE_SYSTEM_LIMITS.maxName)) {
    throw new FormatError('InvalidFileName', `A name in ${JSON.stringify(path)} is too long.`, {
      field: path,
      rule: `at most ${FILE_SYSTEM_LIMITS.maxName} bytes`,
    });
  }
  if (names.length > FILE_SYSTEM_LIMITS.maxDepth + 1) {
    throw new FormatError('DirectoryTooDeep', `${JSON.stringify(path)} lies too deep.`, {
      field: path,
      rule: `at most ${FILE_SYSTEM_LIMITS.maxDepth} directories`,
    });
  }
  return names;
}

function makeTree(files: readonly FileEntry[]): { root: Directory; nodes: number } {
  const root: Directory = { children: new Map() };
  let nodes = 1;
  for (const file of files) {
    const names = splitPath(file.path);
    let directory = root;
    for (const [index, name] of names.entries()) {
      const existing = directory.children.get(name);
      const last = index === names.length - 1;
      if (existing !== undefined && (last || !isDirectory(existing))) {
        throw new FormatError('DuplicateFileName', `${JSON.stringify(file.path)} is there already.`, {
          field: file.path,
        });
      }
      if (last) directory.children.set(name, file);
      else if (existing !== undefined && isDirectory(existing)) {
        directory = existing;
        continue;
      } else {
        const made: Directory = { children: new Map() };
        directory.children.set(name, made);
        directory = made;
      }
      nodes += 1;
    }
  }
  if (nodes > FILE_SYSTEM_LIMITS.maxNodes) {
    throw new FormatError('TooManyFiles', `The image would have ${nodes} files and directories.`, {
      rule: `at most ${FILE_SYSTEM_LIMITS.maxNodes}`,
    });
  }
  return { root, nodes };
}

const roundUp = (value: number, unit: number): number => Math.ceil(value / unit) * unit;

interface Child {
  readonly node: Node;
  readonly name: Uint8Array;
  readonly paddedLength: number;
}

/** Children in bytewise order of their names. */
function sortedChildren(directory: Directory): readonly Child[] {
  return [...directory.children]
    .map(([text, node]) => {
      const name = utf8Encode(text);
      return { node, name, paddedLength: roundUp(name.length, 4) };
    })
    .sort((a, b) => compareBytes(a.name, b.name));
}

const directorySize = (directory: Directory): number =>
  sortedChildren(directory).reduce(
    (sum, child) => sum + FILE_SYSTEM_LAYOUT.inodeLength + child.paddedLength,
    0,
  );

/** Where each node's content lies: directories first, then files, both in pre-order. */
function place(root: Directory): { offsets: Map<Node, number>; end: number } {
  const offsets = new Map<Node, number>();
  let at: number = FILE_SYSTEM_LAYOUT.firstDirectory;
  const visit = (directory: Directory, act: (node: Node) => void): void => {
    act(directory);
    for (const { node } of sortedChildren(directory)) {
      if (isDirectory(node)) visit(node, act);
      else act(node);
    }
  };
  visit(root, (node) => {
    if (!isDirectory(node)) return;
    const size = directorySize(node);
    // As in cramfs, a directory without entries has no place of its own.
    offsets.set(node, size === 0 ? 0 : at);
    at += size;
  });
  at = roundUp(at, FILE_SYSTEM_LAYOUT.page);
  visit(root, (node) => {
    if (isDirectory(node)) return;
    offsets.set(node, node.bytes.length === 0 ? 0 : at);
    at += roundUp(node.bytes.length, FILE_SYSTEM_LAYOUT.page);
  });
  return { offsets, end: at };
}

function writeInode(view: DataView, at: number, node: Node, paddedNameLength: number, offset: number): void {
  const mode = isDirectory(node)
    ? FILE_SYSTEM_LAYOUT.directoryMode
    : node.executable === true
      ? FILE_SYSTEM_LAYOUT.executableMode
      : FILE_SYSTEM_LAYOUT.fileMode;
  view.setUint16(at, mode, true);
  view.setUint32(at + 4, isDirectory(node) ? directorySize(node) : node.bytes.length, true);
  view.setUint32(at + 8, (paddedNameLength / 4) | ((offset / 4) << 6), true);
}

/**
 * Makes the image of a set of files. Throws `InvalidPath`, `InvalidFileName`, `DuplicateFileName`, `DirectoryTooDeep`,
 * `TooManyFiles` or `FileSystemTooLarge`.
 */
export function writeFileSystem(files: readonly FileEntry[]): Uint8Array<ArrayBuffer> {
  const { root, nodes } = makeTree(files);
  const { offsets, end } = place(root);
  if (end > FILE_SYSTEM_LIMITS.maxBytes) {
    throw new FormatError('FileSystemTooLarge', `The image would have ${end} bytes.`, {
      rule: `at most ${FILE_SYSTEM_LIMITS.maxBytes} bytes`,
    });
  }
  const image = new Uint8Array(end);
  const view = viewOf(image);
  view.setUint32(0, FILE_SYSTEM_LAYOUT.magic, true);
  view.setUint32(4, end, true);
  view.setUint32(8, FILE_SYSTEM_LAYOUT.flags, true);
  image.set(FILE_SYSTEM_LAYOUT.signature, 16);
  view.setUint32(44, nodes, true);
  image.set(FILE_SYSTEM_LAYOUT.volume, 48);
  writeInode(view, FILE_SYSTEM_LAYOUT.rootInode, root, 0, offsets.get(root) ?? 0);
  for (const [node, start] of offsets) {
    if (!isDirectory(node)) {
      image.set(node.bytes, start);
      continue;
    }
    let at = start;
    for (const child of sortedChildren(node)) {
      writeInode(view, at, child.node, child.paddedLength, offsets.get(child.node) ?? 0);
      image.set(child.name, at + FILE_SYSTEM_LAYOUT.inodeLength);
      at += FILE_SYSTEM_LAYOUT.inodeLength + child.paddedLength;
    }
  }
  view.setUint32(FILE_SYSTEM_LAYOUT.crcOffset, crc32(image), true);
  return image;
}
