import { createPublicKey } from 'node:crypto';
import { decodeCbor, decodeSign1, fromHex, type CborValue, type CoseAlgorithm } from '@sevenfold/formats';
import { parseCertificate, verifySignature } from '@sevenfold/pki';
import { describe, expect, it } from 'vitest';
import { hasVectors, vectorJson, vectorNames } from './folder.ts';

interface Key {
  readonly kty: string;
  readonly crv?: string;
  readonly [part: string]: string | undefined;
}
interface Signer {
  readonly key: Key;
  readonly alg?: string;
  readonly protected?: { readonly alg?: string };
  readonly external?: string;
}
interface Example {
  readonly title: string;
  readonly fail?: boolean;
  readonly input: { readonly sign0?: Signer; readonly sign?: { readonly signers: readonly Signer[] } };
  readonly intermediates?: {
    readonly ToBeSign_hex?: string;
    readonly signers?: readonly { readonly ToBeSign_hex: string }[];
  };
  readonly output: { readonly cbor: string };
}

const FOLDERS = ['sign1-tests', 'ecdsa-examples', 'x509-examples', 'CWT', 'RFC8152', 'hashsig'] as const;

/** The examples give coordinates in base64url or, by another name, in hex. */
function spkiOf(key: Key): Uint8Array {
  const part = (name: 'x' | 'y'): string =>
    key[name] ?? Buffer.from(key[`${name}_hex`] ?? '', 'hex').toString('base64url');
  const jwk = { kty: 'EC', crv: key.crv ?? '', x: part('x'), y: part('y') };
  return new Uint8Array(createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'der' }));
}

/** What becomes of a message: read and its signature verified, read and not, or refused by a code. */
function judge({ input, output }: Example): string {
  const { sign0 } = input;
  let message;
  try {
    const externalAad = fromHex((sign0?.external ?? '').toLowerCase());
    message = decodeSign1(fromHex(output.cbor.toLowerCase()), { externalAad });
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'crashed';
  }
  if (sign0 === undefined) return 'read without a key';
  const isSigned = verifySignature(
    spkiOf(sign0.key),
    message.toBeSigned,
    message.signature,
    message.algorithm,
  );
  return isSigned ? 'verified' : 'not verified';
}

/** Names of one folder's examples by what became of them. */
function judgeFolder(folder: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    vectorNames(`cose/${folder}`).map((name) => [
      name.replace('.json', ''),
      judge(vectorJson('cose', folder, name) as Example),
    ]),
  );
}

function print(folder: string, judged: Readonly<Record<string, string>>): void {
  const counts = new Map<string, number>();
  for (const outcome of Object.values(judged)) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  const words = [...counts].map(([outcome, count]) => `${count} ${outcome}`).join(', ');
  console.log(`COSE ${folder}: ${Object.keys(judged).length} messages: ${words}`);
}

const all = (names: readonly string[], outcome: string): Readonly<Record<string, string>> =>
  Object.fromEntries(names.map((name) => [name, outcome]));

/** What must become of every message of every folder. Only COSE_Sign1 is read here: all else is `NotSign1`. */
const EXPECTED: Readonly<Record<(typeof FOLDERS)[number], Readonly<Record<string, string>>>> = {
  'sign1-tests': {
    'sign-fail-01': 'NotSign1',
    'sign-fail-02': 'not verified',
    'sign-fail-03': 'UnknownAlgorithm',
    'sign-fail-04': 'UnknownAlgorithm',
    'sign-fail-06': 'not verified',
    'sign-fail-07': 'not verified',
    // Its algorithm is unprotected: RFC 9052 lets it pass, here an algorithm that nobody signed is refused.
    'sign-pass-01': 'MissingAlgorithm',
    'sign-pass-02': 'verified',
    'sign-pass-03': 'verified',
  },
  'ecdsa-examples': {
    ...all(['ecdsa-01', 'ecdsa-02', 'ecdsa-03', 'ecdsa-04'], 'NotSign1'),
    'ecdsa-sig-01': 'verified',
    'ecdsa-sig-02': 'verified',
    // ES512, and ES512 with a P-256 key.
    'ecdsa-sig-03': 'UnknownAlgorithm',
    'ecdsa-sig-04': 'UnknownAlgorithm',
  },
  'x509-examples': all(['signed-01', 'signed-02', 'signed-03', 'signed-04', 'signed-05'], 'NotSign1'),
  CWT: { A_3: 'verified', ...all(['A_4', 'A_5', 'A_6', 'A_7'], 'NotSign1') },
  RFC8152: {
    Appendix_B: 'NotSign1',
    ...all(
      ['1_1', '1_2', '1_3', '1_4'].map((number) => `Appendix_C_${number}`),
      'NotSign1',
    ),
    Appendix_C_2_1: 'verified',
    ...all(
      ['3_1', '3_2', '3_3', '3_4', '4_1', '4_2', '5_1', '5_2', '5_3', '5_4', '6_1'].map(
        (number) => `Appendix_C_${number}`,
      ),
      'NotSign1',
    ),
  },
  hashsig: { 'hashsig-01': 'NotSign1', 'hsssig-sig-01': 'UnknownAlgorithm' },
};

