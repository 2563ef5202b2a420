import type { ErrorGroupDetail } from '@sevenfold/api';
import { describe, expect, it } from 'vitest';
import { describeErrorGroup } from './describe-error-group.ts';

const group: ErrorGroupDetail = {
  groupId: 'a'.repeat(64),
  title: 'memory access out of bounds in RememberBlink (main.c:105)',
  kind: 'AppCrash',
  status: 'open',
  componentId: '5a1c2f0e-6d3b-4c8e-9b57-0e1d4a7f2c63',
  imageIds: ['0e2e77d9-a4ad-4a70-a308-5a86b2f1f8c1'],
  osVersions: ['26.11.0'],
  firstSeen: '2026-11-22T15:00:00.000Z',
  lastSeen: '2026-11-22T15:10:00.000Z',
  count: 3,
  deviceCount: 2,
  fixedInImageId: null,
  latest: {
    deviceId: 'd'.repeat(64),
    imageId: '0e2e77d9-a4ad-4a70-a308-5a86b2f1f8c1',
    osVersion: '26.11.0',
    time: '2026-11-22T15:10:00.000Z',
    trap: 'memory access out of bounds',
    exitCode: null,
    frames: [
      { function: 'RememberBlink', offset: 0x3af, file: 'main.c', line: 105 },
      { function: 'wasm-function[61]', offset: 0x26dd, file: null, line: null },
    ],
    log: ['blink version 2\n', '\u001B]0;owned\u0007\u001B[2Jall is well'],
    registers: { sp: '0x00007f50', heap: '0x00009010', end: '0x00040000' },
    memory: { address: 0x7f50, bytes: '00112233445566778899aabbccddeeff0a' },
  },
};

describe('a group of failures for a person', () => {
  it('says what failed, where in the source, how often and on how many devices', () => {
    const text = describeErrorGroup(group);
    expect(text).toContain('memory access out of bounds in RememberBlink (main.c:105)');
    expect(text).toContain('open · 3 × on 2 devices');
    expect(text).toMatch(/#0 RememberBlink +main\.c:105/);
    expect(text).toMatch(/#1 wasm-function\[61\] +module offset 0x26dd/);
    expect(text).toContain('| blink version 2\n');
    expect(text).toMatch(/registers:\n {4}sp +0x00007f50 {2}heap +0x00009010 {2}end +0x00040000\n/);
    expect(text).toContain(
      '    0x00007f50  00 11 22 33 44 55 66 77 88 99 aa bb cc dd ee ff\n    0x00007f60  0a\n',
    );
  });

  it('shows the registers of a real-time core, four a line', () => {
    const names = ['r0', 'r1', 'sp', 'lr', 'pc\u001B[2J'];
    const registers = Object.fromEntries(names.map((name, index) => [name, `0x0000000${index}`]));
    const frames = [{ function: '0x00100234', offset: 0x100234, file: null, line: null }];
    const lines = describeErrorGroup({ ...group, latest: { ...group.latest, frames, registers } }).split(
      '\n',
    );
    expect(lines).toContain(
      '    r0      0x00000000  r1      0x00000001  sp      0x00000002  lr      0x00000003',
    );
    expect(lines.find((line) => line.includes('#0'))).toMatch(/address 0x100234$/);
    expect(lines.join('')).not.toContain('\u001B');
  });

  it('lets no device speak to the terminal', () => {
    // oxlint-disable-next-line no-control-regex -- looks for what must not be there
    expect(describeErrorGroup(group)).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  });
});
