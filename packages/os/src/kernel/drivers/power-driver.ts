import { LONGEST_POWER_DOWN, POWER_REGISTERS, registerAddress } from '@sevenfold/formats';
import { operation, type DriverBus } from './bus.ts';

const power = (name: keyof typeof POWER_REGISTERS): number => registerAddress('power', POWER_REGISTERS[name]);

/** From its next restart on the device sleeps for so many seconds, a day at most. */
export async function armPowerDown(bus: DriverBus, seconds: number): Promise<void> {
  await bus.run([
    operation.write(power('ALARM'), Math.min(LONGEST_POWER_DOWN, seconds)),
    operation.write(power('CTRL'), 1),
  ]);
}

/** Sets how fast the application core runs: an index of `POWER_PROFILES`. */
export async function setPowerProfile(bus: DriverBus, profile: number): Promise<void> {
  await bus.run([operation.write(power('PROFILE'), profile)]);
}
