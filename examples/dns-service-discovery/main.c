/* Finds a service on the local network by multicast DNS and reads its greeting (resolv.h, arpa/nameser.h, RFC 6763).
 * The manifest names the service alone: whoever offers it may be reached, and nobody else. */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netinet/in.h>
#include <resolv.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <applibs/eventloop.h>
#include <applibs/log.h>
#include <eventloop_timer_utilities.h>

#define SERVICE "_sample-service._tcp.local"
#define MDNS_ADDRESS "224.0.0.251"
#define MDNS_PORT 5353
#define LARGEST_MESSAGE 1500
#define ASK_SECONDS 10
#define SRV_PORT 4
#define SRV_TARGET 6

typedef enum { ExitCode_Success = 0, ExitCode_Socket = 1, ExitCode_EventLoop = 2 } ExitCode;

/* What has been found out of one instance of the service. */
typedef struct {
    char instance[NS_MAXDNAME];
    char host[NS_MAXDNAME];
    struct in_addr address;
    uint16_t port;
} Found;

static volatile sig_atomic_t isTerminated;
static int discoveryFd = -1;
static bool isFound;

static void OnTerminate(int signal)
{
    (void)signal;
    isTerminated = 1;
}

static void Ask(const char *name, int type)
{
    unsigned char message[LARGEST_MESSAGE];
    struct sockaddr_in everybody = {.sin_family = AF_INET, .sin_port = htons(MDNS_PORT)};
    inet_pton(AF_INET, MDNS_ADDRESS, &everybody.sin_addr);
    int length = res_mkquery(ns_o_query, name, ns_c_in, type, NULL, 0, NULL, message, sizeof message);
    if (length == -1 ||
        sendto(discoveryFd, message, (size_t)length, 0, (struct sockaddr *)&everybody, sizeof everybody) == -1) {
        Log_Debug("cannot ask for %s: %s\n", name, strerror(errno));
    }
}

static void ReadRecord(ns_msg *message, const ns_rr *record, Found *found)
{
    const unsigned char *data = ns_rr_rdata(*record);
    switch (ns_rr_type(*record)) {
    case ns_t_ptr:
        ns_name_uncompress(ns_msg_base(*message), ns_msg_end(*message), data, found->instance, sizeof found->instance);
        break;
    case ns_t_srv:
        found->port = (uint16_t)ns_get16(data + SRV_PORT);
        ns_name_uncompress(ns_msg_base(*message), ns_msg_end(*message), data + SRV_TARGET, found->host,
                           sizeof found->host);
        break;
    case ns_t_txt:
        Log_Debug("text %.*s\n", data[0], (const char *)data + 1);
        break;
    case ns_t_a:
        memcpy(&found->address, data, sizeof found->address);
        break;
    default:
        break;
    }
}

static void Greet(const Found *found)
{
    char greeting[128];
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(found->port), .sin_addr = found->address};
    struct timeval patience = {.tv_sec = 5};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == -1 ||
        connect(fd, (struct sockaddr *)&at, sizeof at) == -1) {
        Log_Debug("cannot reach %s: %s\n", inet_ntoa(at.sin_addr), strerror(errno));
    } else {
        ssize_t length = recv(fd, greeting, sizeof greeting, 0);
        Log_Debug("it says %.*s\n", length < 0 ? 0 : (int)length, greeting);
    }
    if (fd != -1) {
        close(fd);
    }
}

static void OnAnswer(EventLoop *el, int fd, EventLoop_IoEvents events, void *context)
{
    (void)el;
    (void)events;
    (void)context;
    unsigned char bytes[LARGEST_MESSAGE];
    ns_msg message;
    /* What one answer leaves open the next one tells. */
    static Found found;
    ssize_t length = recv(fd, bytes, sizeof bytes, 0);
    if (length <= 0 || ns_initparse(bytes, (int)length, &message) == -1) {
        return;
    }
    static const ns_sect sections[] = {ns_s_an, ns_s_ar};
    for (size_t section = 0; section < sizeof sections / sizeof sections[0]; section++) {
        for (int index = 0; index < ns_msg_count(message, sections[section]); index++) {
            ns_rr record;
            if (ns_parserr(&message, sections[section], index, &record) == 0) {
                ReadRecord(&message, &record, &found);
            }
        }
    }
    if (found.instance[0] != '\0' && found.host[0] == '\0') {
        Ask(found.instance, ns_t_srv);
        return;
    }
    if (found.host[0] != '\0' && found.address.s_addr == 0) {
        Ask(found.host, ns_t_a);
        return;
    }
    if (found.host[0] != '\0') {
        isFound = true;
        Log_Debug("found %s at %s:%u\n", found.host, inet_ntoa(found.address), found.port);
        Greet(&found);
    }
}

static void OnTimer(EventLoopTimer *timer)
{
    if (ConsumeEventLoopTimerEvent(timer) == 0 && !isFound) {
        Ask(SERVICE, ns_t_ptr);
    }
}

int main(void)
{
    struct sigaction action = {.sa_handler = OnTerminate};
    struct timespec period = {.tv_sec = ASK_SECONDS};
    sigaction(SIGTERM, &action, NULL);
    discoveryFd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    EventLoop *eventLoop = EventLoop_Create();
    if (discoveryFd == -1 || eventLoop == NULL ||
        EventLoop_RegisterIo(eventLoop, discoveryFd, EventLoop_Input, OnAnswer, NULL) == NULL ||
        CreateEventLoopPeriodicTimer(eventLoop, OnTimer, &period) == NULL) {
        return ExitCode_EventLoop;
    }
    Ask(SERVICE, ns_t_ptr);
    while (!isTerminated) {
        if (EventLoop_Run(eventLoop, -1, true) == EventLoop_Run_Failed && errno != EINTR) {
            return ExitCode_EventLoop;
        }
    }
    close(discoveryFd);
    return ExitCode_Success;
}
