/** One measured figure beside its bar. */
export interface Figure {
  readonly name: string;
  /** With its unit. */
  readonly measured: string;
  /** What it was measured beside, in the same run; `–` where the bar is absolute. */
  readonly peer: string;
  readonly target: string;
  readonly isMet: boolean;
}
