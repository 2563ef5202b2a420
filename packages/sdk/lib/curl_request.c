/* What a transfer asks for: its URL, and its request as HTTP/1.1 writes it (RFC 9112 §3). */
#include "curl_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HTTPS_PORT 443
#define HTTP_PORT 80

const char *curl_read_url(CURL *curl, const char *url, CURLcode *result)
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

CURLcode curl_write_request(CURL *curl, const char *path)
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
