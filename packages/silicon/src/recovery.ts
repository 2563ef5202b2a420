import {
  FLASH_MAP,
  IMAGE_TYPES,
  SYSTEM_IMAGE_TYPES,
  parseImagePackage,
  type AbiVersion,
  type SystemImageTypeName,
} from '@sevenfold/formats';
import type { Chip } from './chip.ts';
import { SiliconError } from './errors.ts';
import { eraseUsed, requireRoom, writeFirstRecord, writeSlot, type ProvisionImage } from './provision.ts';
import { verifyRomImage, verifyRomKeystore } from './rom-verify.ts';

/**
 * The mask ROM's recovery: rewrites all of flash from a set of signed images, whatever flash holds. Nothing authorises
 * it but the signatures: the set is held to what every boot is held to, fused counters included. Not a byte of flash
 * changes before the whole set is verified.
 *
 * The keystore goes first and comes last: from the moment at which none is left nothing boots, and the device waits for
 * a set again, until the new one is whole. So a cut leaves what was there, a device that waits, or the new system; never
 * a mixture of both. Apps, records, mutable storage and boot records are gone afterwards.
 *
 * Throws what an image is refused for (`FormatError`, `ImageRefused`), `RecoverySetIncomplete`, `PowerCut`.
 */
export async function runRecovery(
  chip: Chip,
  untrustedSet: readonly Uint8Array[],
  log: (line: string) => void,
): Promise<void> {
  if (!chip.fuses.isLocked('rootKeyHash') || !chip.fuses.isLocked('identitySeed')) {
    throw new SiliconError('NotManufactured', 'This chip trusts nobody yet: nothing can recover it.');
  }
  chip.servicePort.require('recover');
  const images = await verifySet(chip, untrustedSet);
  log(`recovery: ${images.map(({ name }) => name).join(', ')} verified`);
  const { flash } = chip;
  const [keystore, ...others] = images;
  if (keystore === undefined) return;

  // 1. Nothing boots from here on.
  const slots = FLASH_MAP.system.TrustedKeystore;
  for (const slot of [slots.A, slots.B]) eraseUsed(flash, slot);
  // 2. Everything but the keystore.
  eraseUsed(flash, FLASH_MAP.bootRecord);
  for (const image of others)
    for (const slot of ['A', 'B'] as const) writeSlot(flash, image.type, slot, image.package);
  const rest = FLASH_MAP.applications.offset;
  eraseUsed(flash, { offset: rest, length: flash.size - rest });
  writeFirstRecord(flash);
  // 3. With this, the new system is there.
  for (const slot of ['A', 'B'] as const) writeSlot(flash, keystore.type, slot, keystore.package);
  log('recovery: flash is rewritten');
}

/** One image of each system type, in boot order, each verified over those before it. */
async function verifySet(
  chip: Chip,
  untrustedSet: readonly Uint8Array[],
): Promise<readonly (ProvisionImage & { readonly name: string })[]> {
  const byType = new Map<number, Uint8Array>();
  for (const untrusted of untrustedSet) byType.set(parseImagePackage(untrusted).fields.imageType, untrusted);
  const of = (type: SystemImageTypeName): Uint8Array => {
    const untrusted = byType.get(IMAGE_TYPES[type]);
    if (untrusted !== undefined && byType.size === untrustedSet.length) return untrusted;
    throw new SiliconError('RecoverySetIncomplete', `The recovery set has no ${type}, or an image twice.`, {
      field: type,
      rule: `one image of each: ${SYSTEM_IMAGE_TYPES.join(', ')}`,
    });
  };
  const images: (ProvisionImage & { readonly name: string })[] = [];
  const keystore = await verifyRomKeystore(chip, of('TrustedKeystore'));
  const provided: AbiVersion[] = [];
  for (const type of SYSTEM_IMAGE_TYPES) {
    const bytes = of(type);
    const image =
      type === 'TrustedKeystore'
        ? keystore
        : await verifyRomImage(chip, type, { trusted: keystore.keystore, provided }, bytes);
    provided.push(...(image.package.fields.abiProvides ?? []));
    requireRoom(type, bytes);
    images.push({ type, package: bytes, name: image.name });
  }
  return images;
}
