import { RTC_IS_SET, RTC_REGISTERS, registerAddress } from '@sevenfold/formats';
import { numberOf, operation, type DriverBus } from './bus.ts';

const rtc = (name: keyof typeof RTC_REGISTERS): number => registerAddress('rtc', RTC_REGISTERS[name]);

/** What the battery's clock says, ms since 1970; null: it was never set. */
export async function readRtc(bus: DriverBus): Promise<number | null> {
  const [status, low, high] = await bus.run([
    operation.read(rtc('STATUS')),
    operation.read(rtc('LOW')),
    operation.read(rtc('HIGH')),
  ]);
  if ((numberOf(status) & RTC_IS_SET) === 0) return null;
  return numberOf(high) * 2 ** 32 + numberOf(low);
}

/** Sets it, ms since 1970. */
export async function setRtc(bus: DriverBus, time: number): Promise<void> {
  await bus.run([
    operation.write(rtc('LOW'), time % 2 ** 32),
    operation.write(rtc('HIGH'), Math.floor(time / 2 ** 32)),
  ]);
}
