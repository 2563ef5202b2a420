/* The real-time clock, which runs on its battery while the device has no power. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/* Sets the real-time clock to the system's time. Returns 0, or -1 with errno EACCES (no SystemTime in the manifest). */
int clock_systohc(void);

#ifdef __cplusplus
}
#endif
