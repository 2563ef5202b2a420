/* Signals inside the SDK's library. */
#pragma once

/* Runs the handlers of all signals that came: called wherever a call was interrupted. */
void sevenfold_deliver_signals(void);
