import {
  PLUTON_CALLS,
  booleanArgument,
  bytesArgument,
  serveCalls,
  textArgument,
  toHex,
  uintArgument,
  type BootReport,
  type PortHandler,
  type PortValue,
} from '@sevenfold/formats';
import { attestationToken } from './attestation.ts';
import { PlutonError } from './errors.ts';
import type { PlutonHardwarePort } from './hardware.ts';
import type { ImageVerifier } from './images.ts';

/** What the mailbox answers from. */
export interface PlutonState {
  readonly hardware: PlutonHardwarePort;
  readonly verifier: ImageVerifier;
  /** How ROM and Pluton came here. */
  readonly boot: { readonly config: PortValue; readonly trial: PortValue; readonly resetReason: PortValue };
  readonly report: BootReport;
}

const PACKAGE = { max: 2 * 1024 * 1024 } as const;
const MESSAGE = { max: 64 * 1024 } as const;
const SLOT = { max: 255 } as const;

/** Pluton's mailbox: `PLUTON_CALLS`, for the Security Monitor alone. */
export function servePluton({ hardware, verifier, boot, report }: PlutonState): PortHandler {
  return serveCalls(PLUTON_CALLS, (caller) => caller === 'monitor', {
    async identity() {
      const spki = await hardware.identityKey();
      const { chipSku, manufacturingState } = await hardware.fuses();
      return { deviceId: toHex(await hardware.sha256(spki)), spki, chipSku, manufacturingState };
    },
    async verifyImage([untrusted, type, measure]) {
      const imageType = uintArgument(type, 'imageType', { max: 0xffff });
      const isMeasured = booleanArgument(measure, 'measure');
      const image = await verifier.verify(bytesArgument(untrusted, 'package', PACKAGE), imageType);
      if (isMeasured) await verifier.measure(image);
      const { imageId, componentId, name, digest, signerId, securityVersion } = image;
      return { imageId, componentId, name, digest, signerId, securityVersion };
    },
    attest: ([challenge]) =>
      attestationToken(hardware, bytesArgument(challenge, 'challenge', { length: 32 })),
    verifySigned: ([use, message, signature, keyId]) =>
      verifier.isSigned(
        textArgument(use, 'use', 64),
        bytesArgument(message, 'message', MESSAGE),
        bytesArgument(signature, 'signature', { length: 64 }),
        bytesArgument(keyId, 'keyId', { length: 20 }),
      ),
    async createSessionKey() {
      const { slot, spki } = await hardware.makeKey();
      return { keyId: slot, spki };
    },
    signWithSessionKey: ([keyId, message]) =>
      hardware.signKey(uintArgument(keyId, 'keyId', SLOT), bytesArgument(message, 'message', MESSAGE)),
    exportSessionKey: ([keyId]) => hardware.exportKey(uintArgument(keyId, 'keyId', SLOT)),
    sha256: ([message]) => hardware.sha256(bytesArgument(message, 'message', PACKAGE)),
    random: ([length]) => hardware.random(uintArgument(length, 'length', { max: 256 })),
    async raiseSecurityVersion([type, wanted]) {
      const imageType = uintArgument(type, 'imageType', { max: 0xffff });
      const version = uintArgument(wanted, 'version');
      const running = (await hardware.measurements()).filter((entry) => entry.imageType === imageType);
      // A counter that runs ahead of what runs would lock the device out.
      if (!running.some((entry) => entry.securityVersion >= version)) {
        throw new PlutonError(
          'VersionNotRunning',
          `No measured image of type ${imageType} has security version ${version}.`,
        );
      }
      await hardware.programSecurityVersion(imageType, version);
      return null;
    },
    measurements: () => hardware.measurements(),
    bootReport: () => ({ ...boot, stages: report.stages, failures: report.failures }),
  });
}
