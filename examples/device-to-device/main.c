/* Two devices of one tenant speak with each other, each knowing which one the other is (sevenfold/tls.h).
 * Arguments: `serve ADDRESS` waits for devices and answers what they say; `call ADDRESS HOST [DEVICE-ID]` asks one for
 * the state of its lamp every ten seconds. ADDRESS is the device's own on Ethernet. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <applibs/application.h>
#include <applibs/eventloop.h>
#include <applibs/log.h>
#include <applibs/networking.h>
#include <eventloop_timer_utilities.h>
#include <sevenfold/tls.h>

#define INTERFACE "eth0"
#define PORT 9443
#define MOST_PEERS 2
#define LONGEST_LINE 64
#define ASK_SECONDS 10

typedef enum { ExitCode_Success = 0, ExitCode_Usage = 1, ExitCode_Network = 2, ExitCode_EventLoop = 3 } ExitCode;

typedef struct {
    int fd;
    EventRegistration *registration;
    char deviceId[TLS_DEVICE_ID_SIZE];
} Peer;

static volatile sig_atomic_t isTerminated;
static EventLoop *eventLoop;
static Peer peers[MOST_PEERS] = {{.fd = -1}, {.fd = -1}};
static int listenFd = -1;
static const char *host;
static const char *wantedId;
static bool hasAsked;

static void OnTerminate(int signal)
{
    (void)signal;
    isTerminated = 1;
}

static int UseAddress(const char *text)
{
    struct in_addr address, mask, none = {0};
    Networking_IpConfig config;
    if (inet_aton(text, &address) == 0 || inet_aton("255.255.255.0", &mask) == 0) {
        errno = EINVAL;
        return -1;
    }
    Networking_IpConfig_Init(&config);
    Networking_IpConfig_EnableStaticIp(&config, address, mask, none);
    int result = Networking_IpConfig_Apply(INTERFACE, &config);
    Networking_IpConfig_Destroy(&config);
    return result;
}

static void HangUp(Peer *peer)
{
    EventLoop_UnregisterIo(eventLoop, peer->registration);
    close(peer->fd);
    peer->fd = -1;
}

static void OnPeer(EventLoop *el, int fd, EventLoop_IoEvents events, void *context)
{
    (void)el;
    (void)events;
    Peer *peer = context;
    char line[LONGEST_LINE];
    ssize_t length = read(fd, line, sizeof line - 1);
    if (length == -1 && errno == EAGAIN) {
        return;
    }
    if (length <= 0) {
        HangUp(peer);
        return;
    }
    line[length] = '\0';
    Log_Debug("%.8s says %s\n", peer->deviceId, line);
    if (strcmp(line, "lamp?") == 0) {
        write(fd, "lamp is on", strlen("lamp is on"));
    }
}

static Peer *FreePeer(void)
{
    for (size_t index = 0; index < MOST_PEERS; index++) {
        if (peers[index].fd == -1) {
            return &peers[index];
        }
    }
    return NULL;
}

static void OnDevice(EventLoop *el, int fd, EventLoop_IoEvents events, void *context)
{
    (void)events;
    (void)context;
    char deviceId[TLS_DEVICE_ID_SIZE];
    int accepted = Tls_Accept(fd, deviceId);
    if (accepted == -1) {
        return;
    }
    Peer *peer = FreePeer();
    if (peer == NULL) {
        close(accepted);
        return;
    }
    memcpy(peer->deviceId, deviceId, sizeof deviceId);
    peer->fd = accepted;
    peer->registration = EventLoop_RegisterIo(el, accepted, EventLoop_Input, OnPeer, peer);
    Log_Debug("%.8s has come\n", deviceId);
}

static void Listen(void)
{
    listenFd = Tls_Listen(PORT, MOST_PEERS);
    if (listenFd == -1) {
        Log_Debug("cannot listen: %s\n", strerror(errno));
    } else if (EventLoop_RegisterIo(eventLoop, listenFd, EventLoop_Input, OnDevice, NULL) != NULL) {
        Log_Debug("waiting for devices\n");
    }
}

/* One question, one answer. */
static void Ask(void)
{
    char answer[LONGEST_LINE];
    int fd = Tls_ConnectDevice(host, PORT, wantedId);
    ssize_t length = -1;
    if (fd != -1 && write(fd, "lamp?", strlen("lamp?")) != -1) {
        length = read(fd, answer, sizeof answer);
    }
    if (length > 0) {
        Log_Debug("answer: %.*s\n", (int)length, answer);
    } else {
        Log_Debug("no answer: %s\n", length == 0 ? "hung up" : strerror(errno));
    }
    if (fd != -1) {
        close(fd);
    }
}

/* Until the device has its certificate there is nobody to speak as. */
static void OnTimer(EventLoopTimer *timer)
{
    bool isReady = false;
    struct timespec period = {.tv_sec = ASK_SECONDS};
    if (ConsumeEventLoopTimerEvent(timer) == -1 || Application_IsDeviceAuthReady(&isReady) == -1) {
        isTerminated = 1;
    } else if (!isReady) {
        Log_Debug("waiting for the certificate\n");
    } else if (host == NULL) {
        Listen();
        DisarmEventLoopTimer(timer);
    } else {
        Ask();
        if (!hasAsked) {
            hasAsked = true;
            SetEventLoopTimerPeriod(timer, &period);
        }
    }
}

int main(int argc, char *argv[])
{
    struct sigaction action = {.sa_handler = OnTerminate};
    struct timespec second = {.tv_sec = 1};
    sigaction(SIGTERM, &action, NULL);
    bool isCaller = argc >= 4 && strcmp(argv[1], "call") == 0;
    if (!isCaller && (argc != 3 || strcmp(argv[1], "serve") != 0)) {
        return ExitCode_Usage;
    }
    host = isCaller ? argv[3] : NULL;
    wantedId = argc > 4 ? argv[4] : NULL;
    if (UseAddress(argv[2]) == -1) {
        Log_Debug("address: %s\n", strerror(errno));
        return ExitCode_Network;
    }
    eventLoop = EventLoop_Create();
    if (eventLoop == NULL || CreateEventLoopPeriodicTimer(eventLoop, OnTimer, &second) == NULL) {
        return ExitCode_EventLoop;
    }
    while (!isTerminated) {
        if (EventLoop_Run(eventLoop, -1, true) == EventLoop_Run_Failed && errno != EINTR) {
            return ExitCode_EventLoop;
        }
    }
    return ExitCode_Success;
}
