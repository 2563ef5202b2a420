/* Sends a line over a wire from TX to RX each second and checks that it comes back. */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <applibs/eventloop.h>
#include <applibs/log.h>
#include <applibs/uart.h>
#include <eventloop_timer_utilities.h>

#include "hw/hardware.h"

#define LINE_LENGTH 2000

static int uartFd = -1;
static char line[LINE_LENGTH];
static size_t sent;
static size_t received;
static EventLoop *eventLoop;
static EventRegistration *registration;

/* As much as there is room for; the rest when there is room again. */
static void Send(void)
{
    while (sent < LINE_LENGTH) {
        ssize_t count = write(uartFd, line + sent, LINE_LENGTH - sent);
        if (count == -1) {
            if (errno != EAGAIN) {
                Log_Debug("write: %s\n", strerror(errno));
            }
            break;
        }
        sent += (size_t)count;
    }
    EventLoop_ModifyIoEvents(eventLoop, registration,
                             sent < LINE_LENGTH ? EventLoop_Input | EventLoop_Output : EventLoop_Input);
}

static void Receive(void)
{
    char part[256];
    ssize_t count = read(uartFd, part, sizeof part);
    if (count == -1) {
        return;
    }
    if (received + (size_t)count > LINE_LENGTH || memcmp(part, line + received, (size_t)count) != 0) {
        Log_Debug("what came back is not what went out\n");
        return;
    }
    received += (size_t)count;
    if (received == LINE_LENGTH) {
        Log_Debug("%d bytes came back\n", LINE_LENGTH);
    }
}

static void OnUart(EventLoop *loop, int fd, EventLoop_IoEvents events, void *context)
{
    (void)loop;
    (void)fd;
    (void)context;
    if (events & EventLoop_Input) {
        Receive();
    }
    if (events & EventLoop_Output) {
        Send();
    }
}

static void OnSecond(EventLoopTimer *timer)
{
    if (ConsumeEventLoopTimerEvent(timer) == -1) {
        return;
    }
    sent = 0;
    received = 0;
    Send();
}

int main(void)
{
    for (size_t i = 0; i < LINE_LENGTH; i++) {
        line[i] = (char)('a' + i % 26);
    }
    UART_Config config;
    UART_InitConfig(&config);
    config.baudRate = 115200;
    uartFd = UART_Open(LINE, &config);
    if (uartFd == -1) {
        Log_Debug("UART: %s\n", strerror(errno));
        return 1;
    }
    static const struct timespec period = {.tv_sec = 1};
    eventLoop = EventLoop_Create();
    if (eventLoop == NULL || CreateEventLoopPeriodicTimer(eventLoop, OnSecond, &period) == NULL) {
        return 2;
    }
    registration = EventLoop_RegisterIo(eventLoop, uartFd, EventLoop_Input, OnUart, NULL);
    if (registration == NULL) {
        return 3;
    }
    while (EventLoop_Run(eventLoop, -1, true) != EventLoop_Run_Failed) {
    }
    return 4;
}
