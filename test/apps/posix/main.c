/* What POSIX promises around WASI, checked from the inside: the resolver, sockets, waiting, signals, interfaces and
 * arguments. What does not hold is a line `not ok …` of the log, and the last one says how much was tried. Options: --tcp, --udp, --listen with the ports of the test. */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <resolv.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <applibs/log.h>

#define HOST "echo.test"

static unsigned checks;
static uint16_t tcpPort, udpPort, listenPort;
static volatile sig_atomic_t handled;

static void Check(int isTrue, const char *what)
{
    checks += 1;
    if (!isTrue) {
        Log_Debug("not ok %s (errno %d)\n", what, errno);
    }
}

static int64_t NowMs(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void CheckArguments(int argc, char *argv[])
{
    static const struct option options[] = {
        {"tcp", required_argument, NULL, 't'},
        {"udp", required_argument, NULL, 'u'},
        {"listen", required_argument, NULL, 'l'},
        {"verbose", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    bool isVerbose = false, hasUnknown = false;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "v", options, NULL)) != -1;) {
        uint16_t port = optarg == NULL ? 0 : (uint16_t)strtoul(optarg, NULL, 10);
        switch (option) {
        case 't': tcpPort = port; break;
        case 'u': udpPort = port; break;
        case 'l': listenPort = port; break;
        case 'v': isVerbose = true; break;
        default: hasUnknown = true; break;
        }
    }
    Check(isVerbose && hasUnknown && tcpPort != 0 && udpPort != 0 && listenPort != 0, "getopt_long reads options");
    Check(optind == argc - 1 && strcmp(argv[optind], "rest") == 0, "getopt_long leaves what is none");
}

static bool Resolve(struct sockaddr_in *address)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char service[8], text[INET_ADDRSTRLEN] = "", host[NI_MAXHOST] = "", port[NI_MAXSERV] = "";
    memset(service, 0, sizeof service);
    for (unsigned rest = tcpPort, at = 0, scale = 10000; scale > 0; scale /= 10) {
        if (rest / scale > 0 || at > 0) {
            service[at++] = (char)('0' + rest / scale % 10);
        }
    }
    int result = getaddrinfo(HOST, service, &hints, &found);
    Check(result == 0 && found != NULL && found->ai_family == AF_INET && found->ai_next == NULL, "getaddrinfo finds a host");
    if (result != 0) {
        return false;
    }
    memcpy(address, found->ai_addr, sizeof *address);
    Check(found->ai_addrlen == sizeof *address && ntohs(address->sin_port) == tcpPort, "getaddrinfo knows the port");
    Check(inet_ntop(AF_INET, &address->sin_addr, text, sizeof text) != NULL && strcmp(text, "127.0.0.1") == 0,
          "inet_ntop writes the address");
    Check(getnameinfo(found->ai_addr, found->ai_addrlen, host, sizeof host, port, sizeof port,
                      NI_NUMERICHOST | NI_NUMERICSERV) == 0 &&
              strcmp(host, text) == 0 && strcmp(port, service) == 0,
          "getnameinfo writes both");
    freeaddrinfo(found);
    errno = 0;
    result = getaddrinfo("elsewhere.test", NULL, &hints, &found);
    Check(result == EAI_SYSTEM && errno == EACCES && gai_strerror(result)[0] != '\0',
          "getaddrinfo asks for no name but those of the manifest");
    Check(getaddrinfo(HOST, "http-alt", &hints, &found) == EAI_SERVICE, "getaddrinfo knows numbers of services alone");
    struct hostent *entry = gethostbyname(HOST);
    Check(entry != NULL && entry->h_length == 4 && memcmp(entry->h_addr, &address->sin_addr, 4) == 0, "gethostbyname");
    return true;
}

