export * from './chip-sku.ts';
export * from './chip.ts';
export { ChipCore, prepareCoresHere } from './cores/chip-core.ts';
export { realTimeCoreCalls } from './cores/core-calls.ts';
export { TICKS_PER_SECOND } from './cores/core-clock.ts';
export type { CoreFailure, CoreSnapshot } from './cores/core-failure.ts';
export { threadedCores } from './cores/core-thread.ts';
export { insecureSeededEntropy, sha256, systemEntropy } from './engines.ts';
export { PROPORTION_CUTOFF, REPETITION_CUTOFF } from './entropy-source.ts';
export * from './errors.ts';
export * from './file-storage.ts';
export * from './firewall.ts';
export type { Flash, FlashStorage, FlashWear } from './flash.ts';
export {
  FUSE_FIELDS,
  MANUFACTURING_STATES,
  type Fuses,
  type FuseStorage,
  type ManufacturingState,
} from './fuses.ts';
export * from './models/codec.ts';
export * from './models/eeprom.ts';
export * from './models/led.ts';
export * from './models/parts.ts';
export * from './models/sensors.ts';
export type { Pins, PinListener } from './peripherals/gpio.ts';
export type { I2sDevice, I2sFrame } from './peripherals/i2s.ts';
export type { I2cDevice } from './peripherals/i2c-wires.ts';
export type { PwmWave } from './peripherals/pwm.ts';
export type { RtcStorage } from './peripherals/rtc.ts';
export type { SpiDevice } from './peripherals/spi.ts';
export type { UartDevice } from './peripherals/uart.ts';
export * from './hardware-ports.ts';
export * from './memory-storage.ts';
export type { Measurement, PlutonHardware } from './pluton.ts';
export { plutonHardware } from './pluton-port.ts';
export type { StartStage } from './port-helpers.ts';
export type { Fault, PowerSupply } from './power.ts';
export { provisionFlash, writeSlot, type ProvisionImage } from './provision.ts';
export { runRecovery } from './recovery.ts';
export * from './rom.ts';
export { CHIP_ENGINES } from './rom-verify.ts';
export * from './service-port.ts';
