import type { KeyCurve } from '../keys.ts';
import type { TokenOptions } from './token.ts';

/** What the store asks the process that holds the token; the first request opens it. */
export type TokenRequest =
  | { readonly id: number; readonly call: 'open'; readonly options: TokenOptions }
  | { readonly id: number; readonly call: 'make'; readonly name: string; readonly curve: KeyCurve }
  | { readonly id: number; readonly call: 'public'; readonly name: string }
  | { readonly id: number; readonly call: 'sign'; readonly name: string; readonly message: Uint8Array };

/** What it answers, in the order of the requests. */
export type TokenAnswer =
  | { readonly id: number; readonly result: Uint8Array | null }
  | {
      readonly id: number;
      readonly problem: { readonly code: string; readonly message: string; readonly field?: string };
    };
