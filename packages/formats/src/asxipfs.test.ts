import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FileEntry, FILE_SYSTEM_LIMITS, writeFileSystem } from './asxipfs.ts';
import { parseFileSystem, parseSignedFileSystem } from './asxipfs-parser.ts';
import { crc32, toHex, viewOf } from './bytes.ts';
import { codeOf, strictnessSuite } from './testing/strictness.ts';
import { utf8Encode } from './utf8.ts';

/** Makes the checksum fit again, as whoever builds a bad image on purpose would. */
function withChecksum(image: Uint8Array): Uint8Array {
  const repaired = Uint8Array.from(image);
  if (repaired.length < 76) return repaired;
  viewOf(repaired).setUint32(32, 0, true);
  viewOf(repaired).setUint32(32, crc32(repaired), true);
  return repaired;
}

function changed(image: Uint8Array, change: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const bytes = Uint8Array.from(image);
  change(viewOf(bytes), bytes);
  return withChecksum(bytes);
}

function filesOf(image: Uint8Array): readonly FileEntry[] {
  const files = parseFileSystem(image);
  return files.paths().map((path) => ({
    path,
    bytes: files.read(path) ?? new Uint8Array(0),
    executable: files.isExecutable(path),
  }));
}

/** The two files of an app, of the sizes in a package that the platform's own SDK built. */
const APP: readonly FileEntry[] = [
  { path: '/app_manifest.json', bytes: new Uint8Array(0x10b).fill(0x20) },
  { path: '/bin/app', bytes: new Uint8Array(0x15d8).fill(0x7f), executable: true },
];
const IMAGE = writeFileSystem(APP);
/** Byte offsets in that image: inode and name of the manifest, of `bin` and of `bin/app`. */
const AT = { root: 64, manifest: 76, bin: 108, app: 124 } as const;

/** Two empty files, `/aa` and `/ab`. */
const TWINS = writeFileSystem([
  { path: '/aa', bytes: new Uint8Array(0) },
  { path: '/ab', bytes: new Uint8Array(0) },
]);
const NESTED = writeFileSystem([
  { path: '/a/deep/file', bytes: utf8Encode('deep') },
  { path: '/a/z', bytes: new Uint8Array(5000).fill(1) },
  { path: '/b', bytes: new Uint8Array(0) },
  { path: '/ünï', bytes: utf8Encode('x'), executable: true },
]);

describe('ASXipFS', () => {
  it('lays an app out byte for byte as the original SDK does (azure-sphere.md §2.4)', () => {
    const header = [
      '453dcd28 00400000 03000000 00000000', // magic, size, flags, future
      '436f6d70726573736564 20 524f4d4653', // "Compressed ROMFS"
    ];
    const volume = [
      '00000000 00000000 04000000', // edition, blocks, files (directories and root included)
      '436f6d70726573736564 000000000000', // "Compressed"
      'ed410000 30000000 c0040000', // root: 040755, 48 bytes at 76
      'a4830000 0b010000 05000100', // manifest: 0101644, at 0x1000, name of 5 × 4
      '6170705f6d616e69666573742e6a736f6e000000',
      'ed410000 10000000 c1070000 62696e00', // bin: 040755, 16 bytes at 124
      'ed830000 d8150000 01000200 61707000', // app: 0101755, at 0x2000
    ];
    const hex = (lines: readonly string[]): string => lines.join('').replaceAll(' ', '');
    expect(IMAGE.length).toBe(0x4000);
    expect(toHex(IMAGE.subarray(0, 32))).toBe(hex(header));
    expect(toHex(IMAGE.subarray(36, 140))).toBe(hex(volume));
    expect(IMAGE.subarray(140, 0x1000).every((byte) => byte === 0)).toBe(true);
    expect(IMAGE[0x1000]).toBe(0x20);
    expect(IMAGE[0x2000]).toBe(0x7f);
    expect(viewOf(withChecksum(IMAGE)).getUint32(32, true)).toBe(viewOf(IMAGE).getUint32(32, true));
  });

  it('reads back what it wrote: paths, contents, execute bits', () => {
    expect(filesOf(IMAGE)).toEqual([{ ...APP[0], executable: false }, APP[1]]);
    expect(filesOf(NESTED).map((file) => file.path)).toEqual(['/a/deep/file', '/a/z', '/b', '/ünï']);
    expect(parseFileSystem(IMAGE).read('/bin')).toBeNull();
    expect(parseFileSystem(IMAGE).read('/bin/../app_manifest.json')).toBeNull();
    expect(filesOf(writeFileSystem([]))).toEqual([]);
  });

  it('holds any set of files, each on a page of its own, whatever order they come in', () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'b', '-', 'é'), minLength: 1, maxLength: 6 });
    const file = fc.record({
      path: fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => `/f${names.join('/f')}`),
      bytes: fc.uint8Array({ maxLength: 6000 }),
      executable: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.uniqueArray(file, { maxLength: 8, selector: (each) => each.path }), (files) => {
        const paths = files.map((each) => each.path);
        fc.pre(!paths.some((path) => paths.some((other) => other.startsWith(`${path}/`))));
        const image = writeFileSystem(files);
        expect(writeFileSystem(files.toReversed())).toEqual(image);
        const byPath = new Map(filesOf(image).map((each) => [each.path, each]));
        expect(byPath).toEqual(new Map(files.map((each) => [each.path, each])));
        for (const { bytes } of byPath.values())
          if (bytes.length > 0) expect(bytes.byteOffset % 4096).toBe(0);
      }),
      { seed: 9, numRuns: 60 },
    );
  });

  it.each([
    ['a relative path', 'x', 'InvalidPath'],
    ['a way up', '/a/../b', 'InvalidPath'],
    ['a dot', '/./b', 'InvalidPath'],
    ['an empty name', '/a//b', 'InvalidPath'],
    ['the root', '/', 'InvalidPath'],
    ['a NUL', '/a\0b', 'InvalidPath'],
    ['half a character', '/\ud800', 'InvalidPath'],
    ['a name that is too long', `/${'n'.repeat(253)}`, 'InvalidFileName'],
    ['a path that is too deep', '/d'.repeat(10), 'DirectoryTooDeep'],
  ])('refuses to write %s', (_what, path, code) => {
    expect(codeOf(() => writeFileSystem([{ path, bytes: new Uint8Array(1) }]))).toBe(code);
  });

  it('refuses two files of one path, and a file that is also a directory', () => {
    const empty = new Uint8Array(0);
    for (const paths of [
      ['/a', '/a'],
      ['/a', '/a/b'],
      ['/a/b', '/a'],
    ]) {
      const files = paths.map((path) => ({ path, bytes: empty }));
      expect(codeOf(() => writeFileSystem(files))).toBe('DuplicateFileName');
    }
  });

  it('refuses more than it can hold', () => {
    const many = Array.from({ length: FILE_SYSTEM_LIMITS.maxNodes }, (_, index) => ({
      path: `/${index}`,
      bytes: new Uint8Array(0),
    }));
    expect(codeOf(() => writeFileSystem(many))).toBe('TooManyFiles');
    expect(codeOf(() => writeFileSystem([{ path: '/a', bytes: new Uint8Array(16 * 1024 * 1024) }]))).toBe(
      'FileSystemTooLarge',
    );
  });
});

