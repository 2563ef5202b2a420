/* Blinks an LED, tells its own cloud about it, and shows that what its manifest does not name is out of reach.
 *
 * Arguments: host and port of the MQTT broker. Telemetry goes to devices/<device id>/telemetry.
 * BLINK_VERSION: 1 works; 2 fails after three seconds; 3 is the fixed one. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <applibs/eventloop.h>
#include <applibs/gpio.h>
#include <applibs/log.h>
#include <applibs/storage.h>
#include <eventloop_timer_utilities.h>
#include <sevenfold/device.h>
#include <sevenfold/mqtt.h>
#include <sevenfold/tls.h>

#include "hw/hardware.h"

#ifndef BLINK_VERSION
#define BLINK_VERSION 1
#endif

/* Not in the manifest. */
#define FOREIGN_GPIO 9
#define FOREIGN_HOST "elsewhere.sevenfold.test"
#define FOREIGN_PATH "/../flash"

#define BLINKS_REMEMBERED 12
#define TELEMETRY_ROUNDS_BETWEEN_TRIES 5

typedef enum {
    ExitCode_Success = 0,
    ExitCode_Usage = 1,
    ExitCode_EventLoop = 2,
    ExitCode_Led = 3,
    ExitCode_Timer = 4
} ExitCode;

typedef struct {
    int gpio;
    int host;
    int mutableFile;
    int path;
} Denials;

static const char *brokerHost;
static uint16_t brokerPort;
static char topic[sizeof "devices//telemetry" + DEVICE_ID_LENGTH];

static int ledFd = -1;
static uint32_t blinks;
static uint32_t history[BLINKS_REMEMBERED];
static Denials denials;
static Mqtt_Client *cloud;
static unsigned roundsToNextTry;

/* The errno of a call that should have been refused; 0 if it was not. */
static int ErrnoOf(int result)
{
    if (result == -1) {
        return errno;
    }
    close(result);
    return 0;
}

static void TryWhatIsForbidden(void)
{
    denials.gpio = ErrnoOf(GPIO_OpenAsOutput(FOREIGN_GPIO, GPIO_OutputMode_PushPull, GPIO_Value_Low));
    Log_Debug("GPIO %d: %s\n", FOREIGN_GPIO, strerror(denials.gpio));
    denials.host = ErrnoOf(Tls_Connect(FOREIGN_HOST, 443, Tls_Identity_None));
    Log_Debug("host %s: %s\n", FOREIGN_HOST, strerror(denials.host));
    denials.mutableFile = ErrnoOf(Storage_OpenMutableFile());
    Log_Debug("mutable file: %s\n", strerror(denials.mutableFile));
    denials.path = ErrnoOf(open(FOREIGN_PATH, O_RDONLY));
    Log_Debug("file %s: %s\n", FOREIGN_PATH, strerror(denials.path));
}

static const char *NameOf(int error)
{
    switch (error) {
    case 0:
        return "allowed";
    case EACCES:
        return "EACCES";
    case ENOENT:
        return "ENOENT";
    default:
        return "other";
    }
}

static void RememberBlink(uint32_t count)
{
#if BLINK_VERSION == 2
    /* Meant to keep twelve blinks a page. There is one page. */
    size_t slot = count % BLINKS_REMEMBERED + ((size_t)(count / BLINKS_REMEMBERED) << 20);
#else
    size_t slot = count % BLINKS_REMEMBERED;
#endif
    history[slot] = count;
}

static void Blink(EventLoopTimer *timer)
{
    if (ConsumeEventLoopTimerEvent(timer) == -1) {
        return;
    }
    GPIO_SetValue(ledFd, blinks % 2 == 0 ? GPIO_Value_High : GPIO_Value_Low);
    RememberBlink(blinks);
    blinks += 1;
}

static void LoseCloud(const char *what)
{
    Log_Debug("%s: %s\n", what, strerror(errno));
    Mqtt_Disconnect(cloud);
    cloud = NULL;
    roundsToNextTry = TELEMETRY_ROUNDS_BETWEEN_TRIES;
}

static int ReachCloud(void)
{
    if (cloud != NULL) {
        return 0;
    }
    if (roundsToNextTry > 0) {
        roundsToNextTry -= 1;
        return -1;
    }
    char deviceId[DEVICE_ID_LENGTH + 1];
    if (Device_GetId(deviceId, sizeof deviceId) == -1) {
        LoseCloud("no device id");
        return -1;
    }
    snprintf(topic, sizeof topic, "devices/%s/telemetry", deviceId);
    Mqtt_Options options = {
        .keepAliveSeconds = 60, .timeoutMilliseconds = 2000, .identity = Tls_Identity_Device};
    cloud = Mqtt_Connect(brokerHost, brokerPort, &options);
    if (cloud == NULL) {
        LoseCloud("no connection to the cloud");
        return -1;
    }
    Log_Debug("connected to %s:%u\n", brokerHost, brokerPort);
    return 0;
}

static void SendTelemetry(EventLoopTimer *timer)
{
    if (ConsumeEventLoopTimerEvent(timer) == -1 || ReachCloud() == -1) {
        return;
    }
    uint32_t last = blinks == 0 ? 0 : history[(blinks - 1) % BLINKS_REMEMBERED];
    char message[256];
    int length = snprintf(message, sizeof message,
                          "{\"app\":\"blink\",\"version\":%d,\"blinks\":%u,\"last\":%u,"
                          "\"denied\":{\"gpio\":\"%s\",\"host\":\"%s\",\"mutableFile\":\"%s\",\"path\":\"%s\"}}",
                          BLINK_VERSION, (unsigned)blinks, (unsigned)last, NameOf(denials.gpio), NameOf(denials.host),
                          NameOf(denials.mutableFile), NameOf(denials.path));
    if (Mqtt_Publish(cloud, topic, message, (size_t)length, Mqtt_QoS_1) == -1) {
        LoseCloud("telemetry not delivered");
    }
}

static int ReadArguments(int argc, char *argv[])
{
    if (argc < 3) {
        return -1;
    }
    brokerHost = argv[1];
    long port = strtol(argv[2], NULL, 10);
    if (port < 1 || port > UINT16_MAX) {
        return -1;
    }
    brokerPort = (uint16_t)port;
    return 0;
}

int main(int argc, char *argv[])
{
    Log_Debug("blink version %d\n", BLINK_VERSION);
    if (ReadArguments(argc, argv) == -1) {
        Log_Debug("usage: blink HOST PORT\n");
        return ExitCode_Usage;
    }
    EventLoop *eventLoop = EventLoop_Create();
    if (eventLoop == NULL) {
        return ExitCode_EventLoop;
    }
    ledFd = GPIO_OpenAsOutput(BLINK_LED, GPIO_OutputMode_PushPull, GPIO_Value_Low);
    if (ledFd == -1) {
        Log_Debug("LED: %s\n", strerror(errno));
        return ExitCode_Led;
    }
    TryWhatIsForbidden();
    static const struct timespec blinkPeriod = {.tv_nsec = 250 * 1000 * 1000};
    static const struct timespec telemetryPeriod = {.tv_sec = 1};
    EventLoopTimer *blinkTimer = CreateEventLoopPeriodicTimer(eventLoop, Blink, &blinkPeriod);
    EventLoopTimer *telemetryTimer = CreateEventLoopPeriodicTimer(eventLoop, SendTelemetry, &telemetryPeriod);
    if (blinkTimer == NULL || telemetryTimer == NULL) {
        return ExitCode_Timer;
    }
    while (EventLoop_Run(eventLoop, -1, true) != EventLoop_Run_Failed) {
    }
    return ExitCode_EventLoop;
}
