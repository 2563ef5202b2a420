/** Where in the input a problem sits, and which rule it breaks. */
export interface ErrorPlace {
  /** Dotted path of the offending field, such as `images.0.digest`. */
  readonly field?: string | undefined;
  /** The rule that was broken, as a person would write it: `at most 64`. */
  readonly rule?: string | undefined;
  readonly cause?: unknown;
}

/**
 * The base of every error this system throws on purpose: a stable code, one human sentence,
 * and where possible the field and the rule. Each package extends it once with its own closed union of codes.
 */
export class SevenfoldError<Code extends string = string> extends Error {
  readonly code: Code;
  readonly field: string | undefined;
  readonly rule: string | undefined;

  constructor(code: Code, message: string, where: ErrorPlace = {}) {
    super(message, where.cause === undefined ? undefined : { cause: where.cause });
    this.name = new.target.name;
    this.code = code;
    this.field = where.field;
    this.rule = where.rule;
  }
}

/** Every way in which bytes or documents can be wrong. Names of azure-sphere.md are kept where it has one. */
export type FormatErrorCode =
  // text and numbers
  | 'BadHex'
  | 'BadBase64'
  | 'BadText'
  | 'BadGuid'
  // CBOR (RFC 8949) and the documents written in it
  | 'CborTooLarge'
  | 'CborTooDeep'
  | 'CborTruncated'
  | 'CborTrailingBytes'
  | 'CborNotDeterministic'
  | 'CborDuplicateKey'
  | 'CborUnsupported'
  | 'WrongType'
  | 'MissingField'
  | 'UnknownField'
  | 'ValueOutOfRange'
  | 'WrongLength'
  | 'TooLong'
  | 'TooMany'
  | 'DuplicateEntry'
  | 'NotSorted'
  // COSE (RFC 9052) and PSA tokens (RFC 9783)
  | 'NotSign1'
  | 'MissingAlgorithm'
  | 'UnknownAlgorithm'
  | 'UnsupportedHeader'
  | 'MissingPayload'
  | 'WrongSignatureLength'
  | 'UnknownProfile'
  | 'InvalidInstanceId'
  // DER (X.690)
  | 'DerTooLarge'
  | 'DerTooDeep'
  | 'DerTruncated'
  | 'DerTrailingBytes'
  | 'DerIndefiniteLength'
  | 'DerNonMinimalLength'
  | 'DerHighTag'
  | 'DerUnexpectedTag'
  | 'DerBadBoolean'
  | 'DerBadInteger'
  | 'DerBadNull'
  | 'DerBadOid'
  | 'DerBadBitString'
  | 'DerBadString'
  | 'DerBadTime'
  | 'DerNotSorted'
  | 'BadSignatureValue'
  // image package (azure-sphere.md §2.4)
  | 'ImageTooShort'
  | 'ImageTooLarge'
  | 'InvalidMetadata'
  | 'SectionOverflowsMetadata'
  | 'EmptySection'
  | 'SectionTooLarge'
  | 'SectionTooSmall'
  | 'SectionNotFound'
  | 'DuplicateSection'
  | 'UnknownSection'
  | 'SectionsOutOfOrder'
  | 'UnknownImageType'
  | 'UnknownSignatureType'
  | 'UnknownChipSku'
  | 'InvalidName'
  | 'InvalidThumbprint'
  // file system of an image
  | 'FileSystemTooShort'
  | 'FileSystemTooLarge'
  | 'InvalidSuperblock'
  | 'FileSystemSizeMismatch'
  | 'ChecksumMismatch'
  | 'InvalidPath'
  | 'InvalidFileName'
  | 'UnsupportedNodeType'
  | 'InvalidMode'
  | 'InvalidOwner'
  | 'EntryOutOfBounds'
  | 'OverlappingEntries'
  | 'MisalignedFile'
  | 'DirectoryNotSorted'
  | 'DuplicateFileName'
  | 'DirectoryTooDeep'
  | 'TooManyFiles'
  | 'FileCountMismatch'
  | 'NotCanonical'
  // programs of real-time cores (elf.ts)
  | 'ElfTooShort'
  | 'NotAnElf'
  | 'ElfWrongClass'
  | 'ElfWrongMachine'
  | 'ElfWrongAbi'
  | 'ElfNotExecutable'
  | 'ElfTooManySegments'
  | 'ElfTruncated'
  | 'ElfUnsupportedSegment'
  | 'ElfSegmentTooLong'
  | 'ElfMovedSegment'
  | 'ElfSegmentOutOfMemory'
  | 'ElfMisalignedXip'
  | 'ElfWithoutSegments'
  | 'ElfOverlappingSegments'
  | 'ElfWithoutVectors'
  | 'ElfBadStack'
  | 'ElfBadReset'
  // JSON documents
  | 'JsonTooLarge'
  | 'JsonTooDeep'
  | 'InvalidJson'
  | 'DuplicateJsonKey'
  // application manifest (azure-sphere.md §3.6, §4.1: names and meanings are the documented ones)
  | 'NoAppManifest'
  | 'MissingSchemaVersion'
  | 'IncompatibleSchemaVersion'
  | 'MissingEntryPoint'
  | 'BadEntryPoint'
  | 'SpecifiedEntryPointDoesNotExist'
  | 'SpecifiedEntryPointIsNotAFile'
  | 'CmdArgParseError'
  | 'BadAppType'
  | 'NonStringAppType'
  | 'MallocVersionParseError'
  | 'MissingCapabilitiesList'
  | 'CustomerManifestHasPolicy'
  | 'CustomerRequestedIllegalCapability'
  | 'ConnectionsParseError'
  | 'AllowedTcpPortsParseError'
  | 'IllegalTcpPortsValue'
  | 'AllowedUdpPortsParseError'
  | 'IllegalUdpPortsValue'
  | 'DuplicateTcpUdpPortDetected'
  | 'AllowedApplicationConnectionsParseError'
  | 'DeviceAuthTenantIdParseError'
  | 'DeviceAuthTenantIdTooLong'
  | 'GpioParseError'
  | 'UndefinedGpioInManifest'
  | 'PeripheralParseError'
  | 'UartNotAvailable'
  | 'UndefinedPeripheralInManifest'
  | 'RequestedPeripheralsRequireSamePin'
  | 'NonObjectMutableStorageType'
  | 'MutableStorageMissingRequiredField'
  | 'ErrorParsingMutableStorageField'
  | 'MutableStorageRequestTooLarge'
  | 'WifiParseError'
  | 'EnterpriseWifiConfigParseError'
  | 'CertStoreParseError'
  | 'NetworkConfigParseError'
  | 'ReadNetworkProxyConfigParseError'
  | 'HardwareAddressConfigParseError'
  | 'DhcpServiceParseError'
  | 'SntpServiceParseError'
  | 'SystemTimeParseError'
  | 'TimeSyncConfigParseError'
  | 'SystemEventNotificationsParseError'
  | 'SoftwareUpdateDeferralParseError'
  | 'ResetMemoryWatermarksParseError'
  | 'HeapMemStatsParseError'
  | 'MemorySnapshotParseError'
  | 'PowerControlsMalformed'
  | 'PowerControlsEmpty'
  | 'PowerControlsInvalidEntry'
  // … and ours, where the original has no name
  | 'UnknownManifestField'
  | 'BadName'
  | 'BadComponentId'
  | 'TargetApplicationRuntimeVersionParseError'
  | 'TargetBetaApisParseError'
  | 'UnresolvedHardwareName'
  // hardware definition (azure-sphere.md §4.3)
  | 'HardwareDefinitionInvalid'
  | 'HardwareImportNotFound'
  | 'HardwareImportCycle'
  | 'TooManyHardwareImports'
  | 'DuplicatePeripheralName'
  | 'UnknownPeripheralMapping'
  | 'PeripheralTypeMismatch'
  // boot records and slots (abi/boot-record.ts, abi/slot.ts)
  | 'InvalidBootRecord'
  | 'InvalidSlotHeader';

