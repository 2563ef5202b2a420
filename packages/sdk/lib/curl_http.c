/* One HTTP exchange (RFC 9110, RFC 9112; over HTTP/2 see curl_http2.c) as a state machine that never waits. */
#include "curl_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "host.h"

#define CHUNK 2048
#define LARGEST_ROOTS 16384
#define HTTPS_PORT 443
#define HTTP_PORT 80
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

static void end(CURL *curl, CURLcode result)
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

/* Takes a URL apart: scheme, host, port. Gives where its path begins; NULL with `result` set. */
static const char *read_url(CURL *curl, const char *url, CURLcode *result)
{
    *result = CURLE_URL_MALFORMAT;
    if (url == NULL) {
        return NULL;
    }
    const char *scheme = strstr(url, "://");
    curl->isTls = scheme != NULL && strncasecmp(url, "https", 5) == 0 && scheme == url + 5;
    bool isPlain = scheme == NULL || (strncasecmp(url, "http", 4) == 0 && scheme == url + 4);
    if (!curl->isTls && !isPlain) {
        *result = CURLE_UNSUPPORTED_PROTOCOL;
        return NULL;
    }
    if ((curl->protocols & (curl->isTls ? CURLPROTO_HTTPS : CURLPROTO_HTTP)) == 0) {
        *result = CURLE_UNSUPPORTED_PROTOCOL;
        return NULL;
    }
    const char *host = scheme == NULL ? url : scheme + 3;
    size_t length = strcspn(host, ":/?#");
    if (length == 0 || length > CURL_LONGEST_HOST || memchr(host, '@', length) != NULL) {
        return NULL;
    }
    memcpy(curl->host, host, length);
    curl->host[length] = '\0';
    curl->port = curl->isTls ? HTTPS_PORT : HTTP_PORT;
    const char *at = host + length;
    if (*at == ':') {
        char *after;
        unsigned long port = strtoul(at + 1, &after, 10);
        if (after == at + 1 || port == 0 || port > UINT16_MAX) {
            return NULL;
        }
        curl->port = (uint16_t)port;
        at = after;
    }
    *result = CURLE_OK;
    return at;
}

static bool has_header(const CURL *curl, const char *name)
{
    size_t length = strlen(name);
    for (const struct curl_slist *item = curl->headers; item != NULL; item = item->next) {
        if (strncasecmp(item->data, name, length) == 0 && item->data[length] == ':') {
            return true;
        }
    }
    return false;
}

static bool is_safe(const char *text)
{
    return strpbrk(text, "\r\n") == NULL;
}

static CURLcode write_request(CURL *curl, const char *path)
{
    size_t bodyLength = 0;
    const char *method = "GET";
    bool sendsBody = curl->isPost && !curl->isGet;
    curl->sendsBody = sendsBody;
    if (sendsBody) {
        method = "POST";
        bodyLength = curl->fieldsSize >= 0 ? (size_t)curl->fieldsSize : curl->fields == NULL ? 0 : strlen(curl->fields);
    } else if (curl->isHead) {
        method = "HEAD";
    }
    if (curl->method != NULL && !curl->isGet) {
        method = curl->method;
    }
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (out == NULL) {
        return CURLE_OUT_OF_MEMORY;
    }
    bool isSafe = is_safe(path) && is_safe(method);
    size_t pathLength = strcspn(path, "#");
    bool isDefaultPort = curl->port == (curl->isTls ? HTTPS_PORT : HTTP_PORT);
    fprintf(out, "%s %s%.*s HTTP/1.1\r\nHost: %s", method, *path == '/' ? "" : "/", (int)pathLength, path, curl->host);
    if (!isDefaultPort) {
        fprintf(out, ":%u", curl->port);
    }
    fprintf(out, "\r\nConnection: close\r\n");
    if (!has_header(curl, "Accept")) {
        fprintf(out, "Accept: */*\r\n");
    }
    if (curl->agent != NULL) {
        isSafe = isSafe && is_safe(curl->agent);
        fprintf(out, "User-Agent: %s\r\n", curl->agent);
    }
    if (curl->range != NULL) {
        isSafe = isSafe && is_safe(curl->range);
        fprintf(out, "Range: bytes=%s\r\n", curl->range);
    }
    if (sendsBody) {
        fprintf(out, "Content-Length: %zu\r\n", bodyLength);
        if (!has_header(curl, "Content-Type")) {
            fprintf(out, "Content-Type: application/x-www-form-urlencoded\r\n");
        }
    }
    for (const struct curl_slist *item = curl->headers; item != NULL; item = item->next) {
        isSafe = isSafe && is_safe(item->data);
        /* `Name:` takes a header out, as with libcurl. */
        size_t name = strcspn(item->data, ":");
        if (item->data[name] == ':' && item->data[name + 1] != '\0') {
            fprintf(out, "%s\r\n", item->data);
        }
    }
    fprintf(out, "\r\n");
    if (bodyLength > 0) {
        fwrite(curl->fields, 1, bodyLength, out);
    }
    if (fclose(out) != 0 || !isSafe) {
        free(text);
        return isSafe ? CURLE_OUT_OF_MEMORY : CURLE_BAD_FUNCTION_ARGUMENT;
    }
    free(curl->request);
    curl->request = text;
    curl->requestLength = length;
    curl->sent = 0;
    return CURLE_OK;
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

static void begin_at(CURL *curl, const char *url)
{
    CURLcode result;
    hang_up(curl);
    const char *path = read_url(curl, url, &result);
    if (result == CURLE_OK && curl->proxy != NULL && *curl->proxy != '\0' && !curl->usesProxy) {
        result = CURLE_NOT_BUILT_IN;
    }
    if (result == CURLE_OK) {
        result = write_request(curl, path);
    }
    curl->isShared = false;
    if (result == CURLE_OK && !(curl_offers_http2(curl) && curl_session_join(curl))) {
        result = curl->isTls ? open_tls(curl) : open_plain(curl);
    }
    if (result != CURLE_OK) {
        end(curl, result);
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
    begin_at(curl, curl->effectiveUrl);
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
        end(curl, code_of(error, CURLE_COULDNT_CONNECT));
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
                end(curl, code_of(errno, curl->stage == CURL_CONNECTING ? CURLE_COULDNT_CONNECT : CURLE_SEND_ERROR));
            }
            return false;
        }
        curl->stage = CURL_SENDING;
        curl->sent += (size_t)count;
    }
    curl->stage = CURL_HEAD;
    return true;
}

