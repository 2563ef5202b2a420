import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { encodeCertificateBag } from './certificate-bag.ts';
import type { KeyCurve } from './keys.ts';
import { toPem } from './pem.ts';
import {
  ATTESTED,
  makeAuthorities,
  makeIdentity,
  type Authorities,
  type Identity,
} from './testing/authorities.fixture.ts';
import { findJudge, TestFolder } from './testing/judges.fixture.ts';

/** What nobody here wrote judges our chains. Judges have no clock but the machine's, so nothing here is of one time. */
const openssl = findJudge('openssl', 'chains as OpenSSL sees them');
const certtool = findJudge('certtool', 'chains as GnuTLS sees them');
const certutil = findJudge('certutil', 'chains as NSS sees them');
const vfychain = findJudge('vfychain', 'chains as NSS sees them');
const keytool = findJudge('keytool', 'chains as Java’s keytool sees them');
const java = findJudge('java', 'chains as Java’s path validation sees them');
const hasCompiler = java?.run(['--list-modules']).said.includes('jdk.compiler') ?? false;
if (java !== null && !hasCompiler)
  process.stdout.write(
    'skipped: Java’s path validation (there is a JRE and no JDK); keytool judges instead\n',
  );

const HOUR = 3_600_000;
const folder = new TestFolder('judges');
afterAll(() => folder.dispose());

const pem = (...identities: readonly Identity[]): string =>
  toPem('CERTIFICATE', ...identities.map((one) => one.certificate.der));

/** The same certificate with one bit of its signature, or of what is signed, turned. */
function tampered({ certificate }: Identity, part: 'signature' | 'subject'): Uint8Array {
  const der = certificate.der.slice();
  const at = part === 'signature' ? der.length - 4 : Buffer.from(der).lastIndexOf(Buffer.from('5e5e'));
  der[at] = (der[at] ?? 0) ^ 1;
  return der;
}

