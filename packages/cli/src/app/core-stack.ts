import { functionHolding, lookupPlaces, unwindCore, type SymbolMap } from '@sevenfold/formats';
import type { CoreFailure } from '@sevenfold/silicon';

/** Where a real-time app has failed, a line a frame, innermost first. */
export function describeCoreStack(failure: CoreFailure, symbols: SymbolMap): readonly string[] {
  const { registers, xpsr, msp, psp, control, stack } = failure;
  const dump = { registers: [...registers, xpsr, msp, psp, control], faults: [], stack };
  const places = unwindCore(dump, symbols.unwind ?? []).flatMap((address): readonly string[] => {
    const known = lookupPlaces(symbols, address).map(
      ({ function: name, file, line }) => `${name} (${file}:${line})`,
    );
    const name = functionHolding(symbols, address)?.name ?? `0x${address.toString(16).padStart(8, '0')}`;
    return known.length > 0 ? known : [name];
  });
  return places.map((place, index) => `  #${index} ${place}`);
}
