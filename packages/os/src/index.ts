export { BoardError, type BoardErrorCode } from './board/board-error.ts';
export type { BootOutcome, VirtualBoard, VirtualBoardOptions } from './board/board.ts';
export { hostClock } from './board/host-clock.ts';
export { createBoardNetwork, type BoardNetwork, type BoardNetworkOptions } from './board/network.ts';
export {
  PrivateNetwork,
  type WireDatagram,
  type WireEndpoint,
  type WirePlug,
} from './board/private-network.ts';
export type { AccessPoint } from './board/radio.ts';
export { WIRINGS, type Wiring } from './board/stage-loader.ts';
export { createVirtualBoard } from './board/virtual-board.ts';
