import { ModuleCursor } from '../toolchain/wasm-sections.ts';

/** A WebAssembly frame as location expressions see it. */
export interface FrameReader {
  /** A local of the frame by its index; null: the engine does not say. */
  local(index: number): Promise<bigint | number | null>;
  global(index: number): Promise<bigint | number | null>;
}

/** Where a variable is: an address in linear memory, or a value that is nowhere. */
export type Place =
  | { readonly kind: 'memory'; readonly address: number }
  | { readonly kind: 'value'; readonly value: number | bigint };

/** Operations that compilers for WebAssembly write (DWARF 4 §7.7.1; WebAssembly's own are 0xed and 0xee). */
const OP = {
  addr: 0x03,
  constu: 0x10,
  consts: 0x11,
  plus: 0x22,
  plusUconst: 0x23,
  lit0: 0x30,
  lit31: 0x4f,
  fbreg: 0x91,
  stackValue: 0x9f,
  wasmLocation: 0xed,
} as const;
const WASM = { local: 0, global: 1, operand: 2, global32: 3 } as const;

/**
 * Evaluates a location expression (DWARF 4 §2.5–2.6). `frameBase` is the expression of the function's frame. Null: the
 * variable is not there, or is in pieces, or the engine does not say.
 */
export async function evaluateLocation(
  expression: Uint8Array,
  frame: FrameReader,
  frameBase: Uint8Array | null,
): Promise<Place | null> {
  const view = new DataView(expression.buffer, expression.byteOffset, expression.byteLength);
  const cursor = new ModuleCursor(expression, 0);
  const stack: (number | bigint)[] = [];
  let isValue = false;
  while (cursor.at < expression.length) {
    const operation = cursor.byte();
    if (operation === OP.wasmLocation) {
      const kind = cursor.byte();
      const index = kind === WASM.global32 ? view.getUint32(cursor.at, true) : cursor.unsigned();
      if (kind === WASM.global32) cursor.at += 4;
      const value =
        kind === WASM.local
          ? await frame.local(index)
          : kind === WASM.operand
            ? null
            : await frame.global(index);
      if (value === null) return null;
      stack.push(value);
      // A location in a local is the value itself, unless the expression goes on to say otherwise.
      isValue = true;
    } else if (operation === OP.fbreg) {
      const offset = cursor.signed();
      if (frameBase === null) return null;
      const base = await evaluateLocation(frameBase, frame, null);
      if (base === null) return null;
      stack.push(Number(base.kind === 'memory' ? base.address : base.value) + offset);
      isValue = false;
    } else if (operation === OP.addr) {
      stack.push(view.getUint32(cursor.at, true));
      cursor.at += 4;
      isValue = false;
    } else if (operation === OP.constu) stack.push(cursor.unsigned());
    else if (operation === OP.consts) stack.push(cursor.signed());
    else if (operation >= OP.lit0 && operation <= OP.lit31) stack.push(operation - OP.lit0);
    else if (operation === OP.plusUconst) {
      stack.push(Number(stack.pop() ?? 0) + cursor.unsigned());
      isValue = false;
    } else if (operation === OP.plus) {
      stack.push(Number(stack.pop() ?? 0) + Number(stack.pop() ?? 0));
      isValue = false;
    } else if (operation === OP.stackValue) isValue = true;
    else return null;
  }
  const top = stack.pop();
  if (top === undefined) return null;
  return isValue ? { kind: 'value', value: top } : { kind: 'memory', address: Number(top) >>> 0 };
}

const END = 0;
const BASE = 0xffff_ffff;

/** The expression that holds at `address` in a list of `.debug_loc` (DWARF 4 §2.6.2); null: none does. */
export function locationAt(
  section: Uint8Array,
  offset: number,
  base: number,
  address: number,
): Uint8Array | null {
  const view = new DataView(section.buffer, section.byteOffset, section.byteLength);
  let from = base;
  for (let at = offset; at + 8 <= section.length;) {
    const [begin, end] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
    at += 8;
    if (begin === END && end === END) return null;
    if (begin === BASE) {
      from = end;
      continue;
    }
    const length = view.getUint16(at, true);
    at += 2;
    if (address >= from + begin && address < from + end) return section.subarray(at, at + length);
    at += length;
  }
  return null;
}

/** Runs of addresses in a list of `.debug_ranges` (DWARF 4 §2.17.3). */
export function rangesAt(
  section: Uint8Array,
  offset: number,
  base: number,
): readonly { readonly low: number; readonly high: number }[] {
  const view = new DataView(section.buffer, section.byteOffset, section.byteLength);
  const ranges: { low: number; high: number }[] = [];
  let from = base;
  for (let at = offset; at + 8 <= section.length; at += 8) {
    const [begin, end] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
    if (begin === END && end === END) break;
    if (begin === BASE) from = end;
    else ranges.push({ low: from + begin, high: from + end });
  }
  return ranges;
}
