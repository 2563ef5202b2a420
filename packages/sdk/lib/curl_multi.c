#include "curl_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MOST_WAITS 16

struct Curl_multi {
    CURL *first;
    curl_socket_callback onSocket;
    void *socketData;
    curl_multi_timer_callback onTimer;
    void *timerData;
    CURLMsg message;
};

CURLM *curl_multi_init(void)
{
    return calloc(1, sizeof(CURLM));
}

CURLMcode curl_multi_setopt(CURLM *multi, CURLMoption option, ...)
{
    CURLMcode result = CURLM_OK;
    va_list args;
    va_start(args, option);
    switch (option) {
    case CURLMOPT_SOCKETFUNCTION:
        multi->onSocket = va_arg(args, curl_socket_callback);
        break;
    case CURLMOPT_SOCKETDATA:
        multi->socketData = va_arg(args, void *);
        break;
    case CURLMOPT_TIMERFUNCTION:
        multi->onTimer = va_arg(args, curl_multi_timer_callback);
        break;
    case CURLMOPT_TIMERDATA:
        multi->timerData = va_arg(args, void *);
        break;
    /* Over HTTP/2 a connection is shared, over HTTP/1 each exchange has its own. */
    case CURLMOPT_PIPELINING:
    case CURLMOPT_MAXCONNECTS:
        break;
    default:
        result = CURLM_UNKNOWN_OPTION;
    }
    va_end(args);
    return result;
}

void curl_forget_socket(CURL *curl)
{
    CURLM *multi = curl->multi;
    if (multi == NULL || curl->watchedFd == -1) {
        return;
    }
    int before = curl->watchedFd;
    curl->watchedFd = -1;
    curl->watched = CURL_POLL_NONE;
    if (multi->onSocket != NULL) {
        multi->onSocket(curl, before, CURL_POLL_REMOVE, multi->socketData, curl->socketContext);
    }
    curl->socketContext = NULL;
}

/* Tells the app which descriptor to watch for what. */
static void tell_socket(CURLM *multi, CURL *curl)
{
    int wants = curl->stage == CURL_DONE ? CURL_POLL_NONE : curl_wants(curl);
    if (wants == CURL_POLL_NONE) {
        curl_forget_socket(curl);
        return;
    }
    if (curl->watchedFd != curl->fd || curl->watched != wants) {
        curl->watchedFd = curl->fd;
        curl->watched = wants;
        if (multi->onSocket != NULL) {
            multi->onSocket(curl, curl->fd, wants, multi->socketData, curl->socketContext);
        }
    }
}

CURLMcode curl_multi_timeout(CURLM *multi, long *outMilliseconds)
{
    int64_t now = curl_now();
    *outMilliseconds = -1;
    for (CURL *curl = multi->first; curl != NULL; curl = curl->next) {
        if (curl->stage == CURL_IDLE) {
            *outMilliseconds = 0;
        } else if (curl->stage != CURL_DONE && curl->timeoutMs > 0) {
            long left = curl->deadline <= now ? 0 : (long)(curl->deadline - now);
            if (*outMilliseconds == -1 || left < *outMilliseconds) {
                *outMilliseconds = left;
            }
        }
    }
    return CURLM_OK;
}

static void tell_timer(CURLM *multi)
{
    long milliseconds;
    if (multi->onTimer != NULL) {
        curl_multi_timeout(multi, &milliseconds);
        multi->onTimer(multi, milliseconds, multi->timerData);
    }
}

CURLMcode curl_multi_add_handle(CURLM *multi, CURL *curl)
{
    if (curl == NULL) {
        return CURLM_BAD_EASY_HANDLE;
    }
    if (curl->multi != NULL) {
        return CURLM_ADDED_ALREADY;
    }
    curl->multi = multi;
    curl->stage = CURL_IDLE;
    curl->isTold = false;
    curl->next = multi->first;
    multi->first = curl;
    tell_timer(multi);
    return CURLM_OK;
}

CURLMcode curl_multi_remove_handle(CURLM *multi, CURL *curl)
{
    if (curl != NULL && curl->multi == NULL) {
        // As libcurl has it: what is in no multi handle is out already.
        return CURLM_OK;
    }
    for (CURL **link = &multi->first; *link != NULL; link = &(*link)->next) {
        if (*link == curl) {
            enum curl_stage before = curl->stage;
            *link = curl->next;
            curl->stage = CURL_DONE;
            tell_socket(multi, curl);
            curl->stage = before == CURL_DONE ? CURL_DONE : CURL_IDLE;
            curl->next = NULL;
            curl->multi = NULL;
            return CURLM_OK;
        }
    }
    return CURLM_BAD_EASY_HANDLE;
}

/* Whether another transfer is about to have a connection that this one could share. */
static bool is_worth_waiting(const CURLM *multi, const CURL *curl)
{
    if (!curl->waitsForPipe || curl->url == NULL) {
        return false;
    }
    const char *path = strstr(curl->url, "://");
    size_t origin = path == NULL ? 0 : (size_t)(path + 3 - curl->url) + strcspn(path + 3, "/?#");
    for (const CURL *other = multi->first; other != NULL; other = other->next) {
        bool isOpening = other->stage == CURL_CONNECTING && other->session == NULL && curl_offers_http2(other);
        if (other != curl && isOpening && other->effectiveUrl != NULL &&
            strncasecmp(other->effectiveUrl, curl->url, origin) == 0) {
            return true;
        }
    }
    return false;
}

