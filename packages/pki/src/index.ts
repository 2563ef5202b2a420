export {
  encodeAttestationData,
  decodeAttestationData,
  type AttestationData,
  type AttestedVerdict,
} from './attestation-data.ts';
export { parseCertificate, type Certificate } from './certificate.ts';
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
  checkP256Spki,
  generateKeyPair,
  principalIdOf,
  sha256,
  signWithPkcs8,
  spkiSha256,
  thumbprint,
  verifySignature,
  type KeyPair,
  type SignatureAlgorithm,
} from './keys.ts';
export { commonName, nameText, type DistinguishedName, type NameParts } from './name.ts';
export { fromPem, toPem } from './pem.ts';
export { PROFILES, type ExtendedKeyUsage, type Profile, type ProfileName } from './profiles.ts';
export { isSignedBy, verifyChain, type ChainQuery } from './verify-chain.ts';
