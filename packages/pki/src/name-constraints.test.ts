import { der, signatureToDer } from '@sevenfold/formats';
import { afterAll, describe, expect, it } from 'vitest';

import { parseCertificate, signatureAlgorithmOf, type Certificate } from './certificate.ts';
import { encodeExtension } from './extensions.ts';
import { generateKeyPair, signWithPkcs8 } from './keys.ts';
import { checkNames } from './check-names.ts';
import { encodeName, type NameParts } from './name.ts';
import { OID } from './oids.ts';
import { toPem } from './pem.ts';
import { findJudge, TestFolder } from './testing/judges.fixture.ts';

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const dns = (name: string): Uint8Array => der.implicit(2, ascii(name));
const email = (name: string): Uint8Array => der.implicit(1, ascii(name));
const uri = (name: string): Uint8Array => der.implicit(6, ascii(name));
const ip = (...octets: number[]): Uint8Array => der.implicit(7, Uint8Array.from(octets));
const directory = (...parts: NameParts): Uint8Array => der.explicit(4, encodeName(parts));
const otherName = der.implicitConstructed(0, der.oid('1.2.3'), der.explicit(0, der.null()));

const openssl = findJudge('openssl', 'name constraints as OpenSSL sees them');
const folder = new TestFolder('constraints');
afterAll(() => folder.dispose());

const { spki, pkcs8 } = generateKeyPair();
const algorithm = signatureAlgorithmOf('P-256');

function certificateWith(subject: Uint8Array, ...extensions: Uint8Array[]): Certificate {
  const tbs = der.sequence(
    der.explicit(0, der.integer(2)),
    der.integer(1),
    algorithm,
    encodeName([['CN', 'authority']]),
    der.sequence(der.time(0), der.time(86_400_000)),
    subject,
    spki,
    der.explicit(3, der.sequence(...extensions)),
  );
  const signature = signatureToDer(signWithPkcs8(pkcs8, tbs));
  return parseCertificate(der.sequence(tbs, algorithm, der.bitString(signature)));
}

interface Constraints {
  permit?: Uint8Array[];
  exclude?: Uint8Array[];
}

function authority({ permit, exclude }: Constraints): Certificate {
  const subtrees = (number: number, bases: Uint8Array[] | undefined): Uint8Array[] =>
    bases === undefined ? [] : [der.explicit(number, ...bases.map((base) => der.sequence(base)))];
  return certificateWith(
    encodeName([['CN', 'authority']]),
    encodeExtension(OID.basicConstraints, true, der.sequence(der.boolean(true))),
    encodeExtension(OID.nameConstraints, true, der.sequence(...subtrees(0, permit), ...subtrees(1, exclude))),
  );
}

function leaf(names: Uint8Array[], subject: NameParts = []): Certificate {
  const extensions =
    names.length > 0
      ? encodeExtension(OID.subjectAlternativeName, subject.length === 0, der.sequence(...names))
      : encodeExtension(OID.keyUsage, true, der.namedBits(0));
  return certificateWith(encodeName(subject), extensions);
}

function verdict(constraints: Constraints, names: Uint8Array[], subject: NameParts = []): string {
  const { nameConstraints } = authority(constraints);
  if (nameConstraints === null) throw new Error('they are there');
  try {
    checkNames(leaf(names, subject), nameConstraints);
    return 'accepted';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'crashed';
  }
}

type Case = readonly [what: string, constraints: Constraints, name: Uint8Array];

const ACCEPTED: readonly Case[] = [
  ['the host itself', { permit: [dns('example.com')] }, dns('example.com')],
  ['a host below it, in any letter case', { permit: [dns('example.com')] }, dns('A.B.Example.COM')],
  ['any host where all are permitted', { permit: [dns('')] }, dns('example.org')],
  ['a wildcard below it', { permit: [dns('example.com')] }, dns('*.example.com')],
  ['a host beside the excluded', { exclude: [dns('bad.example.com')] }, dns('good.example.com')],
  ['a wildcard that cannot reach the excluded', { exclude: [dns('bad.org')] }, dns('*.example.com')],
  ['a name of another kind', { permit: [dns('example.com')] }, ip(10, 0, 0, 1)],
  ['an address of the network', { permit: [ip(10, 0, 0, 0, 255, 0, 0, 0)] }, ip(10, 9, 8, 7)],
  ['a mailbox of the host', { permit: [email('example.com')] }, email('a@Example.com')],
  ['the one mailbox', { permit: [email('a@example.com')] }, email('a@example.com')],
  ['a mailbox below the domain', { permit: [email('.example.com')] }, email('a@mail.example.com')],
  ['a URI of the host', { permit: [uri('example.com')] }, uri('https://Example.com:8443/x')],
  [
    'a directory name below it, whatever its writing',
    { permit: [directory(['O', 'ACME  Chips'])] },
    directory(['O', 'acme chips'], ['CN', 'x']),
  ],
];

