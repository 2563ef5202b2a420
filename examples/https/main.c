/* Fetches each URL of its arguments: the first by curl's easy interface, all of them at once by its multi interface in
 * an event loop. Servers are judged by a root certificate that comes with the app (curl/curl.h). */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <applibs/eventloop.h>
#include <applibs/log.h>
#include <applibs/networking.h>
#include <applibs/networking_curl.h>
#include <applibs/storage.h>
#include <curl/curl.h>
#include <eventloop_timer_utilities.h>

#define MOST_TRANSFERS 4
#define LARGEST_ANSWER 2048
#define TIMEOUT_SECONDS 10
#define MS_PER_SECOND 1000
#define NS_PER_MS 1000000

typedef enum { ExitCode_Success = 0, ExitCode_Usage = 1, ExitCode_Curl = 2, ExitCode_EventLoop = 3 } ExitCode;

typedef struct {
    CURL *easy;
    char answer[LARGEST_ANSWER];
    size_t length;
} Transfer;

static Transfer transfers[MOST_TRANSFERS];
static EventLoop *eventLoop;
static EventLoopTimer *curlTimer;
static CURLM *multi;
static int running;

static size_t Keep(char *bytes, size_t size, size_t count, void *context)
{
    Transfer *transfer = context;
    size_t length = size * count;
    if (length > sizeof transfer->answer - 1 - transfer->length) {
        return 0;
    }
    memcpy(transfer->answer + transfer->length, bytes, length);
    transfer->length += length;
    transfer->answer[transfer->length] = '\0';
    return length;
}

static int Prepare(Transfer *transfer, const char *url)
{
    char *roots = Storage_GetAbsolutePathInImagePackage("certs/root.pem");
    transfer->easy = curl_easy_init();
    transfer->length = 0;
    int isReady = roots != NULL && transfer->easy != NULL &&
                  curl_easy_setopt(transfer->easy, CURLOPT_URL, url) == CURLE_OK &&
                  curl_easy_setopt(transfer->easy, CURLOPT_CAINFO, roots) == CURLE_OK &&
                  curl_easy_setopt(transfer->easy, CURLOPT_FOLLOWLOCATION, 1L) == CURLE_OK &&
                  curl_easy_setopt(transfer->easy, CURLOPT_TIMEOUT, (long)TIMEOUT_SECONDS) == CURLE_OK &&
                  curl_easy_setopt(transfer->easy, CURLOPT_USERAGENT, "sevenfold-example/1") == CURLE_OK &&
                  curl_easy_setopt(transfer->easy, CURLOPT_WRITEFUNCTION, Keep) == CURLE_OK &&
                  curl_easy_setopt(transfer->easy, CURLOPT_WRITEDATA, transfer) == CURLE_OK &&
                  curl_easy_setopt(transfer->easy, CURLOPT_PRIVATE, transfer) == CURLE_OK;
    free(roots);
    /* Where the device has a proxy; without one this changes nothing. */
    if (isReady && Networking_Curl_SetDefaultProxy(transfer->easy) == -1) {
        Log_Debug("proxy: %s\n", strerror(errno));
        return -1;
    }
    return isReady ? 0 : -1;
}

static void Tell(const char *how, CURL *easy, CURLcode result)
{
    Transfer *transfer = NULL;
    long status = 0, version = 0;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
    if (result == CURLE_OK) {
        Log_Debug("%s: %ld %s (HTTP/%s)\n", how, status, transfer->answer, version == CURL_HTTP_VERSION_2 ? "2" : "1.1");
    } else {
        Log_Debug("%s: %s\n", how, curl_easy_strerror(result));
    }
}

static void TellFinished(void)
{
    int left = 0;
    for (CURLMsg *message = curl_multi_info_read(multi, &left); message != NULL;
         message = curl_multi_info_read(multi, &left)) {
        if (message->msg == CURLMSG_DONE) {
            Tell("multi", message->easy_handle, message->data.result);
        }
    }
    if (running == 0) {
        EventLoop_Stop(eventLoop);
    }
}

static void OnSocketReady(EventLoop *el, int fd, EventLoop_IoEvents events, void *context)
{
    (void)el;
    (void)context;
    int action = ((events & EventLoop_Input) != 0 ? CURL_CSELECT_IN : 0) |
                 ((events & EventLoop_Output) != 0 ? CURL_CSELECT_OUT : 0);
    curl_multi_socket_action(multi, fd, action, &running);
    TellFinished();
}

static int OnSocketWish(CURL *easy, curl_socket_t fd, int what, void *context, void *socketContext)
{
    (void)easy;
    (void)context;
    EventRegistration *registration = socketContext;
    if (what == CURL_POLL_REMOVE) {
        EventLoop_UnregisterIo(eventLoop, registration);
        return 0;
    }
    EventLoop_IoEvents events = what == CURL_POLL_OUT ? EventLoop_Output : EventLoop_Input;
    if (registration == NULL) {
        registration = EventLoop_RegisterIo(eventLoop, fd, events, OnSocketReady, NULL);
        curl_multi_assign(multi, fd, registration);
    } else {
        EventLoop_ModifyIoEvents(eventLoop, registration, events);
    }
    return 0;
}

static int OnTimerWish(CURLM *handle, long milliseconds, void *context)
{
    (void)handle;
    (void)context;
    if (milliseconds < 0) {
        return DisarmEventLoopTimer(curlTimer);
    }
    struct timespec delay = {.tv_sec = milliseconds / MS_PER_SECOND,
                             .tv_nsec = milliseconds == 0 ? 1 : milliseconds % MS_PER_SECOND * NS_PER_MS};
    return SetEventLoopTimerOneShot(curlTimer, &delay);
}

static void OnTimer(EventLoopTimer *timer)
{
    if (ConsumeEventLoopTimerEvent(timer) == 0) {
        curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
        TellFinished();
    }
}

static ExitCode FetchAll(int count, char *urls[])
{
    eventLoop = EventLoop_Create();
    curlTimer = CreateEventLoopDisarmedTimer(eventLoop, OnTimer);
    multi = curl_multi_init();
    if (eventLoop == NULL || curlTimer == NULL || multi == NULL) {
        return ExitCode_EventLoop;
    }
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, OnSocketWish);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, OnTimerWish);
    for (int index = 0; index < count && index < MOST_TRANSFERS; index++) {
        if (Prepare(&transfers[index], urls[index]) == -1 ||
            curl_multi_add_handle(multi, transfers[index].easy) != CURLM_OK) {
            return ExitCode_Curl;
        }
    }
    while (EventLoop_Run(eventLoop, -1, false) == EventLoop_Run_Failed) {
        if (errno != EINTR) {
            return ExitCode_EventLoop;
        }
    }
    curl_multi_cleanup(multi);
    return ExitCode_Success;
}

int main(int argc, char *argv[])
{
    bool isReady = false;
    if (argc < 2 || Networking_IsNetworkingReady(&isReady) == -1 || !isReady) {
        Log_Debug("usage: URL..., with a network\n");
        return ExitCode_Usage;
    }
    curl_global_init(CURL_GLOBAL_ALL);
    if (Prepare(&transfers[0], argv[1]) == -1) {
        return ExitCode_Curl;
    }
    Tell("easy", transfers[0].easy, curl_easy_perform(transfers[0].easy));
    curl_easy_cleanup(transfers[0].easy);
    ExitCode code = FetchAll(argc - 1, argv + 1);
    Log_Debug("done\n");
    curl_global_cleanup();
    return code;
}
