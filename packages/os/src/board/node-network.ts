/**
 * Node's modules for the network, each loaded when it is first asked for: none is needed while a device boots. Imports
 * would load them all with the board, and what they export besides, a WebSocket client of several MB among it.
 */
export const net = () => process.getBuiltinModule('node:net');
export const tls = () => process.getBuiltinModule('node:tls');
export const dns = () => process.getBuiltinModule('node:dns/promises');
export const http = () => process.getBuiltinModule('node:http');
export const http2 = () => process.getBuiltinModule('node:http2');
export const dgram = () => process.getBuiltinModule('node:dgram');