describe.each<KeyCurve>(['P-256', 'P-384'])('a chain with root and intermediate on %s', (curve) => {
  let all: Authorities;
  let device: Identity;
  let update: Identity;
  let stranger: Identity;
  let proof: Identity;
  const files = new Map<string, string>();
  const file = (name: string): string => files.get(name) ?? `no file ${name}`;

  beforeAll(async () => {
    // The authorities are older than a day, so that there can be an expired device below them.
    all = await makeAuthorities({ curve, now: Date.now() - 30 * HOUR });
    const now = Date.now();
    const name = '5e'.repeat(32);
    device = await makeIdentity('device', name, all.tenantCa, { attestation: ATTESTED, now });
    update = await makeIdentity('update', name, all.updateCa, { attestation: ATTESTED, now });
    const otherCa = await makeIdentity('tenantCa', 'Other tenant', all.intermediate, { now });
    stranger = await makeIdentity('device', name, otherCa, { attestation: ATTESTED, now });
    proof = await makeIdentity('proofOfPossession', 'nonce', all.tenantCa, { now });
    const put = (label: string, content: string | Uint8Array): void => {
      files.set(label, folder.write(`${curve} ${label}`.replaceAll(' ', '-'), content));
    };
    for (const [label, identity] of Object.entries({ ...all, device, update, stranger, proof, otherCa })) {
      put(`${label}.pem`, pem(identity));
      put(`${label}.cer`, identity.certificate.der);
    }
    put('expired.pem', pem(all.device));
    put('expired.cer', all.device.certificate.der);
    put('above.pem', pem(all.tenantCa, all.intermediate));
    for (const part of ['signature', 'subject'] as const) {
      put(`bad ${part}.cer`, tampered(device, part));
      put(`bad ${part}.pem`, toPem('CERTIFICATE', tampered(device, part)));
    }
    const badCa = all.tenantCa.certificate.der.slice();
    badCa[badCa.length - 4] = (badCa.at(-4) ?? 0) ^ 1;
    put('above bad.pem', toPem('CERTIFICATE', badCa, all.intermediate.certificate.der));
    put('bad tenantCa.cer', badCa);
    for (const leaf of ['device', 'expired', 'bad signature', 'bad subject'] as const)
      put(`${leaf} chain.pem`, toPem('CERTIFICATE', leafOf(leaf), all.tenantCa.certificate.der, all.intermediate.certificate.der)); // prettier-ignore
    put('bad tenantCa chain.pem', toPem('CERTIFICATE', device.certificate.der, badCa, all.intermediate.certificate.der)); // prettier-ignore
  });

  function leafOf(name: 'device' | 'expired' | 'bad signature' | 'bad subject'): Uint8Array {
    switch (name) {
      case 'device':
        return device.certificate.der;
      case 'expired':
        return all.device.certificate.der;
      case 'bad signature':
        return tampered(device, 'signature');
      case 'bad subject':
        return tampered(device, 'subject');
      default:
        return name satisfies never;
    }
  }

  const BAD = ['bad signature', 'bad subject', 'expired'] as const;

  it.runIf(openssl)(
    'is accepted by OpenSSL, strictly and for TLS clients; whatever is wrong is refused',
    () => {
      const verify = (leaf: string, ...trust: string[]): boolean =>
        openssl?.run(['verify', '-x509_strict', '-purpose', 'sslclient', ...trust, file(leaf)]).accepted ??
        false;
      const byRoot = ['-no-CAfile', '-CAfile', file('root.pem'), '-untrusted', file('above.pem')];
      const byTenantCa = ['-partial_chain', '-trusted', file('tenantCa.pem')];
      for (const trust of [byRoot, byTenantCa]) {
        expect(verify('device.pem', ...trust)).toBe(true);
        for (const bad of BAD) expect([bad, verify(`${bad}.pem`, ...trust)]).toEqual([bad, false]);
        // It shows that a CA is there, and opens nothing.
        expect(verify('proof.pem', ...trust)).toBe(false);
      }
      expect(verify('stranger.pem', ...byTenantCa)).toBe(false);
      expect(verify('update.pem', ...byTenantCa)).toBe(false);
      expect(verify('device.pem', '-CAfile', file('root.pem'), '-untrusted', file('above bad.pem'))).toBe(
        false,
      );
      const proven = openssl?.run(['verify', '-x509_strict', ...byTenantCa, file('proof.pem')]);
      expect(proven).toMatchObject({ accepted: true });
    },
  );

  it.runIf(certtool)('is accepted by GnuTLS for TLS clients; whatever is wrong is refused', () => {
    const verify = (chain: string, anchor: string): boolean =>
      certtool?.run(['--verify', '--verify-purpose', '1.3.6.1.5.5.7.3.2', '--load-ca-certificate', file(anchor), '--infile', file(chain)]).accepted ?? false; // prettier-ignore
    expect(verify('device chain.pem', 'root.pem')).toBe(true);
    expect(verify('device.pem', 'tenantCa.pem')).toBe(true);
    for (const bad of [...BAD, 'bad tenantCa'])
      expect([bad, verify(`${bad} chain.pem`, 'root.pem')]).toEqual([bad, false]);
    for (const bad of [...BAD, 'stranger', 'update'])
      expect([bad, verify(`${bad}.pem`, 'tenantCa.pem')]).toEqual([bad, false]);
  });

  it.runIf(certutil && vfychain)('is accepted by NSS for TLS clients; whatever is wrong is refused', () => {
    const database = `sql:${folder.path}`;
    certutil?.run(['-N', '-d', database, '--empty-password']);
    const verify = (leaf: string, tenantCa: string): boolean =>
      vfychain?.run(['-d', database, '-pp', '-u', '0', file(leaf), file(tenantCa), file('intermediate.cer'), '-t', file('root.cer')]).accepted ?? false; // prettier-ignore
    expect(verify('device.cer', 'tenantCa.cer')).toBe(true);
    for (const bad of BAD) expect([bad, verify(`${bad}.cer`, 'tenantCa.cer')]).toEqual([bad, false]);
    expect(verify('device.cer', 'bad tenantCa.cer')).toBe(false);
    expect(verify('stranger.cer', 'tenantCa.cer')).toBe(false);
  });

  it.runIf(certutil && vfychain)(
    'of another tenant is refused by NSS where it knows one tenant CA alone',
    () => {
      const database = `sql:${folder.path}`;
      certutil?.run(['-N', '-d', database, '--empty-password']);
      // Each is shown with everything that stands above it: what is missing is trust alone.
      const verify = (anchor: string, ...shown: readonly string[]): boolean =>
        vfychain?.run(['-d', database, '-pp', '-u', '0', ...shown.map(file), '-t', file(anchor)]).accepted ??
        false;
      const above = ['intermediate.cer', 'root.cer'];
      expect(verify('tenantCa.cer', 'device.cer', ...above)).toBe(true);
      expect(verify('tenantCa.cer', 'stranger.cer', 'otherCa.cer', ...above)).toBe(false);
      expect(verify('otherCa.cer', 'stranger.cer', ...above)).toBe(true);
      expect(verify('otherCa.cer', 'device.cer', 'tenantCa.cer', ...above)).toBe(false);
      expect(verify('tenantCa.cer', 'update.cer', 'updateCa.cer', ...above)).toBe(false);
      expect(verify('tenantCa.cer', 'expired.cer', ...above)).toBe(false);
      // It is no certificate of a client: it shows that a CA is there, and opens nothing.
      expect(verify('tenantCa.cer', 'proof.cer', ...above)).toBe(false);
    },
  );

  it.runIf(keytool && openssl)(
    'is accepted by Java’s keytool as the answer to a request; a tampered one is not',
    () => {
      const key = folder.write('key.pem', toPem('PRIVATE KEY', device.key.pkcs8));
      const store = join(folder.path, `${curve}.p12`);
      // keytool takes a chain for a key that it has; which certificate that key had before does not matter.
      const own = folder.write('own.pem', folder.prepare(openssl?.program ?? '', 'req', '-x509', '-new', '-key', key, '-subj', '/CN=x', '-days', '1')); // prettier-ignore
      folder.prepare(openssl?.program ?? '', 'pkcs12', '-export', '-name', 'device', '-inkey', key, '-in', own, '-out', store, '-passout', 'pass:sevenfold'); // prettier-ignore
      const importing = (alias: string, path: string): boolean =>
      keytool?.run(['-importcert', '-noprompt', '-alias', alias, '-file', path, '-keystore', store, '-storepass', 'sevenfold', '-J-XX:TieredStopAtLevel=1']).accepted ?? false; // prettier-ignore
      expect(importing('root', file('root.cer'))).toBe(true);
      const bag = (leaf: Uint8Array): string =>
      folder.write('answer.p7b', encodeCertificateBag([leaf, all.tenantCa.certificate.der, all.intermediate.certificate.der, all.root.certificate.der])); // prettier-ignore
      expect(importing('device', bag(tampered(device, 'signature')))).toBe(false);
      expect(importing('device', bag(tampered(device, 'subject')))).toBe(false);
      expect(importing('device', bag(device.certificate.der))).toBe(true);
    },
  );

  it.runIf(hasCompiler)(
    'is accepted by Java’s path validation for TLS clients; whatever is wrong is refused',
    () => {
      const program = folder.write('Judge.java', JUDGE);
      const said = (cases: readonly (readonly string[])[]): readonly string[] =>
      java?.run(['-XX:TieredStopAtLevel=1', program, ...cases.map((one) => one.map(file).join(','))]).said.trim().split('\n') ?? []; // prettier-ignore
      // The anchor, then the chain leaf first.
      const above = ['tenantCa.cer', 'intermediate.cer'];
      expect(
        said([
          ['root.cer', 'device.cer', ...above],
          ['tenantCa.cer', 'device.cer'],
          ['root.cer', 'bad signature.cer', ...above],
          ['root.cer', 'bad subject.cer', ...above],
          ['root.cer', 'expired.cer', ...above],
          ['root.cer', 'device.cer', 'bad tenantCa.cer', 'intermediate.cer'],
          ['tenantCa.cer', 'stranger.cer'],
          ['tenantCa.cer', 'update.cer'],
          ['tenantCa.cer', 'proof.cer'],
        ]),
      ).toEqual(['yes', 'yes', ...Array.from({ length: 7 }, () => 'no')]);
    },
  );
});

