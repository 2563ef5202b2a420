import { toHex, utf8Encode } from '@sevenfold/formats';
import { generateKeyPair, signWithPkcs8, spkiSha256, type KeyPair } from '@sevenfold/pki';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { openTestService, type TestService } from '../test-service.ts';
import { findEndorsement } from './find-endorsement.ts';
import { importBatch } from './import-batch.ts';
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
    await expect(send(Uint8Array.of(0xff, 0x0a))).rejects.toMatchObject({ code: 'BadText' });
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
