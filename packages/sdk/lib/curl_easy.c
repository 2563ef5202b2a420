#include "curl_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tlsutils/deviceauth.h>
#include <unistd.h>

#define MS_PER_SECOND 1000
#define DEFAULT_CONNECT_MS 300000
#define DEFAULT_REDIRECTS 30
/* Between two looks at a transfer that is paused. */
#define PAUSE_NS 20000000

CURLcode curl_global_init(long flags)
{
    (void)flags;
    return CURLE_OK;
}

void curl_global_cleanup(void) {}

char *curl_version(void)
{
    static char version[] = "libcurl/" LIBCURL_VERSION;
    return version;
}

void curl_free(void *memory)
{
    free(memory);
}

struct curl_slist *curl_slist_append(struct curl_slist *list, const char *text)
{
    struct curl_slist *item = calloc(1, sizeof *item);
    if (item == NULL || (item->data = strdup(text)) == NULL) {
        free(item);
        return NULL;
    }
    if (list == NULL) {
        return item;
    }
    struct curl_slist *last = list;
    while (last->next != NULL) {
        last = last->next;
    }
    last->next = item;
    return list;
}

void curl_slist_free_all(struct curl_slist *list)
{
    while (list != NULL) {
        struct curl_slist *next = list->next;
        free(list->data);
        free(list);
        list = next;
    }
}

static size_t write_to_file(char *buffer, size_t size, size_t count, void *context)
{
    return fwrite(buffer, size, count, context == NULL ? stdout : (FILE *)context);
}

static void set_defaults(CURL *curl)
{
    curl->write = write_to_file;
    curl->protocols = CURLPROTO_HTTP | CURLPROTO_HTTPS;
    curl->fieldsSize = -1;
    curl->connectTimeoutMs = DEFAULT_CONNECT_MS;
    curl->mostRedirects = DEFAULT_REDIRECTS;
    curl->fd = -1;
    curl->watchedFd = -1;
}

CURL *curl_easy_init(void)
{
    CURL *curl = calloc(1, sizeof *curl);
    if (curl != NULL) {
        set_defaults(curl);
    }
    return curl;
}

void curl_use_device_proxy(CURL *curl)
{
    curl->usesProxy = curl->proxy != NULL;
}

static void free_all(CURL *curl)
{
    if (curl->fd != -1) {
        close(curl->fd);
    }
    curl_session_leave(curl, false);
    curl_sessions_end(curl);
    char *texts[] = {curl->url,   curl->method,       curl->agent,   curl->range,       curl->cainfo,  curl->copiedFields,
                     curl->proxy, curl->effectiveUrl, curl->request, curl->contentType, curl->location,     curl->held};
    for (size_t index = 0; index < sizeof texts / sizeof texts[0]; index++) {
        free(texts[index]);
    }
}

void curl_easy_reset(CURL *curl)
{
    free_all(curl);
    memset(curl, 0, sizeof *curl);
    set_defaults(curl);
}

void curl_easy_cleanup(CURL *curl)
{
    if (curl == NULL) {
        return;
    }
    if (curl->multi != NULL) {
        curl_multi_remove_handle(curl->multi, curl);
    }
    free_all(curl);
    free(curl);
}

static CURLcode set_text(char **to, const char *text)
{
    char *copy = text == NULL ? NULL : strdup(text);
    if (text != NULL && copy == NULL) {
        return CURLE_OUT_OF_MEMORY;
    }
    free(*to);
    *to = copy;
    return CURLE_OK;
}

static CURLcode set_fields(CURL *curl, const char *fields)
{
    size_t length = curl->fieldsSize >= 0 ? (size_t)curl->fieldsSize : fields == NULL ? 0 : strlen(fields);
    char *copy = malloc(length + 1);
    if (copy == NULL) {
        return CURLE_OUT_OF_MEMORY;
    }
    if (length > 0) {
        memcpy(copy, fields, length);
    }
    copy[length] = '\0';
    free(curl->copiedFields);
    curl->copiedFields = copy;
    curl->fields = copy;
    curl->fieldsSize = (long)length;
    curl->isPost = true;
    return CURLE_OK;
}

