/* An answer as it arrives (RFC 9112 §4 to §7), in pieces of any size: its head, redirects, and its body by its framing. */
#include "curl_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool give(CURL *curl, curl_write_callback to, void *context, char *bytes, size_t length)
{
    if (length == 0 || to(bytes, 1, length, context) == length) {
        return true;
    }
    curl_end(curl, CURLE_WRITE_ERROR);
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
        curl_end(curl, CURLE_TOO_MANY_REDIRECTS);
        return;
    }
    curl->redirects += 1;
    char *url = absolute(curl, curl->location);
    if (url == NULL) {
        curl_end(curl, CURLE_OUT_OF_MEMORY);
        return;
    }
    /* RFC 9110 §15.4: 303 is a GET from there on, and by custom 301 and 302 after a POST. */
    if (curl->status == 303 || (curl->isPost && curl->status < 303)) {
        curl->isGet = true;
    }
    free(curl->effectiveUrl);
    curl->effectiveUrl = url;
    curl_begin_at(curl, url);
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
        curl_end(curl, CURLE_HTTP_RETURNED_ERROR);
        return false;
    }
    bool hasNoBody = (curl->isHead && !curl->isPost) || curl->status == 204 || curl->status == 304;
    if (curl->framing != CURL_CHUNK_SIZE) {
        curl->framing = curl->contentLength >= 0 ? CURL_LENGTH : CURL_UNTIL_CLOSE;
    }
    curl->left = curl->contentLength;
    if (hasNoBody || (curl->framing == CURL_LENGTH && curl->left == 0)) {
        curl_end(curl, CURLE_OK);
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
            curl_end(curl, CURLE_WEIRD_SERVER_REPLY);
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
            curl_end(curl, CURLE_OK);
            return false;
        }
        return true;
    }
    char *after;
    curl->left = strtoll(curl->line, &after, 16);
    if (after == curl->line || curl->left < 0) {
        curl_end(curl, CURLE_WEIRD_SERVER_REPLY);
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
                curl_end(curl, CURLE_WEIRD_SERVER_REPLY);
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
        curl_end(curl, CURLE_OUT_OF_MEMORY);
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
        curl_end(curl, CURLE_WRITE_ERROR);
        return false;
    }
    *at += length;
    curl->received += (curl_off_t)length;
    curl->left -= (curl_off_t)length;
    if (isBounded && curl->left == 0) {
        if (curl->framing == CURL_LENGTH) {
            curl_end(curl, CURLE_OK);
            return false;
        }
        curl->framing = CURL_CHUNK_END;
    }
    return true;
}

bool curl_take(CURL *curl, char *bytes, size_t length)
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
