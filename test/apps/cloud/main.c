#include "eventloop_timer_utilities.h"
#include <applibs/eventloop.h>
#include <applibs/gpio.h>
#include <applibs/log.h>
#include <errno.h>
#include <sevenfold/mqtt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

// Drives a pin every 100 ms whatever its cloud does, and tells the cloud how often.

static EventLoop *loop;
static int pinFd = -1;
static int level;
static unsigned ticks, rounds;
static Mqtt_Client *cloud;
static bool isUp;

static void OnCloud(Mqtt_Client *client, Mqtt_Event event, int error, void *context)
{
    (void)context;
    static const char *const names[] = {"connected", "delivered", "closed"};
    Log_Debug("%s: %s\n", names[event], error == 0 ? "well" : strerror(error));
    isUp = event != Mqtt_Event_Closed;
    if (!isUp) {
        Mqtt_Disconnect(client);
        cloud = NULL;
    }
}

static void OnTick(EventLoopTimer *timer)
{
    ConsumeEventLoopTimerEvent(timer);
    level = !level;
    ticks++;
    GPIO_SetValue(pinFd, level ? GPIO_Value_High : GPIO_Value_Low);
}

static void OnRound(EventLoopTimer *timer)
{
    ConsumeEventLoopTimerEvent(timer);
    rounds++;
    if (cloud == NULL) {
        Mqtt_Options options = {.clientId = "cloud", .keepAliveSeconds = 10, .timeoutMilliseconds = 3000};
        cloud = Mqtt_Open(loop, "broker.test", 8883, &options, OnCloud, NULL);
        return;
    }
    char message[32];
    int length = snprintf(message, sizeof message, "%u ticks", ticks);
    if (isUp && rounds < 10 && Mqtt_Publish(cloud, "cloud/ticks", message, (size_t)length, Mqtt_QoS_1) == -1)
        Log_Debug("not published: %s\n", strerror(errno));
}

int main(void)
{
    static const struct timespec tick = {.tv_nsec = 100 * 1000 * 1000}, round = {.tv_sec = 1};
    pinFd = GPIO_OpenAsOutput(8, GPIO_OutputMode_PushPull, GPIO_Value_Low);
    loop = EventLoop_Create();
    CreateEventLoopPeriodicTimer(loop, OnTick, &tick);
    CreateEventLoopPeriodicTimer(loop, OnRound, &round);
    return EventLoop_Run(loop, -1, false) == EventLoop_Run_Failed;
}
