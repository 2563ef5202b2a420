/* One HTTP exchange (RFC 9110, RFC 9112; over HTTP/2 see curl_http2.c) as a state machine that never waits. */
#include "curl_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host.h"

#define CHUNK 2048
#define LARGEST_ROOTS 16384
#define MS_PER_SECOND 1000
#define NS_PER_MS 1000000

int64_t curl_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * MS_PER_SECOND + now.tv_nsec / NS_PER_MS;
}

static void hang_up(CURL *curl)
{
    if (curl->fd != -1) {
        curl_forget_socket(curl);
        close(curl->fd);
        curl->fd = -1;
    }
    curl_session_leave(curl, false);
}

bool curl_offers_http2(const CURL *curl)
{
    return curl->isTls && curl->version != CURL_HTTP_VERSION_1_0 && curl->version != CURL_HTTP_VERSION_1_1;
}

void curl_end(CURL *curl, CURLcode result)
{
    hang_up(curl);
    free(curl->request);
    curl->request = NULL;
    free(curl->held);
    curl->held = NULL;
    curl->isPaused = false;
    curl->stage = CURL_DONE;
    curl->result = result;
    if (result != CURLE_OK && curl->errorBuffer != NULL) {
        snprintf(curl->errorBuffer, CURL_ERROR_SIZE, "%s", curl_easy_strerror(result));
    }
}

/* What an errno of a connection means to a user of curl. */
static CURLcode code_of(int error, CURLcode otherwise)
{
    switch (error) {
    case EACCES:
        return CURLE_REMOTE_ACCESS_DENIED;
    case EHOSTUNREACH:
        return CURLE_COULDNT_RESOLVE_HOST;
    case EPROTO:
        return CURLE_SSL_CONNECT_ERROR;
    case ETIMEDOUT:
        return CURLE_OPERATION_TIMEDOUT;
    case ECONNREFUSED:
        return CURLE_COULDNT_CONNECT;
    case ENOMEM:
        return CURLE_OUT_OF_MEMORY;
    default:
        return otherwise;
    }
}

/* The roots of a file in place of the device's, for this app's connections from now on. */
static CURLcode use_roots(const char *path)
{
    int fd = open(path, O_RDONLY);
    char *pem = fd == -1 ? NULL : malloc(LARGEST_ROOTS);
    ssize_t length = pem == NULL ? -1 : read(fd, pem, LARGEST_ROOTS);
    int error = length <= 0 ? EINVAL : host_tls_roots(pem, (size_t)length);
    free(pem);
    if (fd != -1) {
        close(fd);
    }
    return error == 0 ? CURLE_OK : CURLE_SSL_CACERT_BADFILE;
}

static CURLcode open_tls(CURL *curl)
{
    Tls_Identity identity = curl->identity;
    CURLcode result = CURLE_OK;
    if (curl->sslContext != NULL) {
        result = curl->sslContext(curl, &identity, curl->sslContextData);
    }
    if (result == CURLE_OK && curl->cainfo != NULL) {
        result = use_roots(curl->cainfo);
    }
    if (result != CURLE_OK) {
        return result;
    }
    int flags = HOST_NON_BLOCKING | (curl_offers_http2(curl) ? HOST_TLS_HTTP2 : 0) |
                (curl->usesProxy ? 0 : HOST_TLS_DIRECT);
    int error = host_tls_connect(curl->host, strlen(curl->host), curl->port, (int)identity, flags, &curl->fd);
    return error == 0 ? CURLE_OK : code_of(error, CURLE_COULDNT_CONNECT);
}

/* A tunnel through the device's proxy, which resolves the name. */
static CURLcode open_tunnel(CURL *curl)
{
    curl->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (curl->fd == -1) {
        return code_of(errno, CURLE_COULDNT_CONNECT);
    }
    int error = host_socket_connect_host(curl->fd, curl->host, strlen(curl->host), curl->port);
    return error == 0 || error == EINPROGRESS ? CURLE_OK : code_of(error, CURLE_COULDNT_CONNECT);
}

