export type { BootOutcome, VirtualBoard, VirtualBoardOptions } from './board/board.ts';
export type { DeviceClock, LoadedStage, StageLoader, StageStart, Wiring } from './board/stage-loader.ts';
