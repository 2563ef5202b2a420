/* Joins a Wi-Fi network whose name and key are the arguments, and tells how strongly it is heard (wificonfig.h). */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include <applibs/eventloop.h>
#include <applibs/log.h>
#include <applibs/networking.h>
#include <applibs/wificonfig.h>
#include <eventloop_timer_utilities.h>

typedef enum { ExitCode_Success = 0, ExitCode_Usage = 1, ExitCode_EventLoop = 2, ExitCode_Timer = 3 } ExitCode;

static volatile sig_atomic_t isTerminated;
static int networkId = -1;

static void OnTerminate(int signal)
{
    (void)signal;
    isTerminated = 1;
}

static void ListNetworks(void)
{
    WifiConfig_ScannedNetwork networks[8];
    ssize_t count = WifiConfig_TriggerScanAndGetScannedNetworkCount();
    if (count <= 0) {
        Log_Debug("nothing to hear\n");
        return;
    }
    count = WifiConfig_GetScannedNetworks(networks, sizeof networks / sizeof networks[0]);
    for (ssize_t index = 0; index < count; index++) {
        Log_Debug("heard %.*s at %d dBm on %u MHz\n", networks[index].ssidLength, (const char *)networks[index].ssid,
                  networks[index].signalRssi, (unsigned)networks[index].frequencyMHz);
    }
}

static int Store(const char *name, const char *key)
{
    networkId = WifiConfig_AddNetwork();
    if (networkId == -1 || WifiConfig_SetSSID(networkId, (const uint8_t *)name, strlen(name)) == -1 ||
        WifiConfig_SetSecurityType(networkId, WifiConfig_Security_Wpa2_Psk) == -1 ||
        WifiConfig_SetPSK(networkId, key, strlen(key)) == -1 || WifiConfig_SetNetworkEnabled(networkId, true) == -1 ||
        WifiConfig_PersistConfig() == -1) {
        Log_Debug("network not stored: %s\n", strerror(errno));
        return -1;
    }
    return 0;
}

static void OnCheck(EventLoopTimer *timer)
{
    WifiConfig_ConnectedNetwork network;
    WifiConfig_NetworkDiagnostics diagnostics;
    if (ConsumeEventLoopTimerEvent(timer) == -1) {
        return;
    }
    if (WifiConfig_GetCurrentNetwork(&network) == 0) {
        bool isReady = false;
        Networking_IsNetworkingReady(&isReady);
        Log_Debug("joined %.*s, networking %s\n", network.ssidLength, (const char *)network.ssid,
                  isReady ? "ready" : "not ready");
    } else if (WifiConfig_GetNetworkDiagnostics(networkId, &diagnostics) == 0) {
        Log_Debug("not joined: error %d\n", (int)diagnostics.error);
    } else {
        Log_Debug("not joined yet\n");
    }
}

int main(int argc, char *argv[])
{
    struct sigaction action = {0};
    action.sa_handler = OnTerminate;
    sigaction(SIGTERM, &action, NULL);
    if (argc < 3) {
        Log_Debug("usage: NETWORK KEY\n");
        return ExitCode_Usage;
    }
    ListNetworks();
    Store(argv[1], argv[2]);
    EventLoop *eventLoop = EventLoop_Create();
    static const struct timespec period = {.tv_sec = 1};
    if (eventLoop == NULL || CreateEventLoopPeriodicTimer(eventLoop, OnCheck, &period) == NULL) {
        return ExitCode_Timer;
    }
    while (!isTerminated) {
        if (EventLoop_Run(eventLoop, -1, true) == EventLoop_Run_Failed && errno != EINTR) {
            return ExitCode_EventLoop;
        }
    }
    return ExitCode_Success;
}
