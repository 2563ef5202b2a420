/* HTTP/2 (RFC 9113): the OS speaks it, over connections that transfers of one handle share. */
#include "curl_internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "host.h"

#define NO_BODY -1

/* A connection that agreed on HTTP/2. */
struct curl_session {
    struct curl_session *next;
    /* The multi handle whose transfers share it, or the one easy handle. */
    const void *owner;
    char host[CURL_LONGEST_HOST + 1];
    char *cainfo;
    uint16_t port;
    Tls_Identity identity;
    bool usesProxy;
    /* It takes no more requests; closed with the last of those that it has. */
    bool isSpent;
    int fd;
    int users;
};

static struct curl_session *sessions;

static const void *owner_of(const CURL *curl)
{
    return curl->multi != NULL ? (const void *)curl->multi : (const void *)curl;
}

static bool is_same(const char *one, const char *other)
{
    return one == other || (one != NULL && other != NULL && strcmp(one, other) == 0);
}

/* Whether both want the same of the same server. */
static bool fits(const struct curl_session *session, const CURL *curl)
{
    return !session->isSpent && session->owner == owner_of(curl) && session->port == curl->port &&
           session->identity == curl->identity && session->usesProxy == curl->usesProxy &&
           strcasecmp(session->host, curl->host) == 0 && is_same(session->cainfo, curl->cainfo);
}

static void drop(struct curl_session *session)
{
    for (struct curl_session **link = &sessions; *link != NULL; link = &(*link)->next) {
        if (*link == session) {
            *link = session->next;
            break;
        }
    }
    close(session->fd);
    free(session->cainfo);
    free(session);
}

void curl_sessions_end(const void *owner)
{
    for (struct curl_session *session = sessions, *next; session != NULL; session = next) {
        next = session->next;
        if (session->owner == owner) {
            session->isSpent = true;
            if (session->users == 0) {
                drop(session);
            }
        }
    }
}

bool curl_session_join(CURL *curl)
{
    for (struct curl_session *session = sessions; session != NULL; session = session->next) {
        if (fits(session, curl)) {
            session->users += 1;
            curl->session = session;
            curl->isShared = true;
            return true;
        }
    }
    return false;
}

void curl_session_leave(CURL *curl, bool isBroken)
{
    struct curl_session *session = curl->session;
    if (session == NULL) {
        return;
    }
    curl->session = NULL;
    session->isSpent = session->isSpent || isBroken;
    session->users -= 1;
    if (session->users == 0 && session->isSpent) {
        drop(session);
    }
}

/* Makes the transfer's connection one that others share. */
static bool found_session(CURL *curl)
{
    struct curl_session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        return false;
    }
    session->owner = owner_of(curl);
    strcpy(session->host, curl->host);
    session->cainfo = curl->cainfo == NULL ? NULL : strdup(curl->cainfo);
    session->port = curl->port;
    session->identity = curl->identity;
    session->usesProxy = curl->usesProxy;
    session->fd = curl->fd;
    session->users = 1;
    session->next = sessions;
    sessions = session;
    curl->session = session;
    curl_forget_socket(curl);
    curl->fd = -1;
    return true;
}

/* Fields that belong to a connection of HTTP/1 (RFC 9113 section 8.2.2); the OS itself says which host is meant. */
static bool is_of_connection(const char *name, size_t length)
{
    static const char *const names[] = {"host", "connection", "keep-alive", "proxy-connection", "transfer-encoding",
                                        "upgrade", "te", "http2-settings"};
    for (size_t index = 0; index < sizeof names / sizeof names[0]; index++) {
        if (strlen(names[index]) == length && strncasecmp(names[index], name, length) == 0) {
            return true;
        }
    }
    return false;
}

/* What HTTP/1 would send, as the host takes it: texts that end in NUL. The caller frees it. */
static char *head_of(const CURL *curl, size_t *outLength)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, outLength);
    if (out == NULL) {
        return NULL;
    }
    const char *line = curl->request;
    size_t method = strcspn(line, " ");
    size_t path = strcspn(line + method + 1, " ");
    fprintf(out, "%.*s%c%.*s%c", (int)method, line, 0, (int)path, line + method + 1, 0);
    for (line = strstr(line, "\r\n") + 2; strncmp(line, "\r\n", 2) != 0; line = strstr(line, "\r\n") + 2) {
        size_t name = strcspn(line, ":");
        const char *value = line + name + 1 + strspn(line + name + 1, " ");
        if (is_of_connection(line, name)) {
            continue;
        }
        for (size_t index = 0; index < name; index++) {
            fputc(tolower((unsigned char)line[index]), out);
        }
        fprintf(out, "%c%.*s%c", 0, (int)strcspn(value, "\r"), value, 0);
    }
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

int curl_session_request(CURL *curl)
{
    if (curl->session == NULL) {
        int protocol = 0;
        int error = host_tls_protocol(curl->fd, &protocol);
        if (error != 0) {
            return error == ENOTCONN ? EAGAIN : error;
        }
        if (protocol != HOST_PROTOCOL_HTTP2) {
            return ENOPROTOOPT;
        }
        if (!found_session(curl)) {
            return ENOMEM;
        }
    }
    size_t length = 0;
    char *head = head_of(curl, &length);
    if (head == NULL) {
        return ENOMEM;
    }
    const char *body = strstr(curl->request, "\r\n\r\n") + 4;
    int bodyLength = curl->sendsBody ? (int)(curl->requestLength - (size_t)(body - curl->request)) : NO_BODY;
    int error = host_http2_open(curl->session->fd, head, length, body, bodyLength, HOST_NON_BLOCKING, &curl->fd);
    free(head);
    return error;
}
