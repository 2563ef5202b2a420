import {
  PLUTON_COMMANDS,
  concatBytes,
  serveCalls,
  toHex,
  type BootPhase,
  type BootReport,
  type CallImplementations,
  type CommandRow,
  type CommandTable,
  type PortHandler,
  type PortValue,
} from '@sevenfold/formats';
import { attestationToken } from './attestation.ts';
import type { Counters } from './counters.ts';
import { PlutonError } from './errors.ts';
import type { PlutonHardwarePort } from './hardware.ts';
import type { ImageVerifier } from './images.ts';
import { attestedState, seal, unseal } from './sealing.ts';

/** What the mailbox answers from. */
export interface PlutonState {
  readonly hardware: PlutonHardwarePort;
  readonly verifier: ImageVerifier;
  readonly counters: Counters;
  /** How ROM and Pluton came here. */
  readonly boot: { readonly config: PortValue; readonly trial: PortValue; readonly resetReason: PortValue };
  readonly report: BootReport;
}

/** Owner of the tickets of session keys: Pluton itself. */
const TICKETS = 'pluton';

/** Pluton's mailbox: `PLUTON_COMMANDS`, for the Security Monitor alone. */
export function servePluton({ hardware, verifier, counters, boot, report }: PlutonState): PortHandler {
  const state = {
    phase: () => verifier.phase,
    lifecycle: async () => (await hardware.fuses()).manufacturingState,
  };
  return serveCommands(PLUTON_COMMANDS, state, {
    async identity() {
      const spki = await hardware.identityKey();
      const { chipSku, manufacturingState } = await hardware.fuses();
      return { deviceId: toHex(await hardware.sha256(spki)), spki, chipSku, manufacturingState };
    },
    async verifyImage([untrusted, imageType, measure]) {
      const image = await verifier.verify(untrusted, imageType, measure);
      if (measure) await verifier.measure(image);
      const { imageId, componentId, name, digest, signerId, securityVersion } = image;
      return { imageId, componentId, name, digest, signerId, securityVersion };
    },
    attest: ([challenge]) => attestationToken(hardware, challenge),
    verifySigned: ([use, message, signature, keyId]) => verifier.isSigned(use, message, signature, keyId),
    openCapability: async ([file, inForce]) =>
      verifier.openCapability(file, toHex(await hardware.sha256(await hardware.identityKey())), inForce),
    async createSessionKey([ticket]) {
      const salt = ticket === null ? null : await unseal(hardware, 'session-key', TICKETS, ticket, []);
      // The key depends on what runs as well: even with its salt, other software gets another one.
      const key = await hardware.makeKey(await attestedState(hardware), salt);
      return {
        keyId: key.slot,
        spki: key.spki,
        ticket: ticket ?? (await seal(hardware, 'session-key', TICKETS, 'measured', key.salt)),
      };
    },
    signWithSessionKey: ([keyId, message]) => hardware.signKey(keyId, message),
    exportSessionKey: ([keyId]) => hardware.exportKey(keyId),
    generalKey: () => hardware.generalKey(),
    async attestGeneralKey([challenge]) {
      const spki = await hardware.generalKey();
      // 64 bytes: `attest` signs 32 alone, so that nothing which the layers above choose can be read as this.
      const nonce = concatBytes(challenge, await hardware.sha256(spki));
      return { spki, token: await attestationToken(hardware, nonce) };
    },
    signRecord: ([record]) => hardware.signRecord(record),
    openDelivery: ([ephemeral, context, box]) => hardware.openDelivery(ephemeral, context, box),
    seal: ([policy, owner, plaintext]) => seal(hardware, 'data', owner, policy, plaintext),
    unseal: ([owner, box]) => unseal(hardware, 'data', owner, box, verifier.successions),
    counter: ([name, increment]) => counters.counter(name, increment),
    anchorCounters: () => counters.anchor(),
    sha256: ([message]) => hardware.sha256(message),
    random: ([length, fresh]) => hardware.random(length, fresh),
    async raiseSecurityVersion([imageType, version]) {
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

/** Where the device stands. */
interface DeviceState {
  /** Null: the monitor is not measured yet. */
  phase(): BootPhase | null;
  /** Manufacturing state; asked only for commands that are not allowed in every one. */
  lifecycle(): Promise<string>;
}

const LIFECYCLES = 3;

/** Answers the commands of a table, to the monitor alone, in exactly the states that the table says. */
export function serveCommands<Table extends CommandTable>(
  table: Table,
  state: DeviceState,
  commands: CallImplementations<Table>,
): PortHandler {
  const admit = (method: keyof Table): void | Promise<void> => {
    const row: CommandRow | undefined = table[method];
    return row && isInState(String(method), row, state);
  };
  return serveCalls(table, (caller) => caller === 'monitor', commands, admit);
}

function isInState(method: string, row: CommandRow, state: DeviceState): void | Promise<void> {
  const phase = state.phase();
  if (phase === null || !row.phases.includes(phase)) {
    throw new PlutonError(
      'WrongPhase',
      `${method} is not allowed while the device is ${phase ?? 'starting'}.`,
      { rule: row.phases.join(' or ') },
    );
  }
  if (row.lifecycles.length < LIFECYCLES) return isInLifecycle(method, row.lifecycles, state);
}

async function isInLifecycle(method: string, allowed: readonly string[], state: DeviceState): Promise<void> {
  const lifecycle = await state.lifecycle();
  if (allowed.includes(lifecycle)) return;
  throw new PlutonError('WrongLifecycle', `${method} is not allowed on a chip that is ${lifecycle}.`, {
    rule: allowed.join(' or '),
  });
}