static CURLcode set_long(CURL *curl, CURLoption option, long value)
{
    switch (option) {
    case CURLOPT_TIMEOUT:
        curl->timeoutMs = value * MS_PER_SECOND;
        return CURLE_OK;
    case CURLOPT_TIMEOUT_MS:
        curl->timeoutMs = value;
        return CURLE_OK;
    case CURLOPT_CONNECTTIMEOUT:
        curl->connectTimeoutMs = value == 0 ? DEFAULT_CONNECT_MS : value * MS_PER_SECOND;
        return CURLE_OK;
    case CURLOPT_CONNECTTIMEOUT_MS:
        curl->connectTimeoutMs = value == 0 ? DEFAULT_CONNECT_MS : value;
        return CURLE_OK;
    case CURLOPT_NOBODY:
        curl->isHead = value != 0;
        return CURLE_OK;
    case CURLOPT_FAILONERROR:
        curl->failsOnError = value != 0;
        return CURLE_OK;
    case CURLOPT_POST:
        curl->isPost = value != 0;
        return CURLE_OK;
    case CURLOPT_HTTPGET:
        curl->isPost = value == 0 && curl->isPost;
        curl->isHead = value == 0 && curl->isHead;
        return CURLE_OK;
    case CURLOPT_FOLLOWLOCATION:
        curl->follows = value != 0;
        return CURLE_OK;
    case CURLOPT_MAXREDIRS:
        curl->mostRedirects = value < 0 ? DEFAULT_REDIRECTS : value;
        return CURLE_OK;
    case CURLOPT_POSTFIELDSIZE:
        curl->fieldsSize = value;
        return CURLE_OK;
    /* A server is always checked, by chain and by name. */
    case CURLOPT_SSL_VERIFYPEER:
    case CURLOPT_SSL_VERIFYHOST:
        return value == 0 ? CURLE_NOT_BUILT_IN : CURLE_OK;
    /* Nothing to be told: no signals, no log but the app's own. */
    case CURLOPT_VERBOSE:
    case CURLOPT_NOSIGNAL:
        return CURLE_OK;
    case CURLOPT_NOPROGRESS:
        curl->tellsProgress = value == 0;
        return CURLE_OK;
    case CURLOPT_PROTOCOLS:
    case CURLOPT_REDIR_PROTOCOLS:
        curl->protocols &= value;
        return CURLE_OK;
    /* HTTP/2 is agreed on in TLS, and falls back to 1.1; without that agreement nothing is sent. */
    case CURLOPT_HTTP_VERSION:
        if (value < CURL_HTTP_VERSION_NONE) {
            return CURLE_BAD_FUNCTION_ARGUMENT;
        }
        if (value == CURL_HTTP_VERSION_1_0 || value > CURL_HTTP_VERSION_2TLS) {
            return CURLE_UNSUPPORTED_PROTOCOL;
        }
        curl->version = value;
        return CURLE_OK;
    case CURLOPT_PIPEWAIT:
        curl->waitsForPipe = value != 0;
        return CURLE_OK;
    case CURLOPT_PROXYTYPE:
        return value == CURLPROXY_HTTP ? CURLE_OK : CURLE_NOT_BUILT_IN;
    default:
        return CURLE_UNKNOWN_OPTION;
    }
}