const REFUSED: readonly Case[] = [
  ['a host that only ends alike', { permit: [dns('example.com')] }, dns('notexample.com')],
  ['the host above', { permit: [dns('a.example.com')] }, dns('example.com')],
  ['a wildcard that reaches further', { permit: [dns('a.example.com')] }, dns('*.example.com')],
  ['the excluded host', { exclude: [dns('example.com')] }, dns('x.EXAMPLE.com')],
  ['a wildcard that reaches the excluded', { exclude: [dns('bad.example.com')] }, dns('*.example.com')],
  ['a wildcard of a strange form', { exclude: [dns('example.com')] }, dns('*a.example.org')],
  [
    'what is permitted and excluded',
    { permit: [dns('example.com')], exclude: [dns('x.example.com')] },
    dns('x.example.com'),
  ],
  ['an address outside', { permit: [ip(10, 0, 0, 0, 255, 0, 0, 0)] }, ip(11, 0, 0, 1)],
  ['an address of the other family', { permit: [ip(10, 0, 0, 0, 255, 0, 0, 0)] }, ip(...new Uint8Array(16))],
  ['an excluded address', { exclude: [ip(10, 0, 0, 0, 255, 255, 255, 0)] }, ip(10, 0, 0, 255)],
  ['another mailbox', { permit: [email('a@example.com')] }, email('b@example.com')],
  ['a mailbox of a host below', { permit: [email('example.com')] }, email('a@mail.example.com')],
  ['an excluded mailbox in other letters', { exclude: [email('a@example.com')] }, email('A@example.com')],
  ['a mailbox that is none', { exclude: [email('example.org')] }, email('nobody')],
  ['a URI of a host below', { permit: [uri('example.com')] }, uri('https://x.example.com/')],
  ['a URI without a host', { exclude: [uri('example.com')] }, uri('urn:x')],
  ['a URI with an address', { permit: [uri('example.com')] }, uri('https://10.0.0.1/')],
  [
    'a URI whose user looks like the host',
    { permit: [uri('example.com')] },
    uri('https://example.com@bad.org/'),
  ],
  ['a kind that nobody can compare', { exclude: [otherName] }, otherName],
  ['a directory name beside it', { permit: [directory(['O', 'Acme'])] }, directory(['O', 'Other'])],
  [
    'an excluded directory name in another writing',
    { exclude: [directory(['O', 'Acme'])] },
    directory(['O', ' ACME '], ['CN', 'x']),
  ],
];

/** OpenSSL takes a wildcard for a host of that name, and an excluded mailbox for another one in other letters. */
const ON_PURPOSE = [
  'a wildcard that reaches the excluded',
  'a wildcard of a strange form',
  'an excluded mailbox in other letters',
];

describe('name constraints', () => {
  it.each(ACCEPTED)('accept %s', (_what, constraints, name) => {
    expect(verdict(constraints, [name])).toBe('accepted');
  });

  it.each(REFUSED)('refuse %s', (_what, constraints, name) => {
    expect(verdict(constraints, [name])).toBe('NameNotPermitted');
  });

  it('hold for the subject as well', () => {
    const constraints = { permit: [directory(['O', 'Acme'])] };
    expect(
      verdict(
        constraints,
        [],
        [
          ['O', 'Acme'],
          ['CN', 'x'],
        ],
      ),
    ).toBe('accepted');
    expect(
      verdict(
        constraints,
        [],
        [
          ['O', 'Other'],
          ['CN', 'x'],
        ],
      ),
    ).toBe('NameNotPermitted');
  });

  it.each<[string, Constraints]>([
    ['a mask with holes', { permit: [ip(10, 0, 0, 0, 255, 0, 255, 0)] }],
    ['an address without a mask', { permit: [ip(10, 0, 0, 0)] }],
    ['more subtrees than anyone needs', { permit: Array.from({ length: 65 }, () => dns('a')) }],
  ])('are themselves refused with %s', (_what, constraints) => {
    expect(() => authority(constraints)).toThrow(expect.objectContaining({ code: 'BadExtension' }));
  });

  it('are refused when they name a minimum or maximum', () => {
    const withMinimum = der.sequence(
      der.explicit(0, der.sequence(dns('example.com'), der.implicit(0, Uint8Array.of(1)))),
    );
    expect(() =>
      certificateWith(
        encodeName([['CN', 'x']]),
        encodeExtension(OID.basicConstraints, true, der.sequence(der.boolean(true))),
        encodeExtension(OID.nameConstraints, true, withMinimum),
      ),
    ).toThrow(expect.objectContaining({ code: 'DerTrailingBytes' }));
  });

  it.runIf(openssl)('are judged as OpenSSL judges them, or more strictly where that is on purpose', () => {
    const stricter: string[] = [];
    for (const [what, constraints, name] of [...ACCEPTED, ...REFUSED]) {
      const anchor = folder.write('anchor.pem', toPem('CERTIFICATE', authority(constraints).der));
      const below = folder.write('below.pem', toPem('CERTIFICATE', leaf([name]).der));
      // Noon of the one day of 1970 on which these certificates are valid.
      const judged = openssl?.run(['verify', '-attime', '43200', '-CAfile', anchor, below]);
      const isAccepted = ACCEPTED.some(([known]) => known === what);
      if (isAccepted) expect([what, judged]).toEqual([what, expect.objectContaining({ accepted: true })]);
      else if (judged?.accepted === true) stricter.push(what);
    }
    expect(ON_PURPOSE).toEqual(expect.arrayContaining(stricter));
  });
});
