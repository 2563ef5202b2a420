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

/** How far a chip has come in its life, and whether it can be looked into. */
export type ChipState = 'secured' | 'debug' | 'manufacturing' | 'decommissioned' | 'unknown';

/** The state of a chip; `text` says it in the words of its evidence. */
export interface Lifecycle {
  readonly state: ChipState;
  readonly text: string;
}

/** Evidence that was decoded, and nothing more: it is worth what `isSignedBy` says. */
export interface UnprovenEvidence {
  readonly format: string;
  /** The name under which the chip it claims to come from was endorsed, in hex. */
  readonly evidenceName: string;
  /** The 32 bytes that the device was challenged with. */
  readonly challenge: Uint8Array;
  readonly lifecycle: Lifecycle;
  readonly components: readonly MeasuredComponent[];
  /** Whether the key `spki` signed all of the above. */
  isSignedBy(spki: Uint8Array): boolean;
}

/** One evidence format: one file, and one row of `EVIDENCE_FORMATS`. */
export interface EvidenceFormat {
  readonly name: string;
  /** Whether the first bytes are of this format. Cheap; `decode` then says what is wrong with the rest. */
  recognises(untrusted: Uint8Array): boolean;
  /** Decodes evidence; refuses what is not of this format with a `FormatError` that names field and rule. */
  decode(untrusted: Uint8Array): UnprovenEvidence;
}
