import { describe, expect, it } from 'vitest';
import { MAX_SECURITY_VERSION, SYSTEM_IMAGE_TYPES } from '@sevenfold/formats';
import { openChip, type Chip } from './chip.ts';
import { CHIP_SKU_TABLE } from './chip-sku.ts';
import { insecureSeededEntropy, sha256 } from './engines.ts';
import { FUSE_FIELDS, MANUFACTURING_STATES, type ManufacturingState } from './fuses.ts';
import { memoryFlash, memoryFuses } from './memory-storage.ts';
import { runRecovery } from './recovery.ts';
import { SERVICE_PORT, type ServicePortOperation } from './service-port.ts';

const rootKeyHash = sha256(Uint8Array.of(1));
const newChip = (): Chip =>
  openChip({ flash: memoryFlash(), fuses: memoryFuses(), entropy: insecureSeededEntropy('x') });

function chipIn(state: ManufacturingState): Chip {
  const chip = newChip();
  if (state === 'Blank') return chip;
  chip.manufacture({ chipSku: 1, rootKeyHash });
  for (const next of MANUFACTURING_STATES.slice(1, MANUFACTURING_STATES.indexOf(state) + 1))
    chip.setManufacturingState(next);
  return chip;
}

/** What somebody at the service port really does. */
const ATTEMPTS: Readonly<Record<ServicePortOperation, (chip: Chip) => unknown>> = {
  readIdentity: (chip) => chip.fuses.manufacturingState,
  // The boot policy, which a made chip still takes as long as it is blank.
  manufacture: (chip) => chip.manufacture({ chipSku: 1, rootKeyHash, needsSecondSignature: true }),
  writeFlash: (chip) => chip.servicePort.require('writeFlash'),
  finishState: (chip) => chip.servicePort.require('finishState'),
  // Goes as far as its signatures.
  recover: (chip) => runRecovery(chip, [], () => undefined),
};

describe('the service port', () => {
  for (const state of MANUFACTURING_STATES) {
    for (const [operation, allowedIn] of Object.entries(SERVICE_PORT)) {
      it(`${allowedIn[state] ? 'lets' : 'does not let'} somebody ${operation} on a chip that is ${state}`, async () => {
        const chip = chipIn(state);
        const attempt = Promise.resolve().then(() => ATTEMPTS[operation as ServicePortOperation](chip));
        const code = await attempt.then(
          () => null,
          (error: { code: string }) => error.code,
        );
        if (allowedIn[state]) expect(code).not.toBe('ServicePortClosed');
        else expect(code).toBe('ServicePortClosed');
      });
    }
  }

  it('closes at the very moment at which the state is burnt, and for good', () => {
    const chip = chipIn('Module1Complete');
    chip.servicePort.require('writeFlash');
    chip.setManufacturingState('DeviceComplete');
    expect(() => chip.servicePort.require('writeFlash')).toThrow(
      expect.objectContaining({ code: 'ServicePortClosed', field: 'writeFlash' }),
    );
    chip.powerOff();
    chip.powerOn();
    expect(chip.servicePort.allows('writeFlash')).toBe(false);
  });

  it('takes no other boot policy for a finished chip, which would never boot again', () => {
    const chip = chipIn('DeviceComplete');
    chip.manufacture({ chipSku: 1, rootKeyHash });
    expect(() => chip.manufacture({ chipSku: 1, rootKeyHash, needsSecondSignature: true })).toThrow(
      expect.objectContaining({ code: 'ServicePortClosed' }),
    );
    expect(chip.fuses.needsSecondSignature).toBe(false);
  });
});

describe('rollback counters', () => {
  it('have room for a rise a month over ten years, and stay where they are at their end', () => {
    const { securityVersions } = CHIP_SKU_TABLE['SF-V1'];
    expect(securityVersions).toBe(MAX_SECURITY_VERSION);
    expect(securityVersions / 12).toBeGreaterThan(10);
    expect(FUSE_FIELDS.securityVersions.length * 8).toBe(securityVersions * SYSTEM_IMAGE_TYPES.length);
    const { fuses } = newChip();
    for (let version = 1; version <= securityVersions; version++)
      fuses.raiseSecurityVersion('Services', version);
    expect(() => fuses.raiseSecurityVersion('Services', securityVersions + 1)).toThrow(
      expect.objectContaining({ code: 'OutOfRange' }),
    );
    fuses.raiseSecurityVersion('Services', 1);
    expect(fuses.securityVersion('Services')).toBe(securityVersions);
    expect(fuses.securityVersion('NormalWorldKernel')).toBe(0);
  });
});
