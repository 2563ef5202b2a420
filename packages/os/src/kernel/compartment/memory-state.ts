import { MOST_APP_STACK, type PortValue } from '@sevenfold/formats';

/** What a global of the linker holds, if the module exports it as one; apps of old SDKs do not. */
function addressOf(exported: unknown): number | null {
  if (typeof exported !== 'object' || exported === null || !('value' in exported)) return null;
  const { value } = exported;
  return typeof value === 'number' ? value >>> 0 : null;
}

/** What the kernel is told of an app's memory when it trapped; it keeps the stack only of apps that ask for that. */
export function memoryState(
  exports: Readonly<Record<string, unknown>>,
  buffer: ArrayBufferLike,
): { readonly [key: string]: PortValue } {
  const size = buffer.byteLength;
  const stackPointer = addressOf(exports['__stack_pointer']);
  const from = Math.min(stackPointer ?? size, size);
  return {
    stackPointer,
    heapStart: addressOf(exports['__heap_base']),
    size,
    stack: new Uint8Array(buffer, from, Math.min(MOST_APP_STACK, size - from)).slice(),
  };
}
