/**
 * What it takes to run a core in the chip's thread, and to debug it there. Loaded when it is needed: most devices run
 * no real-time app, and others give each core a thread of its own.
 */
export { CoreDebugger } from './core-debugger.ts';
export { CoreTape } from './core-tape.ts';
export { GdbSession } from './gdb/session.ts';
export { RealTimeCore } from './real-time-core.ts';
