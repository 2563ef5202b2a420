/* General-purpose inputs and outputs: needs the pin in the manifest's Capabilities.Gpio. */
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef int GPIO_Id;

typedef uint8_t GPIO_Value_Type;
typedef enum { GPIO_Value_Low = 0, GPIO_Value_High = 1 } GPIO_Value;

typedef uint8_t GPIO_OutputMode_Type;
/* OpenDrain and OpenSource count on the board's pull resistor: the level read back is the value set. */
typedef enum {
    GPIO_OutputMode_PushPull = 0,
    GPIO_OutputMode_OpenDrain = 1,
    GPIO_OutputMode_OpenSource = 2
} GPIO_OutputMode;

/* Opens a pin as input; close with close(2). Returns a file descriptor, or -1 with errno
 * EACCES (not in the manifest), ENODEV (no such pin) or EBUSY (open already). */
int GPIO_OpenAsInput(GPIO_Id gpioId);

/* Opens a pin as output that starts at initialValue. As GPIO_OpenAsInput, and EINVAL for a mode or
 * value that does not exist. */
int GPIO_OpenAsOutput(GPIO_Id gpioId, GPIO_OutputMode_Type outputMode, GPIO_Value_Type initialValue);

/* Reads a pin. Returns 0, or -1 with errno EFAULT (outValue is NULL) or EBADF. */
int GPIO_GetValue(int gpioFd, GPIO_Value_Type *outValue);

/* Sets an output; has no effect on an input. Returns 0, or -1 with errno EINVAL or EBADF. */
int GPIO_SetValue(int gpioFd, GPIO_Value_Type value);

#ifdef __cplusplus
}
#endif
