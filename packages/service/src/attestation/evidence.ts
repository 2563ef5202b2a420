/** One stage as the device measured it before it ran. */
export interface MeasuredComponent {
  /** Name of its image type (`NormalWorldKernel`), as far as the format tells. */
  readonly imageType: string;
  /** For people: name and version. */
  readonly name: string;
  readonly securityVersion: number | null;
  /** SHA-256 of the whole image package. */
  readonly digest: Uint8Array;
  /** SHA-256 of the signer's SPKI. */
  readonly signerId: Uint8Array;
}

/** Whether the chip is locked as it has to be in the field; `text` says its state in words. */
export interface Lifecycle {
  readonly isSecured: boolean;
  readonly text: string;
}

/** Evidence that was decoded, and nothing more: it is worth what `isSignedBy` says. */
export interface UnprovenEvidence {
  readonly format: string;
  /** The device that it claims to come from: 64 hex digits. */
  readonly deviceId: string;
  /** The 32 bytes that the device was challenged with. */
  readonly challenge: Uint8Array;
  readonly lifecycle: Lifecycle;
  readonly components: readonly MeasuredComponent[];
  /** Whether the key `spki` signed all of the above. */
  isSignedBy(spki: Uint8Array): boolean;
}

/** One evidence format: one file. */
export interface EvidenceFormat {
  readonly name: string;
  /** Decodes evidence; refuses what is not of this format with a `FormatError` that names field and rule. */
  decode(untrusted: Uint8Array): UnprovenEvidence;
}
