import { PkiError } from './errors.ts';

const LABEL = /^[A-Z0-9]+(?: [A-Z0-9]+)*$/u;
const BASE64_LINE = /^[A-Za-z0-9+/]+={0,2}$/u;
const MAX_PEM_LENGTH = 256 * 1024;

/** The text form of RFC 7468, 64 characters a line, one `label` block for each of `ders`. */
export function toPem(label: string, ...ders: readonly Uint8Array[]): string {
  if (!LABEL.test(label))
    throw new PkiError('BadPem', `"${label}" is not a PEM label`, { field: 'label', rule: 'RFC 7468 §3' });
  return ders
    .map((der) => {
      const lines =
        Buffer.from(der)
          .toString('base64')
          .match(/.{1,64}/gu) ?? [];
      return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
    })
    .join('');
}

/**
 * The bytes of every block in `untrusted`, all of them labelled `label`. Stricter than RFC 7468: no text
 * between blocks, no headers, one base64 form. Refused with `BadPem`, the field names the line.
 */
export function fromPem(label: string, untrusted: string): readonly Uint8Array[] {
  if (untrusted.length > MAX_PEM_LENGTH)
    throw badPem('the text is too long', 'pem', `at most ${MAX_PEM_LENGTH} characters`);
  const blocks: Uint8Array[] = [];
  let base64: string | null = null;
  for (const [index, line] of untrusted.split(/\r?\n/u).entries()) {
    const field = `line ${index + 1}`;
    if (base64 === null) {
      if (line === '') continue;
      if (line !== `-----BEGIN ${label}-----`)
        throw badPem('this is not the begin of a block', field, `-----BEGIN ${label}-----`);
      base64 = '';
    } else if (line === `-----END ${label}-----`) {
      blocks.push(decodeBase64(base64, field));
      base64 = null;
    } else {
      if (!BASE64_LINE.test(line)) throw badPem('this is not a line of base64', field, 'RFC 7468 §3');
      base64 += line;
    }
  }
  if (base64 !== null) throw badPem('the last block has no end', 'pem', `-----END ${label}-----`);
  if (blocks.length === 0) throw badPem('there is no block', 'pem', `-----BEGIN ${label}-----`);
  return blocks;
}

function decodeBase64(base64: string, field: string): Uint8Array {
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.toString('base64') !== base64)
    throw badPem('the block is not canonical base64', field, 'RFC 4648 §4');
  return new Uint8Array(bytes);
}

function badPem(message: string, field: string, rule: string): PkiError {
  return new PkiError('BadPem', message, { field, rule });
}
