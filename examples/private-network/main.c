/* Serves a private network on Ethernet: a static address, an address and the time for the one device there, and a TCP
 * server that sends each line back in capitals (networking.h, sockets). */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <applibs/eventloop.h>
#include <applibs/log.h>
#include <applibs/networking.h>

#define INTERFACE "eth0"
#define PORT 11000

typedef enum { ExitCode_Success = 0, ExitCode_Network = 1, ExitCode_Server = 2, ExitCode_EventLoop = 3 } ExitCode;

static volatile sig_atomic_t isTerminated;
static int clientFd = -1;
static EventRegistration *clientRegistration;

static void OnTerminate(int signal)
{
    (void)signal;
    isTerminated = 1;
}

static struct in_addr Address(const char *text)
{
    struct in_addr address = {0};
    inet_aton(text, &address);
    return address;
}

static int ServeNetwork(void)
{
    Networking_IpConfig ip;
    Networking_IpConfig_Init(&ip);
    Networking_IpConfig_EnableStaticIp(&ip, Address("192.168.100.10"), Address("255.255.255.0"), Address("0.0.0.0"));
    int result = Networking_IpConfig_Apply(INTERFACE, &ip);
    Networking_IpConfig_Destroy(&ip);
    if (result == -1) {
        return -1;
    }
    Networking_SntpServerConfig sntp;
    Networking_SntpServerConfig_Init(&sntp);
    result = Networking_SntpServer_Start(INTERFACE, &sntp);
    Networking_SntpServerConfig_Destroy(&sntp);
    if (result == -1) {
        return -1;
    }
    Networking_DhcpServerConfig dhcp;
    Networking_DhcpServerConfig_Init(&dhcp);
    Networking_DhcpServerConfig_SetLease(&dhcp, Address("192.168.100.11"), 1, Address("255.255.255.0"),
                                         Address("192.168.100.10"), 24);
    result = Networking_DhcpServer_Start(INTERFACE, &dhcp);
    Networking_DhcpServerConfig_Destroy(&dhcp);
    return result;
}

static void OnClient(EventLoop *el, int fd, EventLoop_IoEvents events, void *context)
{
    char text[256];
    (void)events;
    (void)context;
    ssize_t length = recv(fd, text, sizeof text, 0);
    if (length <= 0) {
        EventLoop_UnregisterIo(el, clientRegistration);
        close(fd);
        clientFd = -1;
        Log_Debug("client has gone\n");
        return;
    }
    for (ssize_t index = 0; index < length; index++) {
        text[index] = (char)toupper((unsigned char)text[index]);
    }
    send(fd, text, (size_t)length, 0);
}

static void OnConnection(EventLoop *el, int fd, EventLoop_IoEvents events, void *context)
{
    (void)events;
    (void)context;
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    int accepted = accept4(fd, (struct sockaddr *)&from, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted == -1) {
        return;
    }
    if (clientFd != -1) {
        close(accepted);
        return;
    }
    clientFd = accepted;
    clientRegistration = EventLoop_RegisterIo(el, accepted, EventLoop_Input, OnClient, NULL);
    Log_Debug("client from %s\n", inet_ntoa(from.sin_addr));
}

static int Listen(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int one = 1;
    struct sockaddr_in at;
    memset(&at, 0, sizeof at);
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = INADDR_ANY;
    at.sin_port = htons(PORT);
    if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == -1 ||
        bind(fd, (const struct sockaddr *)&at, sizeof at) == -1 || listen(fd, 1) == -1) {
        return -1;
    }
    return fd;
}

int main(void)
{
    struct sigaction action = {0};
    action.sa_handler = OnTerminate;
    sigaction(SIGTERM, &action, NULL);
    if (ServeNetwork() == -1) {
        Log_Debug("network: %s\n", strerror(errno));
        return ExitCode_Network;
    }
    int listenFd = Listen();
    if (listenFd == -1) {
        Log_Debug("server: %s\n", strerror(errno));
        return ExitCode_Server;
    }
    EventLoop *eventLoop = EventLoop_Create();
    if (eventLoop == NULL || EventLoop_RegisterIo(eventLoop, listenFd, EventLoop_Input, OnConnection, NULL) == NULL) {
        return ExitCode_EventLoop;
    }
    Log_Debug("listening on %d\n", PORT);
    while (!isTerminated) {
        if (EventLoop_Run(eventLoop, -1, true) == EventLoop_Run_Failed && errno != EINTR) {
            return ExitCode_EventLoop;
        }
    }
    return ExitCode_Success;
}
