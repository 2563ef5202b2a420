import {
  IMAGE_TYPES,
  SYSTEM_IMAGE_TYPES,
  decodeCbor,
  encodeCbor,
  equalBytes,
  readArray,
  readBytes,
  readUint,
  successionStatement,
  type CborValue,
  type KeySuccession,
  type SealPolicy,
} from '@sevenfold/formats';
import { PlutonError } from './errors.ts';
import type { PlutonHardwarePort } from './hardware.ts';

/** What a box is for: one that holds a session key's salt is never opened for data, and the other way round. */
type SealPurpose = 'data' | 'session-key';

/** One image that must be running for a box to open. */
interface Demand {
  readonly imageType: number;
  /** SHA-256 of the SPKI of the key that must have signed it. */
  readonly signerId: Uint8Array;
  readonly leastSecurityVersion: number;
}

/** When a box opens (the CDDL is in docs/pluton.md). */
type Policy =
  | { readonly kind: 'measured'; readonly state: Uint8Array }
  | { readonly kind: 'authorised'; readonly demands: readonly Demand[] };

const LIMITS = { maxBytes: 64 * 1024, maxDepth: 5 };
const MEASURED = 0;
const AUTHORISED = 1;
const MOST_DEMANDS = 16;

/**
 * SHA-256 over everything that an attestation token says of this device beside nonce and boot seed: two boots with
 * the same state would be judged alike, and any other boot has another one.
 */
export async function attestedState(hardware: PlutonHardwarePort): Promise<Uint8Array> {
  const { chipSku, manufacturingState } = await hardware.fuses();
  const measured = (await hardware.measurements()).map(
    ({ imageType, name, digest, signerId, securityVersion }): CborValue => [
      imageType,
      name,
      digest,
      signerId,
      securityVersion,
    ],
  );
  return hardware.sha256(encodeCbor(['sevenfold attested state v1', chipSku, manufacturingState, measured]));
}

/** Seals to what runs now. Throws `EntropyFailure`. */
export async function seal(
  hardware: PlutonHardwarePort,
  purpose: SealPurpose,
  owner: string,
  kind: SealPolicy,
  plaintext: Uint8Array,
): Promise<Uint8Array> {
  const policy = encodePolicy(await presentPolicy(hardware, kind));
  return encodeCbor([policy, await hardware.seal(contextOf(purpose, owner, policy), plaintext)]);
}

/**
 * Opens a box. Steps in order: well-formed; its policy holds now, under the keystore's `successions`; made by this chip
 * for this purpose, owner and policy, and unchanged. Throws `NotABox`, `PolicyNotMet`, `NotAuthentic`.
 */
export async function unseal(
  hardware: PlutonHardwarePort,
  purpose: SealPurpose,
  owner: string,
  untrusted: Uint8Array,
  successions: readonly KeySuccession[],
): Promise<Uint8Array> {
  const { policy, box } = parseBox(untrusted);
  await holds(hardware, policy, successions);
  return hardware.unseal(contextOf(purpose, owner, encodePolicy(policy)), box);
}

function parseBox(untrusted: Uint8Array): { readonly policy: Policy; readonly box: Uint8Array } {
  try {
    const [policy = null, box = null] = readArray(decodeCbor(untrusted, LIMITS), 'box', 2);
    return { policy: parsePolicy(policy), box: readBytes(box, 'box.1', { max: LIMITS.maxBytes }) };
  } catch (error) {
    throw new PlutonError('NotABox', 'These bytes are no sealed box.', { cause: error });
  }
}

/** Everything that tells one box from another goes into its key, and is authenticated with it. */
function contextOf(purpose: SealPurpose, owner: string, policy: CborValue): Uint8Array {
  return encodeCbor(['sevenfold sealed v1', purpose, owner, policy]);
}

async function presentPolicy(hardware: PlutonHardwarePort, kind: SealPolicy): Promise<Policy> {
  if (kind === 'measured') return { kind, state: await attestedState(hardware) };
  const demands = (await hardware.measurements()).map(({ imageType, signerId, securityVersion }) => ({
    imageType,
    signerId,
    leastSecurityVersion: securityVersion,
  }));
  return { kind, demands };
}