static CURLcode open_plain(CURL *curl)
{
    if (curl->usesProxy) {
        return open_tunnel(curl);
    }
    char port[8];
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    snprintf(port, sizeof port, "%u", curl->port);
    int error = getaddrinfo(curl->host, port, &hints, &found);
    if (error != 0) {
        return error == EAI_SYSTEM ? code_of(errno, CURLE_COULDNT_RESOLVE_HOST) : CURLE_COULDNT_RESOLVE_HOST;
    }
    curl->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int result = curl->fd == -1 ? -1 : connect(curl->fd, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return result == 0 || errno == EINPROGRESS ? CURLE_OK : code_of(errno, CURLE_COULDNT_CONNECT);
}

void curl_begin_at(CURL *curl, const char *url)
{
    CURLcode result;
    hang_up(curl);
    const char *path = curl_read_url(curl, url, &result);
    if (result == CURLE_OK && curl->proxy != NULL && *curl->proxy != '\0' && !curl->usesProxy) {
        result = CURLE_NOT_BUILT_IN;
    }
    if (result == CURLE_OK) {
        result = curl_write_request(curl, path);
    }
    curl->isShared = false;
    if (result == CURLE_OK && !(curl_offers_http2(curl) && curl_session_join(curl))) {
        result = curl->isTls ? open_tls(curl) : open_plain(curl);
    }
    if (result != CURLE_OK) {
        curl_end(curl, result);
        return;
    }
    curl->stage = CURL_CONNECTING;
    curl->lineLength = 0;
    curl->status = 0;
    curl->contentLength = -1;
    curl->received = 0;
    free(curl->location);
    curl->location = NULL;
    free(curl->contentType);
    curl->contentType = NULL;
}

void curl_begin(CURL *curl)
{
    curl->answered = CURL_HTTP_VERSION_NONE;
    int64_t patience = curl->timeoutMs > 0 ? curl->timeoutMs : INT64_MAX / 2;
    curl->deadline = curl_now() + patience;
    curl->redirects = 0;
    curl->isGet = false;
    curl->result = CURLE_OK;
    free(curl->effectiveUrl);
    curl->effectiveUrl = curl->url == NULL ? NULL : strdup(curl->url);
    curl_begin_at(curl, curl->effectiveUrl);
}

int curl_wants(const CURL *curl)
{
    if (curl->isPaused || curl->fd == -1) {
        return CURL_POLL_NONE;
    }
    if (curl->stage == CURL_CONNECTING || curl->stage == CURL_SENDING) {
        return CURL_POLL_OUT;
    }
    return curl->stage == CURL_HEAD || curl->stage == CURL_BODY ? CURL_POLL_IN : CURL_POLL_NONE;
}

/* Over HTTP/2, if the server speaks it. False: it would wait, or it is over. */
static bool ask_http2(CURL *curl, bool *outIsAsked)
{
    int error = curl_session_request(curl);
    *outIsAsked = error == 0;
    if (error == 0) {
        curl->stage = CURL_HEAD;
    } else if (error != ENOPROTOOPT && error != EAGAIN) {
        curl_end(curl, code_of(error, CURLE_COULDNT_CONNECT));
    }
    return error == 0 || error == ENOPROTOOPT;
}

/* Sends what there is to send. False: it would wait, or it is over. */
static bool send_on(CURL *curl)
{
    if (curl->stage == CURL_CONNECTING && curl_offers_http2(curl)) {
        bool isAsked = false;
        if (!ask_http2(curl, &isAsked) || isAsked) {
            return isAsked;
        }
    }
    while (curl->sent < curl->requestLength) {
        ssize_t count = write(curl->fd, curl->request + curl->sent, curl->requestLength - curl->sent);
        if (count == -1) {
            if (errno != EAGAIN && errno != EINTR && errno != EINPROGRESS && errno != EALREADY) {
                curl_end(curl, code_of(errno, curl->stage == CURL_CONNECTING ? CURLE_COULDNT_CONNECT : CURLE_SEND_ERROR));
            }
            return false;
        }
        curl->stage = CURL_SENDING;
        curl->sent += (size_t)count;
    }
    curl->stage = CURL_HEAD;
    return true;
}

/* A connection that others had before had come to its end: tries once more with one of its own. */
static bool retry(CURL *curl)
{
    if (!curl->isShared || curl->status != 0 || curl->lineLength != 0) {
        return false;
    }
    curl_forget_socket(curl);
    close(curl->fd);
    curl->fd = -1;
    curl_session_leave(curl, true);
    curl_begin_at(curl, curl->effectiveUrl);
    return true;
}

static void end_of_stream(CURL *curl)
{
    if (curl->stage == CURL_BODY && curl->framing == CURL_UNTIL_CLOSE) {
        curl_end(curl, CURLE_OK);
    } else if (curl->status == 0 && curl->lineLength == 0) {
        curl_end(curl, CURLE_GOT_NOTHING);
    } else {
        curl_end(curl, CURLE_PARTIAL_FILE);
    }
}

/* Tells the app how far it is. False: the app gives up. */
static bool tell_progress(CURL *curl)
{
    if (!curl->tellsProgress || curl->progress == NULL || curl->stage == CURL_DONE) {
        return true;
    }
    curl_off_t total = curl->contentLength < 0 ? 0 : curl->contentLength;
    if (curl->progress(curl->progressData, total, curl->received, 0, 0) == 0) {
        return true;
    }
    curl_end(curl, CURLE_ABORTED_BY_CALLBACK);
    return false;
}

/* Offers again what the app did not take. False: it still does not, or it is over. */
static bool take_held(CURL *curl)
{
    if (!tell_progress(curl) || curl->isPaused) {
        return false;
    }
    char *held = curl->held;
    curl->held = NULL;
    bool goesOn = held == NULL || curl_take(curl, held, curl->heldLength);
    free(held);
    return goesOn;
}

static void receive_on(CURL *curl)
{
    char bytes[CHUNK];
    while (curl->stage == CURL_HEAD || curl->stage == CURL_BODY) {
        ssize_t count = read(curl->fd, bytes, sizeof bytes);
        if (count == 0) {
            end_of_stream(curl);
        } else if (count == -1) {
            if (errno != EAGAIN && errno != EINTR && !retry(curl)) {
                curl_end(curl, code_of(errno, CURLE_RECV_ERROR));
            }
            return;
        } else if (!curl_take(curl, bytes, (size_t)count) || !tell_progress(curl)) {
            return;
        }
    }
}

static void go_on(CURL *curl)
{
    if (curl->stage == CURL_DONE || curl->stage == CURL_IDLE || curl->stage == CURL_PIPE_WAIT) {
        return;
    }
    if (curl_now() >= curl->deadline) {
        curl_end(curl, CURLE_OPERATION_TIMEDOUT);
        return;
    }
    if ((curl->stage == CURL_CONNECTING || curl->stage == CURL_SENDING) && !send_on(curl)) {
        return;
    }
    if (!take_held(curl)) {
        return;
    }
    receive_on(curl);
}

void curl_go_on(CURL *curl)
{
    /* An exchange that begins on a connection that is there already has nothing to wait for. */
    do {
        go_on(curl);
    } while (curl->stage == CURL_CONNECTING && curl->fd == -1);
}