/** One line for each argument: whether a server that knows that anchor takes that chain for a client's. */
const JUDGE = `
import java.io.*;
import java.nio.file.*;
import java.security.KeyStore;
import java.security.cert.*;
import javax.net.ssl.*;

public class Judge {
  public static void main(String[] cases) throws Exception {
    CertificateFactory factory = CertificateFactory.getInstance("X.509");
    for (String one : cases) {
      String[] files = one.split(",");
      X509Certificate[] certificates = new X509Certificate[files.length];
      boolean accepted = false;
      try {
        for (int i = 0; i < files.length; i++)
          certificates[i] = (X509Certificate) factory.generateCertificate(
              new ByteArrayInputStream(Files.readAllBytes(Path.of(files[i]))));
        KeyStore anchors = KeyStore.getInstance(KeyStore.getDefaultType());
        anchors.load(null, null);
        anchors.setCertificateEntry("anchor", certificates[0]);
        TrustManagerFactory managers = TrustManagerFactory.getInstance("PKIX");
        managers.init(anchors);
        X509Certificate[] chain = java.util.Arrays.copyOfRange(certificates, 1, files.length);
        ((X509TrustManager) managers.getTrustManagers()[0]).checkClientTrusted(chain, "EC");
        accepted = true;
      } catch (CertificateException refusal) {
        accepted = false;
      }
      System.out.println(accepted ? "yes" : "no");
    }
  }
}
`;
