export {
  encodeAttestationData,
  decodeAttestationData,
  type AttestationData,
  type AttestedVerdict,
} from './attestation-data.ts';
export { encodeCertificateBag, parseCertificateBag } from './certificate-bag.ts';
export { parseCertificate, parseForeignCertificate, type Certificate } from './certificate.ts';
export { PkiError, type PkiErrorCode } from './errors.ts';
export { FileKeyStore, openFileKeyStore } from './file-key-store.ts';
export {
  issueAndParse,
  issueCertificate,
  keyIdentifier,
  type CertificateIssuer,
  type CertificateRequest,
} from './issue.ts';
export { ensureKey, type KeyStore } from './key-store.ts';
export {
  curveOfSpki,
  generateKeyPair,
  principalIdOf,
  sha256,
  signWithPkcs8,
  spkiSha256,
  thumbprint,
  type KeyCurve,
  type KeyPair,
} from './keys.ts';
export { LeafIssuer, type IssuedLeaf } from './leaf-issuer.ts';
export { commonName, nameText, type DistinguishedName, type NameParts } from './name.ts';
export { makeOfflineRoot, openOfflineRoot, signIntermediate, type OfflineRoot } from './offline-root.ts';
export { fromPem, toPem } from './pem.ts';
export { PROFILES, type ExtendedKeyUsage, type Profile, type ProfileName } from './profiles.ts';
export {
  checkP256Spki,
  PublicKey,
  verifyOnce,
  verifySignature,
  type SignatureAlgorithm,
} from './public-key.ts';
export { verifyRsa } from './rsa-signature.ts';
export { openPkcs11KeyStore, type Pkcs11KeyStore, type Pkcs11Options } from './pkcs11/pkcs11-key-store.ts';
export type { SealOptions, SealSecret } from './sealed-key.ts';
export { encodeSigningRequest, parseSigningRequest, type SigningRequest } from './signing-request.ts';
export { isSignedBy, verifyChain, type ChainQuery } from './verify-chain.ts';
