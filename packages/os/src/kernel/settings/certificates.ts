import { DerReader, utf8DecodeLossy } from '@sevenfold/formats';
import { KernelError } from '../errors.ts';
import type { FieldReader, FieldWriter } from './fields.ts';

/** azure-sphere.md §4.4, applibs/certstore.h. */
const LARGEST_BLOB = 8192;
const LONGEST_PASSWORD = 256;
const IDENTIFIER = /^[A-Za-z0-9._-]{1,16}$/;
const LONGEST_IDENTIFIER = 64;
/** Bytes of all blobs together: what the kernel's record in flash has room for. */
const ROOM = 40_960;
const MOST_CERTIFICATES = 32;
const PEM = /-----BEGIN ([A-Z0-9 ]+)-----\s*([A-Za-z0-9+/=\s]+)-----END \1-----/;

interface StoredCertificate {
  readonly id: string;
  readonly certificate: string;
  /** Empty: a root CA. */
  readonly key: string;
  readonly password: string;
}

/** What an app may see of a certificate. */
interface CertificateView {
  readonly subject: string;
  readonly issuer: string;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Short names of the attributes of a distinguished name (RFC 4514 §3). */
const ATTRIBUTES: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
};
const VERSION_TAG = 0xa0;

function refuse(message: string): never {
  throw new KernelError('BadSetting', message, { rule: 'PEM' });
}

function pemBytes(text: string, label: RegExp): Uint8Array {
  const [, found = '', body = ''] = PEM.exec(text) ?? [];
  if (!label.test(found)) refuse(`The blob is no ${label.source} in PEM.`);
  const clean = body.replaceAll(/\s/g, '');
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(clean))
    refuse('The base64 is wrong.');
  return Uint8Array.fromBase64(clean);
}

function nameText(reader: DerReader): string {
  const parts: string[] = [];
  reader.sequence((name) => {
    while (!name.done) {
      name.set((relative) => {
        while (!relative.done) {
          relative.sequence((attribute) => {
            const key = ATTRIBUTES[attribute.oid()];
            const value = utf8DecodeLossy(attribute.any().content);
            if (key !== undefined) parts.push(`${key}=${value}`);
          });
        }
      });
    }
  });
  return parts.join(', ');
}

/** Subject, issuer and validity of a certificate (RFC 5280 §4.1). Whether it is to be believed is not asked here. */
function viewOf(pem: string): CertificateView {
  const der = pemBytes(pem, /^CERTIFICATE$/);
  try {
    return DerReader.read(der, (input) =>
      input.sequence((certificate) => {
        const view = certificate.sequence((tbs): CertificateView => {
          if (tbs.peekTag() === VERSION_TAG) tbs.any();
          // Serial number and signature algorithm.
          tbs.any();
          tbs.any();
          const issuer = nameText(tbs);
          const [notBefore, notAfter] = tbs.sequence(
            (validity) => [validity.time(), validity.time()] as const,
          );
          const subject = nameText(tbs);
          while (!tbs.done) tbs.any();
          return { subject, issuer, notBefore, notAfter };
        });
        // Algorithm and signature.
        certificate.any();
        certificate.any();
        return view;
      }),
    );
  } catch (cause) {
    throw new KernelError('BadSetting', 'The certificate cannot be read.', { cause });
  }
}

/** The device's certificate store: shared by all apps that may use it; private keys go in and never come out. */
export class Certificates {
  #stored: StoredCertificate[] = [];

  install(reader: FieldReader): void {
    const id = this.#identifier(reader);
    const certificate = reader.text(LARGEST_BLOB);
    const key = reader.text(LARGEST_BLOB);
    const password = reader.text(LONGEST_PASSWORD);
    viewOf(certificate);
    if (key !== '') {
      const isEncrypted = key.includes('ENCRYPTED');
      pemBytes(key.replace(/\n(?:Proc-Type|DEK-Info):[^\n]*/g, ''), /PRIVATE KEY$/);
      if (isEncrypted !== (password !== ''))
        refuse('A password belongs to an encrypted key, and to no other.');
    }
    const others = this.#stored.filter((other) => other.id !== id);
    const needed = certificate.length + key.length;
    if (others.length >= MOST_CERTIFICATES || needed > ROOM - sizeOf(others))
      throw new KernelError('StoreFull', 'The certificate store has no room for it.', {
        rule: `${ROOM} bytes`,
      });
    this.#stored = [...others, { id, certificate, key, password }];
  }

  delete(reader: FieldReader): void {
    const { id } = this.find(this.#identifier(reader));
    this.#stored = this.#stored.filter((other) => other.id !== id);
  }

  /** Renames, replacing what has that name: how a certificate is rotated. */
  move(reader: FieldReader): void {
    const source = this.find(this.#identifier(reader));
    const id = this.#identifier(reader);
    this.#stored = [
      ...this.#stored.filter((other) => other.id !== id && other.id !== source.id),
      { ...source, id },
    ];
  }

  list(writer: FieldWriter): void {
    writer.number(this.#stored.length);
    for (const { id } of this.#stored) writer.text(id);
  }

  get space(): number {
    return ROOM - sizeOf(this.#stored);
  }

  show(reader: FieldReader, writer: FieldWriter): void {
    const { certificate } = this.find(this.#identifier(reader));
    const { subject, issuer, notBefore, notAfter } = viewOf(certificate);
    writer
      .text(subject)
      .text(issuer)
      .seconds(notBefore / 1000)
      .seconds(notAfter / 1000);
  }

  /** Throws `NoSuchFile`. */
  find(id: string): StoredCertificate {
    const found = this.#stored.find((certificate) => certificate.id === id);
    if (found === undefined) throw new KernelError('NoSuchFile', `There is no certificate ${id}.`);
    return found;
  }

  has(id: string, kind: 'client' | 'root'): boolean {
    return this.#stored.some((stored) => stored.id === id && (stored.key === '') === (kind === 'root'));
  }

  save(writer: FieldWriter): void {
    writer.number(this.#stored.length);
    for (const { id, certificate, key, password } of this.#stored)
      writer.text(id).text(certificate).text(key).text(password);
  }

  load(reader: FieldReader): void {
    this.#stored = Array.from({ length: reader.number(MOST_CERTIFICATES) }, () => ({
      id: reader.text(LONGEST_IDENTIFIER),
      certificate: reader.text(LARGEST_BLOB),
      key: reader.text(LARGEST_BLOB),
      password: reader.text(LONGEST_PASSWORD),
    }));
  }

  #identifier(reader: FieldReader): string {
    const id = reader.text(LONGEST_IDENTIFIER);
    if (!IDENTIFIER.test(id))
      throw new KernelError('BadSetting', 'This is no identifier of a certificate.', {
        rule: IDENTIFIER.source,
      });
    return id;
  }
}

function sizeOf(certificates: readonly StoredCertificate[]): number {
  return certificates.reduce((sum, { certificate, key }) => sum + certificate.length + key.length, 0);
}
