/* Publishes a reading a second to devices/<device id>/telemetry. Arguments: host and port of the broker, which the
 * manifest names too. DeviceAuthentication in the manifest is the id of your tenant. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <applibs/application.h>
#include <applibs/eventloop.h>
#include <applibs/log.h>
#include <eventloop_timer_utilities.h>
#include <sevenfold/device.h>
#include <sevenfold/mqtt.h>

typedef enum { ExitCode_Success = 0, ExitCode_Usage = 1, ExitCode_EventLoop = 2, ExitCode_Timer = 3 } ExitCode;

static const char *brokerHost;
static uint16_t brokerPort;
static Mqtt_Client *cloud;
static char topic[sizeof "devices//telemetry" + DEVICE_ID_LENGTH];
static unsigned reading;

/* Put a sensor here. */
static unsigned ReadSensor(void)
{
    return reading++;
}

static void LoseCloud(const char *what)
{
    Log_Debug("%s: %s\n", what, strerror(errno));
    Mqtt_Disconnect(cloud);
    cloud = NULL;
}

static int ReachCloud(void)
{
    bool isReady = false;
    if (cloud != NULL) {
        return 0;
    }
    if (Application_IsDeviceAuthReady(&isReady) == -1 || !isReady) {
        Log_Debug("waiting for the device's certificate\n");
        return -1;
    }
    char deviceId[DEVICE_ID_LENGTH + 1];
    if (Device_GetId(deviceId, sizeof deviceId) == -1) {
        LoseCloud("no device id");
        return -1;
    }
    snprintf(topic, sizeof topic, "devices/%s/telemetry", deviceId);
    Mqtt_Options options = {.keepAliveSeconds = 60, .timeoutMilliseconds = 2000, .identity = Tls_Identity_Device};
    cloud = Mqtt_Connect(brokerHost, brokerPort, &options);
    if (cloud == NULL) {
        LoseCloud("no connection");
        return -1;
    }
    return 0;
}

static void OnSecond(EventLoopTimer *timer)
{
    if (ConsumeEventLoopTimerEvent(timer) == -1 || ReachCloud() == -1) {
        return;
    }
    char message[64];
    int length = snprintf(message, sizeof message, "{\"reading\":%u}", ReadSensor());
    if (Mqtt_Publish(cloud, topic, message, (size_t)length, Mqtt_QoS_1) == -1) {
        LoseCloud("not delivered");
    }
}

int main(int argc, char *argv[])
{
    if (argc < 3) {
        Log_Debug("usage: HOST PORT\n");
        return ExitCode_Usage;
    }
    brokerHost = argv[1];
    brokerPort = (uint16_t)strtoul(argv[2], NULL, 10);
    Log_Debug("{{NAME}} started\n");
    EventLoop *eventLoop = EventLoop_Create();
    if (eventLoop == NULL) {
        return ExitCode_EventLoop;
    }
    static const struct timespec second = {.tv_sec = 1};
    if (CreateEventLoopPeriodicTimer(eventLoop, OnSecond, &second) == NULL) {
        return ExitCode_Timer;
    }
    while (EventLoop_Run(eventLoop, -1, true) != EventLoop_Run_Failed || errno == EINTR) {
    }
    return ExitCode_EventLoop;
}