static void step(CURLM *multi, CURL *curl)
{
    if (curl->stage == CURL_IDLE || curl->stage == CURL_PIPE_WAIT) {
        if (is_worth_waiting(multi, curl)) {
            curl->stage = CURL_PIPE_WAIT;
            return;
        }
        curl_begin(curl);
    }
    curl_go_on(curl);
    /* A redirect has begun another exchange, which may go on at once. */
    tell_socket(multi, curl);
}

/* Those that waited for another's connection, which has come or will not. */
static void step_waiting(CURLM *multi)
{
    for (CURL *curl = multi->first, *next; curl != NULL; curl = next) {
        next = curl->next;
        if (curl->stage == CURL_PIPE_WAIT) {
            step(multi, curl);
        }
    }
}

static int running(const CURLM *multi)
{
    int count = 0;
    for (const CURL *curl = multi->first; curl != NULL; curl = curl->next) {
        count += curl->stage != CURL_DONE;
    }
    return count;
}

CURLMcode curl_multi_perform(CURLM *multi, int *outRunning)
{
    for (CURL *curl = multi->first, *next; curl != NULL; curl = next) {
        next = curl->next;
        step(multi, curl);
    }
    step_waiting(multi);
    *outRunning = running(multi);
    tell_timer(multi);
    return CURLM_OK;
}

CURLMcode curl_multi_socket_action(CURLM *multi, curl_socket_t socket, int events, int *outRunning)
{
    (void)events;
    int64_t now = curl_now();
    for (CURL *curl = multi->first, *next; curl != NULL; curl = next) {
        next = curl->next;
        bool isMeant = socket == CURL_SOCKET_TIMEOUT ? curl->stage == CURL_IDLE || curl->deadline <= now
                                                     : curl->fd == socket;
        if (isMeant) {
            step(multi, curl);
        }
    }
    step_waiting(multi);
    *outRunning = running(multi);
    tell_timer(multi);
    return CURLM_OK;
}

CURLMcode curl_multi_assign(CURLM *multi, curl_socket_t socket, void *socketContext)
{
    for (CURL *curl = multi->first; curl != NULL; curl = curl->next) {
        if (curl->watchedFd == socket) {
            curl->socketContext = socketContext;
            return CURLM_OK;
        }
    }
    return CURLM_BAD_SOCKET;
}

CURLMcode curl_multi_wait(CURLM *multi, struct curl_waitfd *extra, unsigned int extraCount, int timeoutMs,
                          int *outCount)
{
    struct pollfd waits[MOST_WAITS];
    unsigned count = 0;
    long most;
    for (const CURL *curl = multi->first; curl != NULL && count < MOST_WAITS; curl = curl->next) {
        int wants = curl_wants(curl);
        if (wants != CURL_POLL_NONE) {
            waits[count++] = (struct pollfd){.fd = curl->fd, .events = wants == CURL_POLL_OUT ? POLLOUT : POLLIN};
        }
    }
    unsigned own = count;
    for (unsigned index = 0; index < extraCount && count < MOST_WAITS; index++) {
        short events = (extra[index].events & CURL_WAIT_POLLIN) != 0 ? POLLIN : 0;
        events |= (extra[index].events & CURL_WAIT_POLLOUT) != 0 ? POLLOUT : 0;
        waits[count++] = (struct pollfd){.fd = extra[index].fd, .events = events};
    }
    curl_multi_timeout(multi, &most);
    int patience = most >= 0 && most < timeoutMs ? (int)most : timeoutMs;
    int ready = count == 0 ? 0 : poll(waits, count, patience);
    for (unsigned index = own; index < count; index++) {
        extra[index - own].revents = (short)(((waits[index].revents & POLLIN) != 0 ? CURL_WAIT_POLLIN : 0) |
                                             ((waits[index].revents & POLLOUT) != 0 ? CURL_WAIT_POLLOUT : 0));
    }
    if (outCount != NULL) {
        *outCount = ready < 0 ? 0 : ready;
    }
    return CURLM_OK;
}

CURLMcode curl_multi_poll(CURLM *multi, struct curl_waitfd *extra, unsigned int extraCount, int timeoutMs,
                          int *outCount)
{
    return curl_multi_wait(multi, extra, extraCount, timeoutMs, outCount);
}

CURLMsg *curl_multi_info_read(CURLM *multi, int *outLeft)
{
    CURL *found = NULL;
    *outLeft = 0;
    for (CURL *curl = multi->first; curl != NULL; curl = curl->next) {
        if (curl->stage == CURL_DONE && !curl->isTold) {
            if (found == NULL) {
                found = curl;
            } else {
                *outLeft += 1;
            }
        }
    }
    if (found == NULL) {
        return NULL;
    }
    found->isTold = true;
    multi->message.msg = CURLMSG_DONE;
    multi->message.easy_handle = found;
    multi->message.data.result = found->result;
    return &multi->message;
}

CURLMcode curl_multi_cleanup(CURLM *multi)
{
    while (multi->first != NULL) {
        curl_multi_remove_handle(multi, multi->first);
    }
    curl_sessions_end(multi);
    free(multi);
    return CURLM_OK;
}

const char *curl_multi_strerror(CURLMcode code)
{
    switch (code) {
    case CURLM_OK:
        return "No error";
    case CURLM_BAD_EASY_HANDLE:
        return "Invalid easy handle";
    case CURLM_ADDED_ALREADY:
        return "The easy handle is already added to a multi handle";
    case CURLM_BAD_SOCKET:
        return "Invalid socket argument";
    case CURLM_UNKNOWN_OPTION:
        return "Unknown option";
    default:
        return "Unknown error";
    }
}
