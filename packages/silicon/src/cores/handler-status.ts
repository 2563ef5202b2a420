import { EXCEPTION, EXTERNAL_LINES, type Nvic } from './nvic.ts';

/** Bits of SHCSR, and their exceptions. */
const ACTIVE_BITS = [
  [0, 4],
  [1, 5],
  [3, 6],
  [7, 11],
  [8, 12],
  [10, 14],
  [11, 15],
] as const;
const PENDING_BITS = [
  [12, 6],
  [13, 4],
  [14, 5],
  [15, 11],
] as const;
const ENABLE_BITS = [
  [16, 4],
  [17, 5],
  [18, 6],
] as const;

/** ICSR: what runs and what waits. */
export function readIcsr(nvic: Nvic, ipsr: number): number {
  const pending = nvic.highestPending();
  let isExternalPending = 0;
  for (let line = 0; line < EXTERNAL_LINES; line++) {
    if (nvic.isPending(EXCEPTION.External + line)) isExternalPending = 1 << 22;
  }
  return (
    ipsr |
    (nvic.activeCount <= 1 ? 1 << 11 : 0) |
    (pending << 12) |
    isExternalPending |
    (nvic.isPending(EXCEPTION.SysTick) ? 1 << 26 : 0) |
    (nvic.isPending(EXCEPTION.PendSV) ? 1 << 28 : 0) |
    (nvic.isPending(EXCEPTION.NMI) ? 1 << 31 : 0)
  );
}

/** Makes NMI, PendSV or SysTick wait, or no more. */
export function writeIcsr(nvic: Nvic, value: number): void {
  if (value & (1 << 31)) nvic.setPending(EXCEPTION.NMI, true);
  if (value & (1 << 28)) nvic.setPending(EXCEPTION.PendSV, true);
  else if (value & (1 << 27)) nvic.setPending(EXCEPTION.PendSV, false);
  if (value & (1 << 26)) nvic.setPending(EXCEPTION.SysTick, true);
  else if (value & (1 << 25)) nvic.setPending(EXCEPTION.SysTick, false);
}

/** SHCSR: which system handlers are active, wait and are enabled. */
export function readShcsr(nvic: Nvic): number {
  let word = 0;
  for (const [bit, number] of ACTIVE_BITS) if (nvic.isActive(number)) word |= 1 << bit;
  for (const [bit, number] of PENDING_BITS) if (nvic.isPending(number)) word |= 1 << bit;
  for (const [bit, number] of ENABLE_BITS) if (nvic.isEnabled(number)) word |= 1 << bit;
  return word;
}

/** Changes all of that at once. */
export function writeShcsr(nvic: Nvic, value: number): void {
  for (const [bit, number] of ACTIVE_BITS) nvic.setActive(number, (value & (1 << bit)) !== 0);
  for (const [bit, number] of PENDING_BITS) nvic.setPending(number, (value & (1 << bit)) !== 0);
  for (const [bit, number] of ENABLE_BITS) nvic.setEnabled(number, (value & (1 << bit)) !== 0);
}