/** The signers of a COSE_Sign message (tag 98), which this system has no use for but as vectors. */
function signersOf(message: Uint8Array): readonly (readonly CborValue[])[] {
  const [, , , signers] = decodeCbor(message.subarray(2), { anyKeyOrder: true }) as readonly CborValue[];
  return signers as readonly (readonly CborValue[])[];
}

const ALGORITHM_OF_CURVE: Readonly<Record<string, CoseAlgorithm>> = { 'P-256': 'ES256', 'P-384': 'ES384' };

describe.skipIf(!hasVectors)('COSE examples', () => {
  it('has no folder that is silently left out', () => {
    expect(vectorNames('cose')).toEqual([...FOLDERS].toSorted());
  });

  it.each(FOLDERS)('%s: every message is judged as it should be', (folder) => {
    const judged = judgeFolder(folder);
    expect(judged).toEqual(EXPECTED[folder]);
    print(folder, judged);
  });

  it('have signatures that our own primitives verify, message by message of several signers', () => {
    const verified: string[] = [];
    const apart: string[] = [];
    for (const folder of ['ecdsa-examples', 'x509-examples']) {
      for (const name of vectorNames(`cose/${folder}`)) {
        const { input, intermediates, output } = vectorJson('cose', folder, name) as Example;
        const signers = input.sign?.signers ?? [];
        for (const [index, { key }] of signers.entries()) {
          const signature = signersOf(fromHex(output.cbor.toLowerCase()))[index]?.[2];
          const message = fromHex((intermediates?.signers?.[index]?.ToBeSign_hex ?? '').toLowerCase());
          const algorithm = ALGORITHM_OF_CURVE[key.crv ?? ''];
          const isSigned =
            algorithm !== undefined &&
            signature instanceof Uint8Array &&
            verifySignature(spkiOf(key), message, signature, algorithm);
          (isSigned ? verified : apart).push(name.replace('.json', ''));
        }
      }
    }
    // ES512, and SHA-512 with a P-256 key, are no algorithms of this system.
    expect(apart).toEqual(['ecdsa-03', 'ecdsa-04']);
    console.log(
      `COSE_Sign signers: ${verified.length} verified, ${apart.length} of other algorithms refused`,
    );
    expect(verified.length).toBe(7);
  });

  it('carry certificates that are read as strictly as any', () => {
    const outcomes: string[] = [];
    for (const name of vectorNames('cose/x509-examples')) {
      const { output } = vectorJson('cose', 'x509-examples', name) as Example;
      for (const signer of signersOf(fromHex(output.cbor.toLowerCase()))) {
        for (const header of signer[1] instanceof Map ? [signer[1]] : []) {
          const held: readonly CborValue[] = [header.get(32), header.get(33)].flat();
          for (const certificate of held) {
            if (!(certificate instanceof Uint8Array)) continue;
            try {
              parseCertificate(certificate);
              outcomes.push('read');
            } catch (error) {
              outcomes.push(error instanceof Error && 'code' in error ? String(error.code) : 'crashed');
            }
          }
        }
      }
    }
    console.log(`COSE x5bag and x5chain: ${outcomes.length} certificates: ${outcomes.join(', ')}`);
    // Their key usage ends with zero bits, which DER forbids for named bits (X.690 §11.2.2).
    expect(outcomes).toEqual(Array.from({ length: 6 }, () => 'DerBadBitString'));
  });
});