static CURLcode set_pointer(CURL *curl, CURLoption option, void *value)
{
    switch (option) {
    case CURLOPT_URL:
        return set_text(&curl->url, value);
    case CURLOPT_CUSTOMREQUEST:
        return set_text(&curl->method, value);
    case CURLOPT_USERAGENT:
        return set_text(&curl->agent, value);
    case CURLOPT_RANGE:
        return set_text(&curl->range, value);
    case CURLOPT_CAINFO:
        return set_text(&curl->cainfo, value);
    /* The device's alone (curl_use_device_proxy). Kept all the same: whoever does not look here goes nowhere, and not
     * past the proxy that was meant. */
    case CURLOPT_PROXY: {
        curl->usesProxy = false;
        CURLcode result = set_text(&curl->proxy, value);
        return result == CURLE_OK && value != NULL && *(char *)value != '\0' ? CURLE_UNKNOWN_OPTION : result;
    }
    case CURLOPT_COPYPOSTFIELDS:
        return set_fields(curl, value);
    case CURLOPT_POSTFIELDS:
        curl->fields = value;
        curl->isPost = true;
        return CURLE_OK;
    case CURLOPT_HTTPHEADER:
        curl->headers = value;
        return CURLE_OK;
    case CURLOPT_WRITEDATA:
        curl->writeData = value;
        return CURLE_OK;
    case CURLOPT_HEADERDATA:
        curl->headerData = value;
        return CURLE_OK;
    case CURLOPT_XFERINFODATA:
        curl->progressData = value;
        return CURLE_OK;
    case CURLOPT_ERRORBUFFER:
        curl->errorBuffer = value;
        return CURLE_OK;
    case CURLOPT_PRIVATE:
        curl->private = value;
        return CURLE_OK;
    case CURLOPT_SSL_CTX_DATA:
        curl->sslContextData = value;
        return CURLE_OK;
    /* The one certificate that there is: the device's. */
    case CURLOPT_SSLCERT:
        if (value != NULL && strcmp(value, DeviceAuth_GetCertificatePath()) != 0) {
            return CURLE_SSL_CERTPROBLEM;
        }
        curl->identity = value == NULL ? Tls_Identity_None : Tls_Identity_Device;
        return CURLE_OK;
    default:
        return CURLE_UNKNOWN_OPTION;
    }
}

CURLcode curl_easy_setopt(CURL *curl, CURLoption option, ...)
{
    if (curl == NULL) {
        return CURLE_BAD_FUNCTION_ARGUMENT;
    }
    CURLcode result = CURLE_UNKNOWN_OPTION;
    va_list args;
    va_start(args, option);
    if (option == CURLOPT_WRITEFUNCTION) {
        curl_write_callback callback = va_arg(args, curl_write_callback);
        curl->write = callback == NULL ? write_to_file : callback;
        result = CURLE_OK;
    } else if (option == CURLOPT_HEADERFUNCTION) {
        curl->header = va_arg(args, curl_write_callback);
        result = CURLE_OK;
    } else if (option == CURLOPT_XFERINFOFUNCTION) {
        curl->progress = va_arg(args, curl_xferinfo_callback);
        result = CURLE_OK;
    } else if (option == CURLOPT_SSL_CTX_FUNCTION) {
        curl->sslContext = va_arg(args, curl_ssl_ctx_callback);
        result = CURLE_OK;
    } else if (option < CURLOPTTYPE_OBJECTPOINT) {
        result = set_long(curl, option, va_arg(args, long));
    } else if (option < CURLOPTTYPE_FUNCTIONPOINT) {
        result = set_pointer(curl, option, va_arg(args, void *));
    }
    va_end(args);
    return result;
}

CURLcode curl_easy_getinfo(CURL *curl, CURLINFO info, ...)
{
    va_list args;
    va_start(args, info);
    void *out = va_arg(args, void *);
    va_end(args);
    if (curl == NULL || out == NULL) {
        return CURLE_BAD_FUNCTION_ARGUMENT;
    }
    switch (info) {
    case CURLINFO_EFFECTIVE_URL:
        *(char **)out = curl->effectiveUrl == NULL ? curl->url : curl->effectiveUrl;
        return CURLE_OK;
    case CURLINFO_CONTENT_TYPE:
        *(char **)out = curl->contentType;
        return CURLE_OK;
    case CURLINFO_PRIVATE:
        *(void **)out = curl->private;
        return CURLE_OK;
    case CURLINFO_HTTP_VERSION:
        *(long *)out = curl->answered;
        return CURLE_OK;
    case CURLINFO_RESPONSE_CODE:
        *(long *)out = curl->status;
        return CURLE_OK;
    case CURLINFO_SIZE_DOWNLOAD_T:
        *(curl_off_t *)out = curl->received;
        return CURLE_OK;
    case CURLINFO_CONTENT_LENGTH_DOWNLOAD_T:
        *(curl_off_t *)out = curl->contentLength;
        return CURLE_OK;
    default:
        return CURLE_UNKNOWN_OPTION;
    }
}

