/* HTTP as a server of the test sees it: argv is what to do, URLs, and the port of a proxy. */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#include <applibs/log.h>
#include <applibs/networking.h>
#include <applibs/networking_curl.h>
#include <applibs/storage.h>
#include <curl/curl.h>

#define MOST 4
#define MS 1000000

typedef struct {
    CURL *easy;
    char answer[64];
    size_t length;
    size_t total;
    unsigned pauses;
} Transfer;

static Transfer transfers[MOST];
static bool throughProxy;
static long version = CURL_HTTP_VERSION_2TLS;

static size_t Keep(char *bytes, size_t size, size_t count, void *context)
{
    Transfer *transfer = context;
    size_t length = size * count;
    size_t room = sizeof transfer->answer - 1 - transfer->length;
    size_t kept = length < room ? length : room;
    memcpy(transfer->answer + transfer->length, bytes, kept);
    transfer->length += kept;
    transfer->total += length;
    return length;
}

static size_t KeepSlowly(char *bytes, size_t size, size_t count, void *context)
{
    Transfer *transfer = context;
    if (transfer->pauses < 3) {
        transfer->pauses += 1;
        return CURL_WRITEFUNC_PAUSE;
    }
    return Keep(bytes, size, count, context);
}

static void Prepare(Transfer *transfer, const char *url)
{
    char *roots = Storage_GetAbsolutePathInImagePackage("certs/root.pem");
    memset(transfer, 0, sizeof *transfer);
    transfer->easy = curl_easy_init();
    curl_easy_setopt(transfer->easy, CURLOPT_URL, url);
    curl_easy_setopt(transfer->easy, CURLOPT_CAINFO, roots);
    curl_easy_setopt(transfer->easy, CURLOPT_HTTP_VERSION, version);
    curl_easy_setopt(transfer->easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(transfer->easy, CURLOPT_PIPEWAIT, 1L);
    curl_easy_setopt(transfer->easy, CURLOPT_WRITEFUNCTION, Keep);
    curl_easy_setopt(transfer->easy, CURLOPT_WRITEDATA, transfer);
    free(roots);
    if (throughProxy && Networking_Curl_SetDefaultProxy(transfer->easy) == -1) {
        Log_Debug("no proxy: %s\n", strerror(errno));
    }
}

static void Tell(Transfer *transfer, CURLcode result)
{
    long status = 0, answered = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_VERSION, &answered);
    if (result == CURLE_OK) {
        Log_Debug("HTTP/%ld %ld %zu %s\n", answered == CURL_HTTP_VERSION_2 ? 2L : 1L, status, transfer->total,
                  transfer->answer);
    } else {
        Log_Debug("failed: %s\n", curl_easy_strerror(result));
    }
}

static void Easy(int count, char *urls[])
{
    Prepare(&transfers[0], urls[0]);
    for (int index = 0; index < count; index++) {
        curl_easy_setopt(transfers[0].easy, CURLOPT_URL, urls[index]);
        memset(transfers[0].answer, 0, sizeof transfers[0].answer);
        transfers[0].length = transfers[0].total = 0;
        Tell(&transfers[0], curl_easy_perform(transfers[0].easy));
    }
    curl_easy_cleanup(transfers[0].easy);
}

