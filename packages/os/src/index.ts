export type { BootOutcome, VirtualBoard, VirtualBoardOptions } from './board/board.ts';
export type { DeviceClock, LoadedStage, StageLoader, StageStart, Wiring } from './board/stage-loader.ts';
export { NETWORK_CALLS, createBoardNetwork, type BoardNetwork, type BoardNetworkOptions } from './board/network.ts';
export { NetworkError, type NetworkErrorCode } from './board/network-errors.ts';
