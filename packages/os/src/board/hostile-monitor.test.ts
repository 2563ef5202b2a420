import { createECDH, createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  encodeCbor,
  parseImagePackage,
  FLASH_MAP,
  IMAGE_TYPES,
  PLUTON_COMMANDS,
  SLOT_PACKAGE_OFFSET,
  toHex,
  type ArgumentRule,
  type CommandRow,
} from '@sevenfold/formats';
import { openChip, systemEntropy, writeSlot } from '@sevenfold/silicon';
import { makeDevice, manufactureBits } from './testing/device.fixture.ts';
import { keys, makeRelease, makeSystemImage, sha256 } from './testing/release.fixture.ts';

const TIMES = Number(process.env['SEVENFOLD_DEPTH'] ?? 0) > 0 ? 500 : 60;
/** What every command may be refused with, and what stands for the codes of a class. */
const ALWAYS = ['CallerNotAllowed', 'UnknownCall', 'BadArgument', 'WrongPhase', 'WrongLifecycle'];

/** What comes after the monitor: image type, and where its slot A begins. */
const NEXT = (['UpdateCertStore', 'NormalWorldKernel', 'Services'] as const).map((type) => [
  IMAGE_TYPES[type],
  FLASH_MAP.system[type].A.offset,
]);

const MEASURE_ALL = `for (const [type, at] of ${JSON.stringify(NEXT)}) {
    const head = await hardware.call('readFlash', at, 256);
    const size = new DataView(head.buffer, head.byteOffset).getUint32(12, true);
    await pluton.call('verifyImage', await hardware.call('readFlash', at + ${SLOT_PACKAGE_OFFSET}, size), type, true);
  }`;

/**
 * A monitor that measures the whole system, as it must to get anywhere, and then asks Pluton for everything with
 * anything. It tells each answer.
 */
const monitorOf = (rows: readonly (readonly [string, readonly ArgumentRule[]])[]): string => `
  globalThis.stage = { async start(h) {
    const { pluton, hardware } = h.ports;
    ${MEASURE_ALL}
    let state = 7;
    const below = (n) => { state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff; return (state >> 8) % n; };
    const kept = [];
    const bytes = (min, max) => {
      const fits = kept.filter((b) => b.length >= min && b.length <= max);
      if (fits.length > 0 && below(3) > 0) { const b = fits[below(fits.length)].slice(); if (below(3) === 0 && b.length > 0) b[below(b.length)] ^= 1 << below(8); return b; }
      return Uint8Array.from({ length: min + below(Math.min(max - min, 200) + 1) }, () => below(256));
    };
    const make = {
      bytes: (r) => bytes(r.min, r.max), optionalBytes: (r) => (below(2) ? null : bytes(r.min, r.max)),
      uint: (r) => below(Math.min(r.max, 9) + 1), text: () => ['plan', 'normal world/x', 'pluton', 'monitor/x'][below(4)],
      flag: () => below(2) === 1, choice: (r) => r.of[below(r.of.length)],
    };
    const keep = (v) => { if (v instanceof Uint8Array) kept.push(v); else if (v !== null && typeof v === 'object') Object.values(v).forEach(keep); };
    const hex = (v) => v instanceof Uint8Array ? [...v].map((b) => b.toString(16).padStart(2, '0')).join('') : v !== null && typeof v === 'object' ? Object.values(v).map(hex).join(' ') : String(v);
    for (let n = 0; n < ${TIMES}; n++) for (const [name, args] of ${JSON.stringify(rows)}) {
      const said = await pluton.call(name, ...args.map((rule) => make[rule.kind](rule))).then((v) => { keep(v); return 'gave ' + hex(v); }, (e) => 'code ' + e.code);
      h.log(name + ' ' + said.slice(0, 800));
      for (let at = 800; at < said.length; at += 800) h.log('+' + said.slice(at - 80, at + 800));
    }
  } };`;