CURLcode curl_easy_pause(CURL *curl, int mask)
{
    if (curl == NULL) {
        return CURLE_BAD_FUNCTION_ARGUMENT;
    }
    curl->isPaused = (mask & CURLPAUSE_RECV) != 0;
    return CURLE_OK;
}

CURLcode curl_easy_perform(CURL *curl)
{
    if (curl == NULL || curl->multi != NULL) {
        return CURLE_BAD_FUNCTION_ARGUMENT;
    }
    curl_begin(curl);
    for (;;) {
        curl_go_on(curl);
        if (curl->stage == CURL_DONE) {
            return curl->result;
        }
        if (curl->isPaused) {
            struct timespec nap = {.tv_nsec = PAUSE_NS};
            nanosleep(&nap, NULL);
            continue;
        }
        int64_t left = curl->deadline - curl_now();
        struct pollfd wait = {.fd = curl->fd, .events = curl_wants(curl) == CURL_POLL_OUT ? POLLOUT : POLLIN};
        poll(&wait, 1, left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left);
    }
}

const char *curl_easy_strerror(CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return "No error";
    case CURLE_UNSUPPORTED_PROTOCOL:
        return "Neither http nor https";
    case CURLE_URL_MALFORMAT:
        return "URL using bad/illegal format or missing URL";
    case CURLE_NOT_BUILT_IN:
        return "Not offered on this device";
    case CURLE_COULDNT_RESOLVE_HOST:
        return "Couldn't resolve host name";
    case CURLE_COULDNT_CONNECT:
        return "Couldn't connect to server";
    case CURLE_REMOTE_ACCESS_DENIED:
        return "The manifest does not name this host, or not DeviceAuthentication";
    case CURLE_WEIRD_SERVER_REPLY:
        return "The answer is not HTTP";
    case CURLE_PARTIAL_FILE:
        return "The answer ended too soon";
    case CURLE_HTTP_RETURNED_ERROR:
        return "HTTP response code said error";
    case CURLE_WRITE_ERROR:
        return "The app took less than it was given";
    case CURLE_OUT_OF_MEMORY:
        return "Out of memory";
    case CURLE_OPERATION_TIMEDOUT:
        return "Timeout was reached";
    case CURLE_SSL_CONNECT_ERROR:
        return "TLS handshake failed";
    case CURLE_SSL_CERTPROBLEM:
        return "Problem with the device's certificate";
    case CURLE_SSL_CACERT_BADFILE:
        return "Problem with the CA certificates";
    case CURLE_TOO_MANY_REDIRECTS:
        return "Number of redirects hit maximum amount";
    case CURLE_GOT_NOTHING:
        return "Server returned nothing";
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        return "The connection was lost";
    case CURLE_UNKNOWN_OPTION:
        return "Unknown option";
    default:
        return "Unknown error";
    }
}

static bool is_unreserved(unsigned char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
           byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

char *curl_easy_escape(CURL *curl, const char *text, int length)
{
    (void)curl;
    static const char digits[] = "0123456789ABCDEF";
    size_t count = length == 0 ? strlen(text) : (size_t)length;
    char *escaped = malloc(3 * count + 1);
    if (escaped == NULL) {
        return NULL;
    }
    char *at = escaped;
    for (size_t index = 0; index < count; index++) {
        unsigned char byte = (unsigned char)text[index];
        if (is_unreserved(byte)) {
            *at++ = (char)byte;
        } else {
            *at++ = '%';
            *at++ = digits[byte >> 4];
            *at++ = digits[byte & 15];
        }
    }
    *at = '\0';
    return escaped;
}