static bool give(CURL *curl, curl_write_callback to, void *context, char *bytes, size_t length)
{
    if (length == 0 || to(bytes, 1, length, context) == length) {
        return true;
    }
    end(curl, CURLE_WRITE_ERROR);
    return false;
}

static char *value_of(char *line, const char *name)
{
    size_t length = strlen(name);
    if (strncasecmp(line, name, length) != 0 || line[length] != ':') {
        return NULL;
    }
    return line + length + 1 + strspn(line + length + 1, " \t");
}

static void note_header(CURL *curl, char *line)
{
    char *value;
    if ((value = value_of(line, "Content-Length")) != NULL) {
        curl->contentLength = strtoll(value, NULL, 10);
    } else if (curl->session == NULL && (value = value_of(line, "Transfer-Encoding")) != NULL && strcasecmp(value, "chunked") == 0) {
        curl->framing = CURL_CHUNK_SIZE;
    } else if ((value = value_of(line, "Content-Type")) != NULL) {
        free(curl->contentType);
        curl->contentType = strdup(value);
    } else if ((value = value_of(line, "Location")) != NULL) {
        free(curl->location);
        curl->location = strdup(value);
    }
}

/* The URL that a Location means (RFC 3986 §5, what servers send of it); the caller frees it. */
static char *absolute(const CURL *curl, const char *location)
{
    char *url = NULL;
    if (strstr(location, "://") != NULL) {
        return strdup(location);
    }
    if (asprintf(&url, "%s://%s:%u%s%s", curl->isTls ? "https" : "http", curl->host, curl->port,
                 *location == '/' ? "" : "/", location) == -1) {
        return NULL;
    }
    return url;
}

static void redirect(CURL *curl)
{
    if (curl->redirects >= curl->mostRedirects) {
        end(curl, CURLE_TOO_MANY_REDIRECTS);
        return;
    }
    curl->redirects += 1;
    char *url = absolute(curl, curl->location);
    if (url == NULL) {
        end(curl, CURLE_OUT_OF_MEMORY);
        return;
    }
    /* RFC 9110 §15.4: 303 is a GET from there on, and by custom 301 and 302 after a POST. */
    if (curl->status == 303 || (curl->isPost && curl->status < 303)) {
        curl->isGet = true;
    }
    free(curl->effectiveUrl);
    curl->effectiveUrl = url;
    begin_at(curl, url);
}

/* The empty line after the header. False: this answer is over, or another exchange began. */
static bool end_head(CURL *curl)
{
    if (curl->status >= 100 && curl->status < 200) {
        curl->status = 0;
        return true;
    }
    if (curl->follows && curl->location != NULL && curl->status >= 300 && curl->status < 400) {
        redirect(curl);
        return false;
    }
    if (curl->failsOnError && curl->status >= 400) {
        end(curl, CURLE_HTTP_RETURNED_ERROR);
        return false;
    }
    bool hasNoBody = (curl->isHead && !curl->isPost) || curl->status == 204 || curl->status == 304;
    if (curl->framing != CURL_CHUNK_SIZE) {
        curl->framing = curl->contentLength >= 0 ? CURL_LENGTH : CURL_UNTIL_CLOSE;
    }
    curl->left = curl->contentLength;
    if (hasNoBody || (curl->framing == CURL_LENGTH && curl->left == 0)) {
        end(curl, CURLE_OK);
        return false;
    }
    curl->stage = CURL_BODY;
    return true;
}