static void Post(const char *url)
{
    struct curl_slist *headers = curl_slist_append(NULL, "X-App: lamp");
    Prepare(&transfers[0], url);
    curl_easy_setopt(transfers[0].easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(transfers[0].easy, CURLOPT_POSTFIELDS, "lit=1");
    Tell(&transfers[0], curl_easy_perform(transfers[0].easy));
    curl_slist_free_all(headers);
    curl_easy_cleanup(transfers[0].easy);
}

static void Multi(int count, char *urls[])
{
    CURLM *multi = curl_multi_init();
    int running = 0;
    for (int index = 0; index < count && index < MOST; index++) {
        Prepare(&transfers[index], urls[index]);
        // An app that starts its transfers again and again takes out first what may not be in yet.
        if (curl_multi_remove_handle(multi, transfers[index].easy) != CURLM_OK) {
            Log_Debug("not taken out\n");
            return;
        }
        curl_multi_add_handle(multi, transfers[index].easy);
    }
    do {
        curl_multi_perform(multi, &running);
        if (running > 0) {
            curl_multi_wait(multi, NULL, 0, 1000, NULL);
        }
    } while (running > 0);
    int left = 0;
    for (CURLMsg *message = curl_multi_info_read(multi, &left); message != NULL;
         message = curl_multi_info_read(multi, &left)) {
        for (int index = 0; index < MOST; index++) {
            if (transfers[index].easy == message->easy_handle) {
                Tell(&transfers[index], message->data.result);
            }
        }
    }
    curl_multi_cleanup(multi);
    for (int index = 0; index < count && index < MOST; index++) {
        curl_easy_cleanup(transfers[index].easy);
    }
}

/* Takes nothing three times, and goes on a second later each time. */
static void Pause(const char *url)
{
    CURLM *multi = curl_multi_init();
    struct timespec second = {.tv_sec = 1};
    int running = 1;
    unsigned seen = 0;
    Prepare(&transfers[0], url);
    curl_easy_setopt(transfers[0].easy, CURLOPT_WRITEFUNCTION, KeepSlowly);
    curl_multi_add_handle(multi, transfers[0].easy);
    while (running > 0) {
        curl_multi_perform(multi, &running);
        if (transfers[0].pauses > seen) {
            seen = transfers[0].pauses;
            nanosleep(&second, NULL);
            Log_Debug("paused with %zu\n", transfers[0].total);
            curl_easy_pause(transfers[0].easy, CURLPAUSE_CONT);
        } else if (running > 0) {
            curl_multi_wait(multi, NULL, 0, 1000, NULL);
        }
    }
    int left = 0;
    CURLMsg *message = curl_multi_info_read(multi, &left);
    Tell(&transfers[0], message == NULL ? CURLE_FAILED_INIT : message->data.result);
    curl_multi_cleanup(multi);
    curl_easy_cleanup(transfers[0].easy);
}

static void SetProxy(const char *port)
{
    Networking_ProxyConfig *config = Networking_Proxy_Create();
    Networking_Proxy_SetProxyAddress(config, "proxy.example", (uint16_t)atoi(port));
    Networking_Proxy_SetBasicAuthentication(config, "lamp", "secret");
    Networking_Proxy_SetProxyNoProxyAddresses(config, "direct.example");
    if (Networking_Proxy_Apply(config) == -1) {
        Log_Debug("proxy: %s\n", strerror(errno));
    }
    Networking_Proxy_Destroy(config);
    throughProxy = true;
}

static void TellInterfaces(void)
{
    struct ifaddrs *list = NULL;
    if (getifaddrs(&list) == -1) {
        return;
    }
    for (struct ifaddrs *each = list; each != NULL; each = each->ifa_next) {
        struct sockaddr_in *at = (struct sockaddr_in *)each->ifa_addr;
        Log_Debug("%s %s %s\n", each->ifa_name, (each->ifa_flags & IFF_UP) != 0 ? "up" : "down",
                  at == NULL ? "-" : inet_ntoa(at->sin_addr));
    }
    freeifaddrs(list);
}

/* Without Ethernet there is no network; with it again all is well. */
static void Unplug(const char *url)
{
    bool isReady = true;
    Prepare(&transfers[0], url);
    Tell(&transfers[0], curl_easy_perform(transfers[0].easy));
    Networking_SetInterfaceState("eth0", false);
    Networking_IsNetworkingReady(&isReady);
    Log_Debug("ready: %d\n", isReady);
    TellInterfaces();
    Tell(&transfers[0], curl_easy_perform(transfers[0].easy));
    Networking_SetInterfaceState("eth0", true);
    TellInterfaces();
    transfers[0].length = transfers[0].total = 0;
    Tell(&transfers[0], curl_easy_perform(transfers[0].easy));
    curl_easy_cleanup(transfers[0].easy);
}

static long long Now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / MS;
}

static void Timeouts(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct timeval wanted = {.tv_usec = 250500}, found = {0};
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t length = sizeof found;
    char byte;
    bind(fd, (struct sockaddr *)&at, sizeof at);
    int set = setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wanted, sizeof wanted);
    getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &found, &length);
    long long before = Now();
    ssize_t received = recv(fd, &byte, 1, 0);
    Log_Debug("timeout %d %lld.%06ld %zd %s after %lld\n", set, (long long)found.tv_sec, (long)found.tv_usec, received,
              errno == EAGAIN ? "EAGAIN" : strerror(errno), Now() - before);
    wanted.tv_usec = 1000000;
    set = setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wanted, sizeof wanted);
    Log_Debug("refused %d %d\n", set, errno == EDOM);
}

static void Refusals(const char *url)
{
    Transfer transfer;
    Prepare(&transfer, url);
    CURLcode own = curl_easy_setopt(transfer.easy, CURLOPT_PROXY, "proxy.example:8080");
    CURLcode through = curl_easy_perform(transfer.easy);
    CURLcode none = curl_easy_setopt(transfer.easy, CURLOPT_PROXY, "");
    CURLcode plain = curl_easy_setopt(transfer.easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
    CURLcode invalid = curl_easy_setopt(transfer.easy, CURLOPT_HTTP_VERSION, -1L);
    Log_Debug("proxy %d, through it %d, none %d; h2c %d, less than none %d\n", own, through, none, plain, invalid);
    Tell(&transfer, curl_easy_perform(transfer.easy));
    curl_easy_cleanup(transfer.easy);
}

int main(int argc, char *argv[])
{
    if (argc > 3 && strcmp(argv[argc - 2], "proxy") == 0) {
        SetProxy(argv[argc - 1]);
        argc -= 2;
    }
    if (strcmp(argv[1], "1.1") == 0) {
        version = CURL_HTTP_VERSION_1_1;
        argv++;
        argc--;
    }
    if (strcmp(argv[1], "easy") == 0) {
        Easy(argc - 2, argv + 2);
    } else if (strcmp(argv[1], "multi") == 0) {
        Multi(argc - 2, argv + 2);
    } else if (strcmp(argv[1], "post") == 0) {
        Post(argv[2]);
    } else if (strcmp(argv[1], "pause") == 0) {
        Pause(argv[2]);
    } else if (strcmp(argv[1], "unplug") == 0) {
        Unplug(argv[2]);
    } else if (strcmp(argv[1], "refusals") == 0) {
        Refusals(argv[2]);
    } else {
        Timeouts();
    }
    Log_Debug("done\n");
    for (;;) {
        struct timespec hour = {.tv_sec = 3600};
        nanosleep(&hour, NULL);
    }
}