static void CheckStream(const struct sockaddr_in *address)
{
    char text[16] = "";
    struct sockaddr_in name;
    socklen_t length = sizeof name;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    Check(fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0, "connect");
    Check(getpeername(fd, (struct sockaddr *)&name, &length) == 0 && name.sin_port == address->sin_port, "getpeername");
    length = sizeof name;
    Check(getsockname(fd, (struct sockaddr *)&name, &length) == 0 && name.sin_port != 0, "getsockname");
    int isOn = 1, type = 0, error = -1;
    Check(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &isOn, sizeof isOn) == 0, "setsockopt");
    length = sizeof type;
    Check(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM, "getsockopt tells the type");
    length = sizeof error;
    Check(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0, "getsockopt tells of no error");
    Check(send(fd, "ping", 4, 0) == 4, "send");
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    Check(poll(&wait, 1, 5000) == 1 && (wait.revents & POLLIN) != 0, "poll sees the answer");
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(fd, &readable);
    struct timeval patience = {.tv_sec = 5};
    Check(select(fd + 1, &readable, NULL, NULL, &patience) == 1 && FD_ISSET(fd, &readable), "select sees it as well");
    Check(recv(fd, text, sizeof text, MSG_PEEK) == 4 && memcmp(text, "ping", 4) == 0, "recv looks ahead");
    Check(recv(fd, text, sizeof text, 0) == 4, "recv");
    Check(fcntl(fd, F_SETFL, O_NONBLOCK) == 0 && recv(fd, text, sizeof text, 0) == -1 && errno == EAGAIN,
          "recv waits for nothing where it may not");
    Check(fcntl(fd, F_SETFL, 0) == 0 && shutdown(fd, SHUT_WR) == 0 && recv(fd, text, sizeof text, 0) == 0,
          "shutdown ends what is sent, and the peer ends as well");
    close(fd);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in other = *address;
    other.sin_addr.s_addr = htonl(0x7f000005);
    Check(connect(fd, (const struct sockaddr *)&other, sizeof other) == -1 && errno == EACCES,
          "connect reaches nobody whom the manifest does not name");
    close(fd);
}

static void CheckDatagrams(const struct sockaddr_in *address)
{
    char text[16] = "";
    struct sockaddr_in to = *address, from = {0};
    socklen_t length = sizeof from;
    to.sin_port = htons(udpPort);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    Check(sendto(fd, "pong", 4, 0, (struct sockaddr *)&to, sizeof to) == 4, "sendto");
    Check(recvfrom(fd, text, sizeof text, 0, (struct sockaddr *)&from, &length) == 4 && memcmp(text, "pong", 4) == 0,
          "recvfrom");
    Check(length == sizeof from && from.sin_port == to.sin_port && from.sin_addr.s_addr == to.sin_addr.s_addr,
          "recvfrom tells who sent");
    struct timeval patience = {.tv_usec = 50000};
    Check(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
              recv(fd, text, sizeof text, 0) == -1 && errno == EAGAIN,
          "SO_RCVTIMEO ends a wait");
    close(fd);
}

static void CheckServer(void)
{
    char text[16] = "";
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(listenPort)}, peer = {0};
    socklen_t length = sizeof peer;
    int isOn = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    Check(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &isOn, sizeof isOn) == 0, "SO_REUSEADDR");
    Check(bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 2) == 0, "bind and listen");
    Log_Debug("listening\n");
    int client = accept(fd, (struct sockaddr *)&peer, &length);
    Check(client >= 0 && peer.sin_family == AF_INET && peer.sin_port != 0, "accept");
    Check(recv(client, text, sizeof text, 0) == 5 && send(client, text, 5, 0) == 5, "a client is served");
    close(client);
    close(fd);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_port = htons((uint16_t)(listenPort ^ 1));
    Check((bind(fd, (struct sockaddr *)&address, sizeof address) == -1 || listen(fd, 1) == -1) && errno == EACCES,
          "no port but those of the manifest");
    close(fd);
}

