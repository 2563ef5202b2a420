/* The analogue-to-digital converter: needs it in the manifest's Capabilities.Adc. */
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uint32_t ADC_ControllerId;
typedef uint32_t ADC_ChannelId;

/* Opens the controller for this app alone; close with close(2). Returns a file descriptor, or -1 with errno EACCES
 * (not in the manifest), ENODEV or EBUSY. */
int ADC_Open(ADC_ControllerId id);

/* The bits of a sample, 12; or -1 with errno ENODEV (no such channel) or EBADF. */
int ADC_GetSampleBitCount(int fd, ADC_ChannelId channel);

/* The voltage of the largest sample. The chip has 1.8 V and 2.5 V and takes the nearest; 2.5 V until it is set.
 * Returns 0, or -1 with errno EINVAL (not above 0 V, or above 2.5 V), ENODEV or EBADF. */
int ADC_SetReferenceVoltage(int fd, ADC_ChannelId channel, float referenceVoltage);

/* Takes one sample. Returns 0, or -1 with errno EFAULT (outSampleValue is NULL), ENODEV or EBADF. */
int ADC_Poll(int fd, ADC_ChannelId channel, uint32_t *outSampleValue);

#ifdef __cplusplus
}
#endif
