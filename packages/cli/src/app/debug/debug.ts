import { setFlagsFromString } from 'node:v8';
import { DebugAdapter } from './adapter.ts';
import { DapWriter, readRequests } from './dap-stream.ts';

/** Speaks the Debug Adapter Protocol at standard input and output until the editor disconnects or is gone. */
export async function debugApp(process: NodeJS.Process): Promise<void> {
  // Bounds of memory are else left to the processor, and a frame that it interrupts has no locals for V8.
  setFlagsFromString('--wasm-enforce-bounds-checks');
  const writer = new DapWriter((text) => process.stdout.write(text));
  const adapter = new DebugAdapter(writer, process.env);
  try {
    for await (const request of readRequests(process.stdin)) if (!(await adapter.handle(request))) break;
  } finally {
    await adapter.close();
  }
}