static void CheckWaiting(void)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct itimerspec in = {.it_value.tv_nsec = 30000000};
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(fd, &readable);
    struct timeval shortly = {.tv_usec = 10000}, long_ = {.tv_sec = 5};
    int64_t begun = NowMs();
    timerfd_settime(fd, 0, &in, NULL);
    Check(select(fd + 1, &readable, NULL, NULL, &shortly) == 0 && !FD_ISSET(fd, &readable) && NowMs() - begun >= 10,
          "select ends in time");
    FD_SET(fd, &readable);
    Check(select(fd + 1, &readable, NULL, NULL, &long_) == 1 && NowMs() - begun == 30, "select waits for a timer");
    uint64_t expirations = 0;
    Check(read(fd, &expirations, sizeof expirations) == sizeof expirations && expirations == 1, "timerfd counts");
    close(fd);
    FD_ZERO(&readable);
    FD_SET(fd, &readable);
    Check(select(fd + 1, &readable, NULL, NULL, &long_) == -1 && errno == EBADF, "select knows what is open");
}

static void OnSignal(int signal)
{
    handled += signal;
}

static void CheckSignals(void)
{
    struct sigaction action = {.sa_handler = OnSignal}, before;
    sigset_t set, pending;
    siginfo_t info;
    struct timespec shortly = {.tv_nsec = 20000000};
    Check(sigaction(SIGUSR1, &action, NULL) == 0 && raise(SIGUSR1) == 0 && handled == SIGUSR1, "sigaction and raise");
    Check(sigaction(SIGKILL, &action, NULL) == -1 && errno == EINVAL, "nobody handles SIGKILL");
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    Check(sigprocmask(SIG_BLOCK, &set, NULL) == 0 && raise(SIGUSR1) == 0 && handled == SIGUSR1, "sigprocmask holds one back");
    Check(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1) == 1, "sigpending");
    Check(sigtimedwait(&set, &info, &shortly) == SIGUSR1 && info.si_signo == SIGUSR1, "sigtimedwait takes it");
    int64_t begun = NowMs();
    Check(sigtimedwait(&set, NULL, &shortly) == -1 && errno == EAGAIN && NowMs() - begun >= 20, "sigtimedwait ends in time");
    Check(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0 && handled == SIGUSR1, "what was taken does not come again");
    Check(sigaction(SIGUSR1, NULL, &before) == 0 && before.sa_handler == OnSignal, "sigaction tells what is set");
}

static void CheckInterfaces(void)
{
    struct ifaddrs *list = NULL;
    Check(getifaddrs(&list) == 0 && list != NULL && list->ifa_name[0] != '\0', "getifaddrs");
    char name[IF_NAMESIZE] = "";
    unsigned index = list == NULL ? 0 : if_nametoindex(list->ifa_name);
    Check(index > 0 && if_indextoname(index, name) != NULL && strcmp(name, list->ifa_name) == 0, "names of interfaces");
    Check(if_nametoindex("none0") == 0 && errno == ENODEV, "no interface of that name");
    freeifaddrs(list);
}

static void CheckMessages(void)
{
    unsigned char message[128];
    char name[64] = "";
    Check(res_init() == 0, "res_init");
    int length = res_mkquery(ns_o_query, HOST, ns_c_in, ns_t_a, NULL, 0, NULL, message, sizeof message);
    Check(length == 12 + 11 + 4, "res_mkquery writes a question");
    Check(dn_expand(message, message + length, message + 12, name, sizeof name) == 11 && strcmp(name, HOST) == 0,
          "dn_expand reads its name");
    Check(dn_skipname(message + 12, message + length) == 11, "dn_skipname");
    /* A name that points to itself. */
    message[12] = 0xc0;
    message[13] = 12;
    Check(dn_expand(message, message + length, message + 12, name, sizeof name) == -1, "dn_expand follows no circle");
}

int main(int argc, char *argv[])
{
    struct sockaddr_in address;
    CheckArguments(argc, argv);
    if (Resolve(&address)) {
        CheckStream(&address);
        CheckDatagrams(&address);
    }
    CheckServer();
    CheckWaiting();
    CheckSignals();
    CheckInterfaces();
    CheckMessages();
    /* SIGTERM is taken like any other, half a second before the end. */
    sigset_t set;
    siginfo_t info;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    Log_Debug("done: %u checks\n", checks);
    Check(sigwaitinfo(&set, &info) == SIGTERM && info.si_signo == SIGTERM, "sigwaitinfo takes SIGTERM");
    Log_Debug("ended in order\n");
    return 0;
}
