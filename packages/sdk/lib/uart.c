#include <applibs/uart.h>

#include "host.h"

#define UART_CONFIG_V1 0x7a120001U
/* UART ids begin at ISU0 = 4. */
#define FIRST_UART 4

void UART_InitConfig(UART_Config *uartConfig)
{
    if (uartConfig == NULL) {
        return;
    }
    *uartConfig = (UART_Config){.z__magicAndVersion = UART_CONFIG_V1,
                                .baudRate = 115200,
                                .blockingMode = UART_BlockingMode_NonBlocking,
                                .dataBits = UART_DataBits_Eight,
                                .parity = UART_Parity_None,
                                .stopBits = UART_StopBits_One,
                                .flowControl = UART_FlowControl_None};
}

int UART_Open(UART_Id uartId, const UART_Config *uartConfig)
{
    if (uartConfig == NULL) {
        errno = EFAULT;
        return -1;
    }
    if (uartConfig->z__magicAndVersion != UART_CONFIG_V1 ||
        uartConfig->blockingMode != UART_BlockingMode_NonBlocking) {
        errno = EINVAL;
        return -1;
    }
    if (uartId < FIRST_UART) {
        errno = ENODEV;
        return -1;
    }
    struct host_uart_config config = {.baudRate = uartConfig->baudRate,
                                      .dataBits = uartConfig->dataBits,
                                      .parity = uartConfig->parity,
                                      .stopBits = uartConfig->stopBits,
                                      .flowControl = uartConfig->flowControl};
    int fd = -1;
    int error = host_uart_open(uartId - FIRST_UART, &config, &fd);
    return host_result(error, fd);
}
