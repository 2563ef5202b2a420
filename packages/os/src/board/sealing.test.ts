import { describe, expect, it } from 'vitest';
import { provisionFlash, openChip, systemEntropy, type ProvisionImage } from '@sevenfold/silicon';
import {
  CAPABILITY_COMPONENT_ID,
  CHIP_SKUS,
  SYSTEM_IMAGE_TYPES,
  decodeCbor,
  encodeCbor,
  utf8Encode,
  type CborValue,
  type PortValue,
} from '@sevenfold/formats';
import { capabilityFile } from './testing/capability.fixture.ts';
import {
  blankBits,
  copyBits,
  makeDevice,
  manufactureBits,
  type ChipBits,
  type TestDevice,
} from './testing/device.fixture.ts';
import {
  keys,
  makeKey,
  makeRelease,
  makeSystemImage,
  rootKeyHash,
  succession,
  type ReleaseVariant,
  type TestKey,
} from './testing/release.fixture.ts';

const SECRET = utf8Encode('what only this device may know');
const POLICIES = ['measured', 'authorised'] as const;

/** The same chip, fuses and all, with another release in its flash. */
function reprovision(bits: ChipBits, images: readonly ProvisionImage[]): ChipBits {
  const copy = copyBits(bits);
  const chip = openChip({ ...copy, entropy: systemEntropy() });
  chip.powerOn();
  provisionFlash(chip.flash, images);
  chip.powerOff();
  return copy;
}

/** Fuses of another chip of the same maker. */
function otherFuses(): ChipBits['fuses'] {
  const bits = blankBits();
  const chip = openChip({ ...bits, entropy: systemEntropy() });
  chip.powerOn();
  chip.manufacture({ chipSku: CHIP_SKUS['SF-V1'], rootKeyHash });
  chip.setManufacturingState('DeviceComplete');
  return bits.fuses;
}

async function running(bits: ChipBits): Promise<TestDevice> {
  const device = makeDevice(bits);
  const outcome = await device.board.powerOn();
  expect(outcome, device.board.bootLog.join('\n')).toMatchObject({ kind: 'running' });
  return device;
}

const sealOn = async (device: TestDevice, policy: string, label = 'wifi'): Promise<Uint8Array> =>
  (await device.call('seal', policy, label, SECRET)) as Uint8Array;

/** Opens a box on a chip with these bits; the secret, or the code of the refusal. */
async function openOn(bits: ChipBits, box: Uint8Array, label = 'wifi'): Promise<PortValue> {
  const device = await running(bits);
  const outcome = await device.call('unseal', label, box).catch((error: { code: string }) => error.code);
  await device.board.powerOff();
  return outcome;
}

async function chipWith(variant: ReleaseVariant): Promise<ChipBits> {
  return manufactureBits(await makeRelease(variant));
}

describe('a box sealed by Pluton', () => {
  it.each(POLICIES)('(%s) opens again after any reboot, on this chip, for its owner', async (policy) => {
    const bits = await chipWith({});
    const device = await running(bits);
    const box = await sealOn(device, policy);
    expect(Buffer.from(box).includes(SECRET.subarray(0, 8))).toBe(false);
    expect(await sealOn(device, policy)).not.toEqual(box);
    expect(await device.call('unseal', 'wifi', box)).toEqual(SECRET);
    await expect(device.call('unseal', 'wifi2', box)).rejects.toMatchObject({ code: 'NotAuthentic' });
    await device.board.powerOff();
    expect(await openOn(bits, box)).toEqual(SECRET);
  });

  it.each(POLICIES)('(%s) is nothing to another chip with the very same software', async (policy) => {
    const bits = await chipWith({});
    const device = await running(bits);
    const box = await sealOn(device, policy);
    await device.board.powerOff();
    const other = { flash: copyBits(bits).flash, fuses: otherFuses() };
    expect(await openOn(other, box)).toBe('NotAuthentic');
  });

  it.each(POLICIES)('(%s) opens with no bit changed, and with no policy but its own', async (policy) => {
    const device = await running(await chipWith({}));
    const box = await sealOn(device, policy);
    const codes = new Set<string>();
    for (let at = 0; at < box.length; at++) {
      for (const bit of [1, 0x80]) {
        const changed = box.map((byte, index) => (index === at ? byte ^ bit : byte));
        codes.add(
          await device.call('unseal', 'wifi', changed).then(String, (error: { code: string }) => error.code),
        );
      }
      if (at % 7 === 0)
        codes.add(
          await device
            .call('unseal', 'wifi', box.subarray(0, at + 1))
            .then(String, (error: { code: string }) => error.code),
        );
    }
    expect([...codes].filter((code) => !['NotABox', 'PolicyNotMet', 'NotAuthentic'].includes(code))).toEqual(
      [],
    );
    // A policy that asks for nothing, around the same ciphertext.
    const [, sealed = null] = decodeCbor(box) as readonly CborValue[];
    const free = encodeCbor([[1, []], sealed]);
    await expect(device.call('unseal', 'wifi', free)).rejects.toMatchObject({ code: 'NotAuthentic' });
    await device.board.powerOff();
  });
});