/* One line of the header. False as above. */
static bool take_head_line(CURL *curl)
{
    char *line = curl->line;
    if (curl->header != NULL) {
        char whole[CURL_LONGEST_LINE + 2];
        int length = snprintf(whole, sizeof whole, "%s\r\n", line);
        if (!give(curl, curl->header, curl->headerData, whole, (size_t)length)) {
            return false;
        }
    }
    if (curl->status == 0) {
        bool isHttp2 = curl->session != NULL;
        if (sscanf(line, isHttp2 ? "HTTP/2 %3ld" : "HTTP/1.%*d %3ld", &curl->status) != 1 || curl->status < 100) {
            end(curl, CURLE_WEIRD_SERVER_REPLY);
            return false;
        }
        curl->answered = isHttp2 ? CURL_HTTP_VERSION_2_0 : CURL_HTTP_VERSION_1_1;
        curl->framing = CURL_UNTIL_CLOSE;
        return true;
    }
    if (*line == '\0') {
        return end_head(curl);
    }
    note_header(curl, line);
    return true;
}

static bool take_chunk_line(CURL *curl)
{
    if (curl->framing == CURL_CHUNK_END) {
        curl->framing = CURL_CHUNK_SIZE;
        return true;
    }
    if (curl->framing == CURL_TRAILER) {
        if (*curl->line == '\0') {
            end(curl, CURLE_OK);
            return false;
        }
        return true;
    }
    char *after;
    curl->left = strtoll(curl->line, &after, 16);
    if (after == curl->line || curl->left < 0) {
        end(curl, CURLE_WEIRD_SERVER_REPLY);
        return false;
    }
    curl->framing = curl->left == 0 ? CURL_TRAILER : CURL_CHUNK;
    return true;
}

/* Takes bytes up to the end of a line. False: the answer is over. */
static bool take_line(CURL *curl, char **at, const char *stop)
{
    while (*at < stop) {
        char byte = *(*at)++;
        if (byte != '\n') {
            if (curl->lineLength + 1 >= sizeof curl->line) {
                end(curl, CURLE_WEIRD_SERVER_REPLY);
                return false;
            }
            curl->line[curl->lineLength++] = byte;
            continue;
        }
        if (curl->lineLength > 0 && curl->line[curl->lineLength - 1] == '\r') {
            curl->lineLength -= 1;
        }
        curl->line[curl->lineLength] = '\0';
        curl->lineLength = 0;
        return curl->stage == CURL_HEAD ? take_head_line(curl) : take_chunk_line(curl);
    }
    return true;
}

/* Keeps what the app did not take now. False in any case: nothing more is taken. */
static bool hold(CURL *curl, const char *bytes, size_t length)
{
    char *copy = malloc(length);
    if (copy == NULL) {
        end(curl, CURLE_OUT_OF_MEMORY);
        return false;
    }
    memcpy(copy, bytes, length);
    curl->held = copy;
    curl->heldLength = length;
    curl->isPaused = true;
    return false;
}

static bool take_body(CURL *curl, char **at, const char *stop)
{
    size_t length = (size_t)(stop - *at);
    bool isBounded = curl->framing == CURL_LENGTH || curl->framing == CURL_CHUNK;
    if (isBounded && (curl_off_t)length > curl->left) {
        length = (size_t)curl->left;
    }
    size_t taken = length == 0 ? 0 : curl->write(*at, 1, length, curl->writeData);
    if (taken == CURL_WRITEFUNC_PAUSE) {
        return hold(curl, *at, (size_t)(stop - *at));
    }
    if (taken != length) {
        end(curl, CURLE_WRITE_ERROR);
        return false;
    }
    *at += length;
    curl->received += (curl_off_t)length;
    curl->left -= (curl_off_t)length;
    if (isBounded && curl->left == 0) {
        if (curl->framing == CURL_LENGTH) {
            end(curl, CURLE_OK);
            return false;
        }
        curl->framing = CURL_CHUNK_END;
    }
    return true;
}

/* What has arrived. False: the answer is over, or another exchange began. */
static bool take(CURL *curl, char *bytes, size_t length)
{
    char *at = bytes;
    const char *stop = bytes + length;
    while (at < stop) {
        bool isData = curl->stage == CURL_BODY && (curl->framing == CURL_LENGTH || curl->framing == CURL_CHUNK ||
                                                   curl->framing == CURL_UNTIL_CLOSE);
        if (!(isData ? take_body(curl, &at, stop) : take_line(curl, &at, stop))) {
            return false;
        }
    }
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
    begin_at(curl, curl->effectiveUrl);
    return true;
}

static void end_of_stream(CURL *curl)
{
    if (curl->stage == CURL_BODY && curl->framing == CURL_UNTIL_CLOSE) {
        end(curl, CURLE_OK);
    } else if (curl->status == 0 && curl->lineLength == 0) {
        end(curl, CURLE_GOT_NOTHING);
    } else {
        end(curl, CURLE_PARTIAL_FILE);
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
    end(curl, CURLE_ABORTED_BY_CALLBACK);
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
    bool goesOn = held == NULL || take(curl, held, curl->heldLength);
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
                end(curl, code_of(errno, CURLE_RECV_ERROR));
            }
            return;
        } else if (!take(curl, bytes, (size_t)count) || !tell_progress(curl)) {
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
        end(curl, CURLE_OPERATION_TIMEDOUT);
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
