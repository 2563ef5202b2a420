#include <applibs/gpio.h>

#include "host.h"

int GPIO_OpenAsInput(GPIO_Id gpioId)
{
    int fd = -1;
    int error = host_gpio_open(gpioId, 0, 0, 0, &fd);
    return host_result(error, fd);
}

int GPIO_OpenAsOutput(GPIO_Id gpioId, GPIO_OutputMode_Type outputMode, GPIO_Value_Type initialValue)
{
    int fd = -1;
    int error = host_gpio_open(gpioId, 1, outputMode, initialValue, &fd);
    return host_result(error, fd);
}

int GPIO_GetValue(int gpioFd, GPIO_Value_Type *outValue)
{
    if (outValue == NULL) {
        errno = EFAULT;
        return -1;
    }
    return host_result(host_gpio_get(gpioFd, outValue), 0);
}

int GPIO_SetValue(int gpioFd, GPIO_Value_Type value)
{
    return host_result(host_gpio_set(gpioFd, value), 0);
}