describe('an update', () => {
  it('of the same signers keeps what was sealed to them, and loses what was sealed to the very measurements', async () => {
    const bits = await chipWith({ securityVersion: 1 });
    const device = await running(bits);
    const boxes = {
      measured: await sealOn(device, 'measured'),
      authorised: await sealOn(device, 'authorised'),
    };
    await device.board.powerOff();
    for (const securityVersion of [1, 2]) {
      const next = reprovision(bits, await makeRelease({ version: '2.0.0', securityVersion }));
      expect(await openOn(next, boxes.authorised)).toEqual(SECRET);
      expect(await openOn(next, boxes.measured)).toBe('PolicyNotMet');
    }
  });

  it('that goes back does not open what a newer system sealed, though the fuses would still let it run', async () => {
    const bits = await chipWith({ securityVersion: 1 });
    const newer = reprovision(bits, await makeRelease({ version: '2.0.0', securityVersion: 2 }));
    const device = await running(newer);
    const box = await sealOn(device, 'authorised');
    await device.board.powerOff();
    // These fuses have not followed yet: as during a trial.
    expect(await openOn(copyBits(bits), box)).toBe('PolicyNotMet');
    for (const older of SYSTEM_IMAGE_TYPES) {
      const images = await makeRelease({ version: '2.0.0', securityVersion: 2 });
      const mixed = images.map((image) => (image.type === older ? null : image));
      const old = await makeSystemImage(older, { version: '1.0.0', securityVersion: 1 });
      const release = mixed.map((image) => image ?? { type: older, package: old });
      expect(await openOn(reprovision(bits, release), box), older).toBe('PolicyNotMet');
    }
  });

  it('by another signer, whom the keystore trusts as well, opens nothing', async () => {
    const platformKeys = [keys.platform, keys.stranger];
    const bits = await chipWith({ platformKeys });
    const device = await running(bits);
    const box = await sealOn(device, 'authorised');
    await device.board.powerOff();
    const kernel = await makeSystemImage(
      'NormalWorldKernel',
      { version: '9.0.0' },
      { signer: keys.stranger },
    );
    const release = (await makeRelease({ platformKeys })).map((image) =>
      image.type === 'NormalWorldKernel' ? { type: image.type, package: kernel } : image,
    );
    expect(await openOn(reprovision(bits, release), box)).toBe('PolicyNotMet');
  });
});

describe('a release key that was rotated', () => {
  const [first, second, third] = [keys.platform, makeKey(), makeKey()];

  /** A whole release by one key, under a keystore that knows only that one. */
  const releaseBy = (signer: TestKey, variant: ReleaseVariant): Promise<ProvisionImage[]> =>
    Promise.all(
      SYSTEM_IMAGE_TYPES.map(async (type) => ({
        type,
        package: await makeSystemImage(
          type,
          { platformKeys: [signer], securityVersion: 2, ...variant },
          type === 'TrustedKeystore' ? {} : { signer },
        ),
      })),
    );

  async function sealedByFirst(): Promise<{ readonly bits: ChipBits; readonly box: Uint8Array }> {
    const bits = await chipWith({ securityVersion: 1 });
    // On trial, so to say: the fuses of `bits` would still let version 1 run.
    const device = await running(reprovision(bits, await makeRelease({ securityVersion: 2 })));
    const box = await sealOn(device, 'authorised');
    await device.board.powerOff();
    return { bits, box };
  }

  it('leaves what was sealed to it to its successor, and to the successor of that, but nothing the other way', async () => {
    const { bits, box } = await sealedByFirst();
    const rotated = reprovision(bits, await releaseBy(second, { successions: [succession(first, second)] }));
    expect(await openOn(rotated, box)).toEqual(SECRET);
    const successions = [succession(second, third), succession(first, second)];
    const again = reprovision(bits, await releaseBy(third, { successions, securityVersion: 3 }));
    expect(await openOn(again, box)).toEqual(SECRET);

    const device = await running(again);
    const newer = await sealOn(device, 'authorised');
    await device.board.powerOff();
    for (const older of [rotated, bits]) expect(await openOn(older, newer)).toBe('PolicyNotMet');
    // Not even where the former key signs something that calls itself newer.
    const back = await releaseBy(second, { successions, securityVersion: 4 });
    expect(await openOn(reprovision(bits, back), newer)).toBe('PolicyNotMet');
  });

  it('leaves nothing by anybody’s word but its own, to nobody else, and for no older system', async () => {
    const { bits, box } = await sealedByFirst();
    const openUnder = async (variant: ReleaseVariant): Promise<PortValue> =>
      openOn(reprovision(bits, await releaseBy(second, variant)), box);
    const [whole, other] = [succession(first, second), succession(first, third)];
    const refused: readonly (readonly [string, ReleaseVariant])[] = [
      ['no succession', {}],
      ['signed by the successor', { successions: [succession(first, second, second)] }],
      ['signed by the root', { successions: [succession(first, second, keys.root)] }],
      ['of a third key', { successions: [other] }],
      ['of a third key, said to be for this one', { successions: [{ ...other, to: whole.to }] }],
      ['the other way round', { successions: [succession(second, first)] }],
      ['of another key', { successions: [succession(third, second)] }],
      ['by what is no key', { successions: [{ ...whole, from: Uint8Array.of(0x30, 0) }] }],
      ['of an older system', { successions: [whole], securityVersion: 1, keystoreVersion: 2 }],
      ['of an older keystore', { successions: [whole], keystoreVersion: 1 }],
    ];
    const answers = new Map<string, PortValue>();
    for (const [what, variant] of refused) answers.set(what, await openUnder(variant));
    expect(answers).toEqual(new Map(refused.map(([what]) => [what, 'PolicyNotMet'])));
    expect(await openUnder({ successions: [succession(second, first), whole] })).toEqual(SECRET);
  });
});

