export { readChipFacts, type ChipFacts } from './chip-facts.ts';
export { CHIP_FILES, readChipInfo, requireChipInfo, type ChipInfo } from './chip-folder.ts';
export { DeviceError, type DeviceErrorCode } from './errors.ts';
export { manufacture, manufactureInMemory, type ManufactureOptions } from './manufacture.ts';
export {
  buildOsRelease,
  type OsRelease,
  type OsReleaseOptions,
  type ReleaseImage,
  type ReleaseSigner,
} from './os-release.ts';
export {
  createVirtualClock,
  runOnVirtualTime,
  type VirtualClock,
  type VirtualClockOptions,
} from './virtual-clock.ts';
export {
  openDevice,
  runDevice,
  type DeviceRunOptions,
  type OpenDeviceOptions,
  type VirtualDevice,
} from './device.ts';
export { readDeviceStatus, type DeviceApp, type DeviceImage, type DeviceStatus } from './device-status.ts';
export { readBoard, virtualBoard } from './boards.ts';
export { bundleStageWorker } from './stage-bundle.ts';