/** Refusal of bytes or of a document: the one error that parsers of this package throw. */
export class FormatError extends SevenfoldError<FormatErrorCode> {}

/** A problem as it crosses ports, HTTP and the command line. */
export interface Problem {
  readonly code: string;
  readonly message: string;
  readonly field?: string;
  readonly rule?: string;
}

function textOf(error: object, name: string): string | undefined {
  const value: unknown = Reflect.get(error, name);
  return typeof value === 'string' ? value : undefined;
}

/**
 * An error as a problem. What did not come from a `SevenfoldError` is `Internal`: its message is not repeated,
 * since it may say things that are nobody's business. Judged by shape and not by class, because errors also
 * arrive from other realms and threads.
 */
export function toProblem(error: unknown): Problem {
  if (typeof error === 'object' && error !== null) {
    const code = textOf(error, 'code');
    const message = textOf(error, 'message');
    // Errors of the host carry codes in capitals (ENOENT, ERR_…): they are not part of our vocabulary.
    if (code !== undefined && message !== undefined && /^[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*$/.test(code)) {
      const field = textOf(error, 'field');
      const rule = textOf(error, 'rule');
      return {
        code,
        message,
        ...(field === undefined ? {} : { field }),
        ...(rule === undefined ? {} : { rule }),
      };
    }
  }
  return { code: 'Internal', message: 'An unexpected internal error occurred.' };
}