/** What is no image of the system, but measured, is a capability: it unlocks, and nothing may ask for it. */
const isSystem = ({ imageType }: { readonly imageType: number }): boolean =>
  SYSTEM_IMAGE_TYPES.some((type) => IMAGE_TYPES[type] === imageType);

/** By SHA-256 of their SPKI: a signer, those who handed over to it, and those who had handed over to them. */
async function authoritiesOf(
  hardware: PlutonHardwarePort,
  signerId: Uint8Array,
  successions: readonly KeySuccession[],
): Promise<readonly Uint8Array[]> {
  const authorities = [signerId];
  // Grows while it is gone through.
  for (const successor of authorities) {
    for (const { from, to, signature } of successions) {
      if (!equalBytes(to, successor)) continue;
      const id = await hardware.sha256(from);
      if (authorities.some((known) => equalBytes(known, id))) continue;
      if (await hardware.verify(from, successionStatement(to), signature)) authorities.push(id);
    }
  }
  return authorities;
}

async function holds(
  hardware: PlutonHardwarePort,
  policy: Policy,
  successions: readonly KeySuccession[],
): Promise<void> {
  if (policy.kind === 'measured') {
    if (equalBytes(policy.state, await attestedState(hardware))) return;
    throw new PlutonError('PolicyNotMet', 'This was sealed by other software than runs now.', {
      rule: 'the same measurements',
    });
  }
  const running = await hardware.measurements();
  const unlocked = running.find(
    (entry) => !isSystem(entry) && !policy.demands.some((demand) => demand.imageType === entry.imageType),
  );
  if (unlocked !== undefined) {
    throw new PlutonError('PolicyNotMet', `This was sealed without what is in force now: ${unlocked.name}.`, {
      field: `imageType ${unlocked.imageType}`,
    });
  }
  for (const { imageType, signerId, leastSecurityVersion } of policy.demands.filter(isSystem)) {
    const images = running.filter((entry) => entry.imageType === imageType);
    const authorities = await Promise.all(
      images.map((image) => authoritiesOf(hardware, image.signerId, successions)),
    );
    if (images.length === 0 || !authorities.every((ids) => ids.some((id) => equalBytes(id, signerId)))) {
      throw new PlutonError('PolicyNotMet', `No image of type ${imageType} by the signer of this box runs.`, {
        field: `imageType ${imageType}`,
        rule: 'signed by the same key, or by one that it handed over to',
      });
    }
    if (images.some(({ securityVersion }) => securityVersion < leastSecurityVersion)) {
      throw new PlutonError('PolicyNotMet', `The image of type ${imageType} is older than this box allows.`, {
        field: `imageType ${imageType}`,
        rule: `security version ${leastSecurityVersion} or higher`,
      });
    }
  }
}

function encodePolicy(policy: Policy): CborValue {
  if (policy.kind === 'measured') return [MEASURED, policy.state];
  return [
    AUTHORISED,
    policy.demands.map(({ imageType, signerId, leastSecurityVersion }): CborValue => [
      imageType,
      signerId,
      leastSecurityVersion,
    ]),
  ];
}

function parsePolicy(untrusted: CborValue): Policy {
  const [kind = null, content = null] = readArray(untrusted, 'box.0', 2);
  if (readUint(kind, 'box.0.0', { max: AUTHORISED }) === MEASURED)
    return { kind: 'measured', state: readBytes(content, 'box.0.1', { length: 32 }) };
  return { kind: 'authorised', demands: readArray(content, 'box.0.1', MOST_DEMANDS).map(parseDemand) };
}

function parseDemand(untrusted: CborValue): Demand {
  const [imageType = null, signerId = null, version = null] = readArray(untrusted, 'demand', 3);
  return {
    imageType: readUint(imageType, 'demand.imageType', { max: 0xffff }),
    signerId: readBytes(signerId, 'demand.signerId', { length: 32 }),
    leastSecurityVersion: readUint(version, 'demand.leastSecurityVersion', { max: 0xffff_ffff }),
  };
}
