import { generateKeyPairSync, type KeyObject } from 'node:crypto';

import { encodeEndorsements, evidenceNameOf, toHex, utf8Encode, type Endorsement } from '@sevenfold/formats';
import {
  fromPem,
  generateKeyPair,
  parseCertificate,
  signWithPkcs8,
  spkiSha256,
  type KeyPair,
} from '@sevenfold/pki';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { openTestService, type TestService } from '../test-service.ts';
import { CertificateAuthorities } from '../certificates/authorities.ts';
import { makeServerIdentity } from '../certificates/server-identity.ts';
import { findAttester } from '../registry/find-attester.ts';
import { findEndorsement } from './find-endorsement.ts';
import { importBatch } from './import-batch.ts';
import { importChains, listRoots, registerRoot } from './import-chains.ts';
import { RSA_CHAIN_PEM } from './testing/rsa-chip.fixture.ts';
import { listSiliconMakers, registerSiliconMaker } from './silicon-makers.ts';

let service: TestService;
let maker: KeyPair;
let makerId: string;
beforeEach(async () => {
  service = await openTestService();
  maker = generateKeyPair();
  ({ makerId } = await registerSiliconMaker(service, { name: 'Own silicon', spki: maker.spki }));
});
afterEach(() => service.close());

interface Line {
  deviceId: string;
  spki: string;
  chipSku: number;
}
function chip(): Line {
  const { spki } = generateKeyPair();
  return { deviceId: toHex(spkiSha256(spki)), spki: Buffer.from(spki).toString('base64'), chipSku: 1 };
}
const textOf = (lines: readonly unknown[]): Uint8Array =>
  utf8Encode(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
const send = async (lines: Uint8Array, key: KeyPair = maker, id: string = makerId) =>
  importBatch(service, { makerId: id, lines, signature: signWithPkcs8(key.pkcs8, lines) });

describe('a batch of endorsements', () => {
  it('makes its chips genuine, and changes nothing the second time', async () => {
    const [one, two] = [chip(), chip()];
    expect(await send(textOf([one, two]))).toEqual({ imported: 2, known: 0 });
    expect(await findEndorsement(service.store.read, one.deviceId)).toMatchObject({ chipSku: 1, makerId });
    expect(await send(textOf([one, two, chip()]))).toEqual({ imported: 1, known: 2 });
  });

  it('is refused whole, with every bad line by its number', async () => {
    const good = chip();
    const lines = [
      good,
      { ...chip(), deviceId: 'ab'.repeat(32) },
      { ...chip(), spki: 'AAAA' },
      { ...chip(), extra: 1 },
      { ...chip(), chipSku: -1 },
      good,
      [],
    ];
    const text = new Uint8Array([...textOf(lines), ...utf8Encode('{"deviceId":\n')]);
    const refusal = await send(text).then(
      () => null,
      (error: unknown) => error,
    );
    expect(refusal).toMatchObject({ code: 'InvalidEndorsements', field: 'line 2' });
    const message = refusal instanceof Error ? refusal.message : '';
    expect(message.match(/line [0-9]+(?=:)/gu)).toEqual([2, 3, 4, 5, 6, 7, 8].map((line) => `line ${line}`));
    expect(message).toContain('line 6: the device is in line 1 already');
    expect(await findEndorsement(service.store.read, good.deviceId)).toBeNull();
  });

  it('is refused with another signature than its maker’s, and from a maker that nobody registered', async () => {
    const lines = textOf([chip()]);
    await expect(send(lines, generateKeyPair())).rejects.toMatchObject({
      code: 'UntrustedSigner',
      field: 'signature',
    });
    await expect(send(lines, maker, 'nobody')).rejects.toMatchObject({ code: 'NotFound', field: 'makerId' });
  });

  it('says nothing about a chip that another maker has endorsed', async () => {
    const one = chip();
    await send(textOf([one]));
    const rival = generateKeyPair();
    const { makerId: rivalId } = await registerSiliconMaker(service, {
      name: 'Rival silicon',
      spki: rival.spki,
    });
    await expect(send(textOf([chip(), one]), rival, rivalId)).rejects.toMatchObject({
      code: 'InvalidEndorsements',
      field: 'line 2',
    });
    await expect(send(textOf([{ ...one, chipSku: 2 }]))).rejects.toMatchObject({
      field: 'line 1',
      rule: 'the device is endorsed with chip SKU 1',
    });
  });

  it.each([
    ['nothing', new Uint8Array(0)],
    ['an empty line', utf8Encode('\n')],
    ['a line of 2 KB', utf8Encode(`"${'x'.repeat(2000)}"\n`)],
  ])('is refused with %s', async (_what, lines) => {
    await expect(send(lines)).rejects.toMatchObject({ code: 'InvalidEndorsements' });
  });

  it('is refused when it is not UTF-8', async () => {
    await expect(send(Uint8Array.of(0xff, 0x0a))).rejects.toMatchObject({
      code: 'InvalidEndorsements',
      field: 'line 1',
    });
  });
});

describe('a batch in CBOR', () => {
  const sendCbor = async (batch: Uint8Array) =>
    importBatch(service, {
      makerId,
      lines: batch,
      signature: signWithPkcs8(maker.pkcs8, batch),
      format: 'cbor',
    });
  const endorse = (spki: Uint8Array, evidenceName?: string): Endorsement => {
    const deviceId = toHex(spkiSha256(spki));
    return { deviceId, spki, chipSku: 7, evidenceName: evidenceName ?? evidenceNameOf(deviceId) };
  };
  const spkiOf = ({ publicKey }: { publicKey: KeyObject }): Uint8Array =>
    new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }));

  it('takes keys of P-256, P-384 and Ed25519, each found by the name of its evidence', async () => {
    const chips = [
      endorse(generateKeyPair().spki),
      endorse(spkiOf(generateKeyPairSync('ec', { namedCurve: 'secp384r1' })), '01aabbccddeeff00'),
      endorse(spkiOf(generateKeyPairSync('ed25519')), '02000000000000'),
    ];
    expect(await sendCbor(encodeEndorsements(chips))).toEqual({ imported: 3, known: 0 });
    for (const one of chips) {
      const { deviceId, spki, chipSku } = one;
      const found = await findAttester(service.store.read, one.evidenceName);
      expect(found).toMatchObject({ deviceId, spki, chipSku, tenantId: null, osFeed: 'Retail' });
    }
    expect(await findAttester(service.store.read, '01aabbccddeeff01')).toBeNull();
  });

  it('refuses keys of other kinds and points off the curve, by their items', async () => {
    const { spki } = generateKeyPair();
    const off = Uint8Array.from(spki, (byte, index) => (index === 90 ? byte ^ 1 : byte));
    const rsa = spkiOf(generateKeyPairSync('rsa', { modulusLength: 2048 }));
    const batch = encodeEndorsements([
      endorse(spki),
      endorse(off),
      endorse(rsa),
      endorse(spkiOf(generateKeyPairSync('ec', { namedCurve: 'secp521r1' }))),
    ]);
    const refusal = await sendCbor(batch).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'InvalidEndorsements', field: 'line 2' });
    expect(refusal instanceof Error ? refusal.message.match(/line [0-9]/gu) : []).toEqual([
      'line 2',
      'line 3',
      'line 4',
    ]);
    expect(await findEndorsement(service.store.read, toHex(spkiSha256(spki)))).toBeNull();
  });

  it('lets one name stand for one chip only', async () => {
    const [one, two] = [generateKeyPair().spki, generateKeyPair().spki];
    const twice = encodeEndorsements([endorse(one, '01000000000000'), endorse(two, '01000000000000')]);
    await expect(sendCbor(twice)).rejects.toMatchObject({
      field: 'line 2',
      rule: 'the evidence name is in line 1 already',
    });
    await sendCbor(encodeEndorsements([endorse(one, '01000000000000')]));
    await expect(sendCbor(encodeEndorsements([endorse(two, '01000000000000')]))).rejects.toMatchObject({
      field: 'line 1',
      rule: 'the evidence name is that of another device',
    });
    await expect(sendCbor(encodeEndorsements([endorse(one, '01000000000001')]))).rejects.toMatchObject({
      rule: 'the device is endorsed with another evidence name',
    });
  });

  it('is refused when it is no array, and when it is cut off', async () => {
    await expect(sendCbor(Uint8Array.of(0xa0))).rejects.toMatchObject({ code: 'WrongType', field: 'batch' });
    const batch = encodeEndorsements([endorse(generateKeyPair().spki)]);
    await expect(sendCbor(batch.slice(0, -1))).rejects.toMatchObject({ code: 'CborTruncated' });
  });

  it('says the same as one in JSON Lines', async () => {
    const { spki } = generateKeyPair();
    const one = endorse(spki, '01000000000009');
    await sendCbor(encodeEndorsements([one]));
    const line = { ...one, spki: Buffer.from(spki).toString('base64') };
    expect(await send(textOf([line]))).toEqual({ imported: 0, known: 1 });
  });
});

