/* Serial lines: needs the unit in the manifest's Capabilities.Uart. */
#pragma once

#include <stdint.h>

#include <applibs/uart_config_v1.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef UART_STRUCTS_VERSION
#define UART_STRUCTS_VERSION 1
#endif

#if UART_STRUCTS_VERSION == 1
typedef struct z__UART_Config_v1 UART_Config;
#else
#error "UART_STRUCTS_VERSION is not supported: 1 is"
#endif

/* A unit as the hardware definition names it: 4 is ISU0, 8 is ISU4. */
typedef int UART_Id;

typedef enum { UART_BlockingMode_NonBlocking = 0 } UART_BlockingMode;
typedef enum {
    UART_DataBits_Five = 5,
    UART_DataBits_Six = 6,
    UART_DataBits_Seven = 7,
    UART_DataBits_Eight = 8
} UART_DataBits;
typedef enum { UART_Parity_None = 0, UART_Parity_Even = 1, UART_Parity_Odd = 2 } UART_Parity;
typedef enum { UART_StopBits_One = 1, UART_StopBits_Two = 2 } UART_StopBits;
typedef enum {
    UART_FlowControl_None = 0,
    UART_FlowControl_RTSCTS = 1,
    UART_FlowControl_XONXOFF = 2
} UART_FlowControl;

/* Fills in the defaults: 115200 baud, 8 data bits, no parity, one stop bit, no flow control, non-blocking. */
void UART_InitConfig(UART_Config *uartConfig);

/* Opens a unit for this app alone; read(2), write(2) and epoll(7) work on it, close with close(2). Reads and writes
 * never block: EAGAIN when there is nothing, or no room; both may take less than asked for. Baud rates are 300 to
 * 3000000. Returns a file descriptor, or -1 with errno EACCES (not in the manifest), ENODEV (no such unit), EBUSY
 * (open already), EINVAL (configuration) or EFAULT (uartConfig is NULL). */
int UART_Open(UART_Id uartId, const UART_Config *uartConfig);

#ifdef __cplusplus
}
#endif
