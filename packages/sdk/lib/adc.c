#include <applibs/adc.h>

#include "host.h"

#define MILLIVOLTS 1000.0F
/* More than any converter stands, and still an int in millivolts. */
#define ABSURD_VOLTAGE 1000.0F

int ADC_Open(ADC_ControllerId id)
{
    int fd = -1;
    int error = host_adc_open((int)id, &fd);
    return host_result(error, fd);
}

int ADC_GetSampleBitCount(int fd, ADC_ChannelId channel)
{
    int bits = 0;
    int error = host_adc_bits(fd, channel, &bits);
    return host_result(error, bits);
}

int ADC_SetReferenceVoltage(int fd, ADC_ChannelId channel, float referenceVoltage)
{
    /* Written so that a NaN is refused as well. */
    if (!(referenceVoltage > 0.0F && referenceVoltage < ABSURD_VOLTAGE)) {
        errno = EINVAL;
        return -1;
    }
    return host_result(host_adc_reference(fd, channel, (int)(referenceVoltage * MILLIVOLTS + 0.5F)), 0);
}

int ADC_Poll(int fd, ADC_ChannelId channel, uint32_t *outSampleValue)
{
    if (outSampleValue == NULL) {
        errno = EFAULT;
        return -1;
    }
    return host_result(host_adc_poll(fd, channel, outSampleValue), 0);
}