describe('a chain to a registered root', () => {
  let authorities: CertificateAuthorities;
  let chain: readonly Uint8Array[];
  let root: Uint8Array;
  beforeEach(async () => {
    // Any hierarchy will do as that of a silicon maker: here the one that a service makes for itself.
    authorities = new CertificateAuthorities(service);
    await authorities.ensureAuthorities();
    root = (await authorities.issuing('root', null)).certificate.der;
    chain = await chipChain();
  });
  const chipChain = async (): Promise<readonly Uint8Array[]> => {
    const { certificatePem } = await makeServerIdentity({ ...service, authorities }, ['chip']);
    return fromPem('CERTIFICATE', certificatePem);
  };
  const importOne = async (...chains: readonly (readonly Uint8Array[])[]) =>
    importChains(service, { makerId, chains });

  it('makes a chip genuine, of the SKU that the root stands for', async () => {
    await registerRoot(service, { makerId, der: root, chipSku: 9 });
    expect(await importOne(chain)).toEqual({ imported: 1, known: 0 });
    expect(await importOne(chain)).toEqual({ imported: 0, known: 1 });
    const deviceId = toHex(spkiSha256(parseCertificate(chain[0] ?? new Uint8Array()).spki));
    expect(await findEndorsement(service.store.read, deviceId)).toMatchObject({
      chipSku: 9,
      evidenceName: evidenceNameOf(deviceId),
    });
    expect(await listRoots(service, makerId)).toHaveLength(1);
  });

  it('may be signed with RSA, as those of many makers are', async () => {
    const [leaf = new Uint8Array(), rsaRoot = new Uint8Array()] = fromPem('CERTIFICATE', RSA_CHAIN_PEM);
    service.clock.advance(366 * 86_400_000);
    await registerRoot(service, { makerId, der: rsaRoot, chipSku: 9 });
    expect(await importOne([leaf])).toEqual({ imported: 1, known: 0 });
    const forged = leaf.with(leaf.length - 1, (leaf.at(-1) ?? 0) ^ 1);
    await expect(importOne([forged])).rejects.toMatchObject({
      rule: expect.stringContaining('BadSignature'),
    });
  });

  it('counts for nothing under a root that nobody registered, or that is another maker’s', async () => {
    await expect(importOne(chain)).rejects.toMatchObject({
      code: 'InvalidEndorsements',
      rule: expect.stringContaining('UnknownIssuer'),
    });
    const rival = await registerSiliconMaker(service, { name: 'Rival', spki: generateKeyPair().spki });
    await registerRoot(service, { makerId: rival.makerId, der: root, chipSku: 9 });
    await expect(importOne(chain)).rejects.toMatchObject({ rule: expect.stringContaining('UnknownIssuer') });
    await expect(registerRoot(service, { makerId, der: root, chipSku: 9 })).rejects.toMatchObject({
      code: 'AlreadyExists',
    });
  });

  it('is refused whole, with every bad chain by its number', async () => {
    await registerRoot(service, { makerId, der: root, chipSku: 9 });
    const [leaf = new Uint8Array(), ...rest] = chain;
    const forged = Uint8Array.from(leaf, (byte, index) => (index === leaf.length - 1 ? byte ^ 1 : byte));
    const refusal = await importOne(
      chain,
      [forged, ...rest],
      [leaf.slice(0, 100), ...rest],
      [...rest],
      chain,
      Array.from({ length: 7 }, () => leaf),
    ).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'InvalidEndorsements', field: 'line 2' });
    const message = refusal instanceof Error ? refusal.message : '';
    expect(message.match(/line [0-9](?=:)/gu)).toEqual(['line 2', 'line 3', 'line 4', 'line 5', 'line 6']);
    const deviceId = toHex(spkiSha256(parseCertificate(leaf).spki));
    expect(await findEndorsement(service.store.read, deviceId)).toBeNull();
  });

  it('ends with its validity', async () => {
    await registerRoot(service, { makerId, der: root, chipSku: 9 });
    service.clock.advance(3 * 365 * 86_400_000);
    await expect(importOne(chain)).rejects.toMatchObject({ rule: expect.stringContaining('Expired') });
  });

  it('cannot have a root that is no authority', async () => {
    const der = chain[0] ?? new Uint8Array();
    await expect(registerRoot(service, { makerId, der, chipSku: 9 })).rejects.toMatchObject({
      code: 'InvalidEndorsements',
      field: 'certificate',
    });
  });
});

describe('silicon makers', () => {
  it('are listed, and registered again without harm, but never with another key', async () => {
    const again = await registerSiliconMaker(service, { name: 'Own silicon', spki: maker.spki });
    expect(again.makerId).toBe(makerId);
    expect((await listSiliconMakers(service)).map((one) => one.name)).toEqual(['Own silicon']);
    const other = { name: 'Own silicon', spki: generateKeyPair().spki };
    await expect(registerSiliconMaker(service, other)).rejects.toMatchObject({
      code: 'AlreadyExists',
      field: 'name',
    });
    await expect(registerSiliconMaker(service, { name: 'x', spki: new Uint8Array(3) })).rejects.toMatchObject(
      { code: 'BadKey' },
    );
  });
});