describe('a capability', () => {
  it('opens nothing that was sealed while the device was locked, and locks nothing away', async () => {
    const bits = await chipWith({});
    const locked = await running(bits);
    const box = await sealOn(locked, 'authorised');
    const { deviceId } = (await locked.call('identity')) as { deviceId: string };
    await locked.call('mutableWrite', CAPABILITY_COMPONENT_ID, capabilityFile(deviceId, ['appDevelopment']));
    await locked.board.powerOff();
    expect(await openOn(bits, box)).toBe('PolicyNotMet');

    const unlocked = await running(bits);
    const boxes = await Promise.all(POLICIES.map((policy) => sealOn(unlocked, policy)));
    await unlocked.call('mutableWrite', CAPABILITY_COMPONENT_ID, null);
    await unlocked.board.powerOff();
    expect(await openOn(bits, box)).toEqual(SECRET);
    const opened = [];
    for (const one of boxes) opened.push(await openOn(bits, one));
    expect(opened).toEqual(['PolicyNotMet', SECRET]);
  });
});

describe('a hostile caller', () => {
  it('in the normal world reaches no box of the monitor, whatever label it names', async () => {
    // A monitor of the same signer seals for itself, and says the box aloud.
    const talking = `globalThis.stage = { async start(h) {
      h.log([...await h.ports.pluton.call('seal', 'authorised', 'monitor/slots', new Uint8Array(9))].join());
    } };`;
    const bits = await chipWith({});
    const monitor = await makeSystemImage('SecurityMonitor', { monitor: talking });
    const images = (await makeRelease()).map((image) =>
      image.type === 'SecurityMonitor' ? { type: image.type, package: monitor } : image,
    );
    const told = makeDevice(reprovision(bits, images));
    await told.board.powerOn();
    const line = told.board.bootLog.find((entry) => /^\[MONITOR\] \d+,/.test(entry)) ?? '';
    const box = Uint8Array.from(line.slice(10).split(',').map(Number));
    expect(box.length).toBeGreaterThan(100);
    for (const label of [
      'monitor/slots',
      '/monitor/slots',
      '../monitor/slots',
      'slots',
      '',
      '\0monitor/slots',
    ])
      expect(await openOn(bits, box, label), label).toBe('NotAuthentic');
  });

  it('opens no ticket as data and makes no key of data, not even as the monitor', async () => {
    const monitor = `globalThis.stage = { async start(h) {
      const { pluton, hardware } = h.ports;
      const tell = async (...call) => h.log('said ' + await pluton.call(...call).then(() => 'answered', (e) => e.code));
      const data = await pluton.call('seal', 'measured', 'pluton', new Uint8Array(32));
      await tell('unseal', 'pluton', data);
      await tell('createSessionKey', data);
      await tell('createSessionKey', null);
      await tell('attest', new Uint8Array(32));
    } };`;
    const device = makeDevice(manufactureBits(await makeRelease({ monitor })));
    await device.board.powerOn();
    const said = device.board.bootLog
      .filter((line) => line.includes('said'))
      .map((line) => line.split('said ')[1]);
    expect(said).toEqual(['answered', 'WrongPhase', 'WrongPhase', 'WrongPhase']);

    const whole = await running(await chipWith({}));
    const { ticket } = (await whole.call('createSessionKey', null)) as { ticket: Uint8Array };
    const box = await sealOn(whole, 'measured', 'pluton');
    await expect(whole.call('unseal', 'pluton', ticket)).rejects.toMatchObject({ code: 'NotAuthentic' });
    await expect(whole.call('createSessionKey', box)).rejects.toMatchObject({ code: 'NotAuthentic' });
    const again = (await whole.call('createSessionKey', ticket)) as { spki: Uint8Array; ticket: Uint8Array };
    expect(again.ticket).toEqual(ticket);
    await whole.board.powerOff();
  });
});