describe('ASXipFS from an attacker', () => {
  it.each<[string, Uint8Array, string]>([
    ['less than a page', IMAGE.subarray(0, 4095), 'FileSystemTooShort'],
    ['an image cut short', withChecksum(IMAGE.subarray(0, 0x3000)), 'FileSystemSizeMismatch'],
    [
      'a page more than promised',
      withChecksum(new Uint8Array([...IMAGE, ...new Uint8Array(4096)])),
      'FileSystemSizeMismatch',
    ],
    ['another magic', changed(IMAGE, (view) => view.setUint32(0, 0x453dcd28, true)), 'InvalidSuperblock'],
    ['unknown flags', changed(IMAGE, (view) => view.setUint32(8, 7, true)), 'InvalidSuperblock'],
    [
      'a number in a reserved place',
      changed(IMAGE, (view) => view.setUint32(36, 1, true)),
      'InvalidSuperblock',
    ],
    [
      'a flipped bit',
      Uint8Array.from(IMAGE, (byte, at) => (at === 0x1005 ? byte ^ 1 : byte)),
      'ChecksumMismatch',
    ],
    [
      'a root that is a file',
      changed(IMAGE, (view) => view.setUint16(AT.root, 0o101644, true)),
      'InvalidSuperblock',
    ],
    [
      'a character device',
      changed(IMAGE, (view) => view.setUint16(AT.app, 0o020666, true)),
      'UnsupportedNodeType',
    ],
    [
      'a block device',
      changed(IMAGE, (view) => view.setUint16(AT.app, 0o060666, true)),
      'UnsupportedNodeType',
    ],
    [
      'a symbolic link',
      changed(IMAGE, (view) => view.setUint16(AT.app, 0o120777, true)),
      'UnsupportedNodeType',
    ],
    ['a pipe', changed(IMAGE, (view) => view.setUint16(AT.app, 0o010666, true)), 'UnsupportedNodeType'],
    ['a set-user-id bit', changed(IMAGE, (view) => view.setUint16(AT.app, 0o104755, true)), 'InvalidMode'],
    ['a writable directory', changed(IMAGE, (view) => view.setUint16(AT.bin, 0o040777, true)), 'InvalidMode'],
    ['another owner', changed(IMAGE, (view) => view.setUint16(AT.app + 2, 1000, true)), 'InvalidOwner'],
    ['another group', changed(IMAGE, (_view, bytes) => bytes.set([5], AT.app + 7)), 'InvalidOwner'],
    [
      'a name with a slash',
      changed(IMAGE, (_view, bytes) => bytes.set([0x2f], AT.app + 13)),
      'InvalidFileName',
    ],
    [
      'a name of two dots',
      changed(IMAGE, (_view, bytes) => bytes.set([0x2e, 0x2e, 0], AT.app + 12)),
      'InvalidFileName',
    ],
    [
      'a name that is no UTF-8',
      changed(IMAGE, (_view, bytes) => bytes.set([0xff], AT.app + 12)),
      'InvalidFileName',
    ],
    ['an empty name', changed(IMAGE, (_view, bytes) => bytes.set([0, 0, 0], AT.app + 12)), 'InvalidFileName'],
    [
      'a text after the name ended',
      changed(IMAGE, (_view, bytes) => bytes.set([0x78], AT.manifest + 12 + 19)),
      'InvalidFileName',
    ],
    [
      'two files of one name',
      changed(TWINS, (_view, bytes) => bytes.set([0x61], 76 + 16 + 12 + 1)),
      'DuplicateFileName',
    ],
    [
      'names out of order',
      changed(IMAGE, (_view, bytes) => bytes.set([0x7a], AT.manifest + 12)),
      'DirectoryNotSorted',
    ],
    [
      'a file past the end',
      changed(IMAGE, (view) => view.setUint32(AT.app + 8, 1 | ((0x4000 / 4) << 6), true)),
      'EntryOutOfBounds',
    ],
    [
      'a directory past the end',
      changed(IMAGE, (view) => view.setUint32(AT.bin + 8, 1 | (0x3ffffff << 6), true)),
      'EntryOutOfBounds',
    ],
    [
      'a name past its directory',
      changed(IMAGE, (view) => view.setUint32(AT.app + 8, 63 | (0x800 << 6), true)),
      'EntryOutOfBounds',
    ],
    [
      'two files of the same bytes',
      changed(IMAGE, (view) => view.setUint32(AT.app + 8, 1 | (0x400 << 6), true)),
      'OverlappingEntries',
    ],
    [
      'a file over the superblock',
      changed(IMAGE, (view) => view.setUint32(AT.app + 8, 1, true)),
      'OverlappingEntries',
    ],
    [
      'a file that starts within a page',
      changed(IMAGE, (view) => view.setUint32(AT.app + 8, 1 | (0x801 << 6), true)),
      'MisalignedFile',
    ],
    [
      'a directory inside itself',
      changed(IMAGE, (view) => {
        view.setUint32(AT.bin + 4, 48, true);
        view.setUint32(AT.bin + 8, 1 | (19 << 6), true);
      }),
      'DirectoryTooDeep',
    ],
    ['a wrong number of files', changed(IMAGE, (view) => view.setUint32(44, 5, true)), 'FileCountMismatch'],
    [
      'something hidden between the files',
      changed(IMAGE, (_view, bytes) => bytes.set([1], 0x1800)),
      'NotCanonical',
    ],
    [
      'a file at another place',
      changed(IMAGE, (view, bytes) => {
        bytes.copyWithin(0x3000, 0x1000, 0x2000);
        view.setUint32(AT.app + 4, 100, true);
      }),
      'NotCanonical',
    ],
    [
      'a directory without entries',
      changed(IMAGE, (view) => {
        view.setUint32(AT.bin + 4, 0, true);
        view.setUint32(AT.bin + 8, 1, true);
        view.setUint32(44, 3, true);
      }),
      'NotCanonical',
    ],
    [
      'a place for a file without content',
      changed(TWINS, (view) => view.setUint32(76 + 8, 1 | (0x400 << 6), true)),
      'NotCanonical',
    ],
    [
      'something hidden behind the last file',
      changed(IMAGE, (_view, bytes) => bytes.set([1], 0x3fff)),
      'NotCanonical',
    ],
    [
      'something hidden behind the directories',
      changed(IMAGE, (_view, bytes) => bytes.set([1], 0xfff)),
      'NotCanonical',
    ],
  ])('refuses %s', (_what, image, code) => {
    expect(codeOf(() => parseFileSystem(image))).toBe(code);
    // A signature takes the place of the checksum, and of nothing else.
    const behindSignature = code === 'ChecksumMismatch' ? 'accepted' : code;
    expect(codeOf(() => parseSignedFileSystem(image))).toBe(behindSignature);
  });

  strictnessSuite({
    name: 'ASXipFS',
    samples: [IMAGE, NESTED],
    decode: filesOf,
    encode: writeFileSystem,
    mutations: 1000,
  });

  // Nearly all bytes of an image are padding or content: aim at the structure, and let the checksum fit.
  strictnessSuite({
    name: 'ASXipFS structure, checksum repaired',
    samples: [IMAGE, NESTED],
    decode: filesOf,
    encode: writeFileSystem,
    repair: withChecksum,
    focus: 240,
    mutations: 3000,
  });
});