describe('a hostile monitor', () => {
  it('measures nothing once all is measured, opens no ticket as data, and makes no key of data', async () => {
    const monitor = `globalThis.stage = { async start(h) {
      const { pluton, hardware } = h.ports;
      const tell = async (...call) => h.log('said ' + await pluton.call(...call).then(() => 'answered', (e) => e.code));
      const imageAt = async (at) => {
        const head = await hardware.call('readFlash', at, 256);
        return hardware.call('readFlash', at + ${SLOT_PACKAGE_OFFSET}, new DataView(head.buffer, head.byteOffset).getUint32(12, true));
      };
      await tell('createSessionKey', null);
      ${MEASURE_ALL}
      await tell('verifyImage', await imageAt(${FLASH_MAP.system.Services.A.offset}), ${IMAGE_TYPES.Services}, true);
      await tell('verifyImage', await imageAt(${FLASH_MAP.system.Services.B.offset}), ${IMAGE_TYPES.Services}, true);
      await tell('verifyImage', await imageAt(${FLASH_MAP.system.Services.B.offset}), ${IMAGE_TYPES.Services}, false);
      const { ticket } = await pluton.call('createSessionKey', null);
      const data = await pluton.call('seal', 'measured', 'pluton', new Uint8Array(32));
      await tell('unseal', 'pluton', data);
      await tell('unseal', 'pluton', ticket);
      await tell('createSessionKey', data);
      await tell('createSessionKey', ticket);
    } };`;
    const release = await makeRelease();
    const images = release.map((image) => image);
    const evil = await makeSystemImage('SecurityMonitor', { monitor });
    const bits = manufactureBits(
      images.map((image) => (image.type === 'SecurityMonitor' ? { type: image.type, package: evil } : image)),
    );
    const factory = openChip({ ...bits, entropy: systemEntropy() });
    factory.powerOn();
    writeSlot(factory.flash, 'Services', 'B', await makeSystemImage('Services', { version: '1.0.1' }));
    const device = makeDevice(bits);
    const contexts: Uint8Array[] = [];
    const { pluton } = device.chip;
    const makeKey = pluton.makeKey.bind(pluton);
    pluton.makeKey = (context, salt) => {
      contexts.push(context);
      return makeKey(context, salt);
    };
    await device.board.powerOn();
    const said = device.board.bootLog
      .filter((line) => line.includes('said '))
      .map((line) => line.split('said ')[1]);
    expect(said).toEqual([
      'WrongPhase',
      'answered',
      'MeasurementsClosed',
      'answered',
      'answered',
      'NotAuthentic',
      'NotAuthentic',
      'answered',
    ]);
    // The key is bound to what a token would say, as docs/pluton.md has it, whatever its ticket is bound to.
    device.chip.powerOn();
    const measured = release.map(({ type, package: bytes }) => {
      const isMonitor = type === 'SecurityMonitor';
      const { fields } = parseImagePackage(isMonitor ? evil : bytes);
      const signer = type === 'TrustedKeystore' ? keys.root : keys.platform;
      return [fields.imageType, fields.name, sha256(isMonitor ? evil : bytes), sha256(signer.spki), 1];
    });
    const state = sha256(encodeCbor(['sevenfold attested state v1', 1, 'DeviceComplete', measured]));
    expect(contexts.map(toHex)).toEqual([toHex(state), toHex(state)]);
    await device.board.powerOff();
  });

  it('is refused by the codes of the table alone, and never hears a private half', async () => {
    const rows = Object.entries(PLUTON_COMMANDS as Readonly<Record<string, CommandRow>>);
    const asked = rows
      .filter(([name]) => name !== 'exportSessionKey' && name !== 'verifyImage')
      .map(([name, { args }]) => [name, args] as const);
    const monitor = await makeSystemImage('SecurityMonitor', { monitor: monitorOf(asked) });
    const images = (await makeRelease()).map((image) =>
      image.type === 'SecurityMonitor' ? { type: image.type, package: monitor } : image,
    );
    const device = makeDevice(manufactureBits(images));
    const heard: string[] = [];
    device.board.onLog((line) => {
      if (line.startsWith('[MONITOR] ')) heard.push(line.slice(10));
    });
    await device.board.powerOn();
    const answers = heard.filter((line) => !line.startsWith('+'));
    expect(answers.length, device.board.bootLog.slice(-3).join('\n')).toBe(TIMES * asked.length);
    const answered = new Set<string>();
    for (const line of answers) {
      const [name = '', kind, code = ''] = line.split(' ');
      const errors = (PLUTON_COMMANDS as Readonly<Record<string, CommandRow>>)[name]?.errors ?? [];
      if (kind === 'gave') answered.add(name);
      // A class stands for all its codes.
      else if (!errors.includes('FormatError')) expect([...ALWAYS, ...errors], line).toContain(code);
    }
    // What opens, opens only what fits: chance need not find that. All else is answered at least once.
    const lucky = ['openDelivery', 'unseal', 'openCapability'];
    const unanswered = asked.map(([name]) => name).filter((name) => !answered.has(name));
    expect(unanswered.filter((name) => !lucky.includes(name))).toEqual([]);

    const { chip } = device;
    chip.powerOn();
    const seed = chip.fuses.identitySeed ?? new Uint8Array(0);
    const everything = heard.join('\n');
    for (const [label, spki] of [
      ['sevenfold identity key v1', chip.pluton.identitySpki],
      ['sevenfold general key v1', chip.pluton.generalSpki],
    ] as const) {
      const scalar = createHash('sha256').update(label).update(seed).update(Uint8Array.of(0)).digest();
      const ecdh = createECDH('prime256v1');
      ecdh.setPrivateKey(scalar);
      expect(toHex(spki)).toContain(ecdh.getPublicKey('hex'));
      expect(everything).toContain(ecdh.getPublicKey('hex').slice(2));
      expect(everything).not.toContain(scalar.toString('hex'));
    }
    expect(everything).not.toContain(toHex(seed));
    await device.board.powerOff();
  });
});
