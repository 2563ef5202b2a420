/* HTTP for apps, with the names of libcurl: easy and multi interface, HTTP/1.1 over TCP, HTTP/2 or 1.1 over TLS, as
 * the server likes. The proxy is the device's (applibs/networking_curl.h). TLS and HTTP/2 are the OS's: a
 * certificate of the device is named by DeviceAuth_GetCertificatePath, its key never seen, and servers are always
 * checked. Hosts are those of AllowedConnections in the manifest. What is not offered is CURLE_UNKNOWN_OPTION,
 * CURLE_UNSUPPORTED_PROTOCOL or CURLE_NOT_BUILT_IN, never ignored in silence. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LIBCURL_VERSION "8.0.0-sevenfold"
#define LIBCURL_VERSION_NUM 0x080000
#define CURL_ERROR_SIZE 256
#define CURL_MAX_WRITE_SIZE 16384
#define CURL_ZERO_TERMINATED ((size_t)-1)
/* What a write callback returns to be asked again with the same bytes, after curl_easy_pause. */
#define CURL_WRITEFUNC_PAUSE 0x10000001

#define CURLPAUSE_RECV 1
#define CURLPAUSE_SEND 4
#define CURLPAUSE_ALL (CURLPAUSE_RECV | CURLPAUSE_SEND)
#define CURLPAUSE_CONT 0

#define CURLPROTO_HTTP 1
#define CURLPROTO_HTTPS 2
#define CURLPROTO_ALL (~0)

typedef struct Curl_easy CURL;
typedef struct Curl_multi CURLM;
typedef int curl_socket_t;
typedef int64_t curl_off_t;
#define CURL_SOCKET_BAD -1
#define CURL_SOCKET_TIMEOUT CURL_SOCKET_BAD

typedef enum {
    CURLE_OK = 0,
    CURLE_UNSUPPORTED_PROTOCOL = 1,
    CURLE_FAILED_INIT = 2,
    CURLE_URL_MALFORMAT = 3,
    CURLE_NOT_BUILT_IN = 4,
    CURLE_COULDNT_RESOLVE_PROXY = 5,
    CURLE_COULDNT_RESOLVE_HOST = 6,
    CURLE_COULDNT_CONNECT = 7,
    CURLE_WEIRD_SERVER_REPLY = 8,
    CURLE_REMOTE_ACCESS_DENIED = 9,
    CURLE_PARTIAL_FILE = 18,
    CURLE_HTTP_RETURNED_ERROR = 22,
    CURLE_WRITE_ERROR = 23,
    CURLE_READ_ERROR = 26,
    CURLE_OUT_OF_MEMORY = 27,
    CURLE_OPERATION_TIMEDOUT = 28,
    CURLE_SSL_CONNECT_ERROR = 35,
    CURLE_ABORTED_BY_CALLBACK = 42,
    CURLE_BAD_FUNCTION_ARGUMENT = 43,
    CURLE_TOO_MANY_REDIRECTS = 47,
    CURLE_UNKNOWN_OPTION = 48,
    CURLE_GOT_NOTHING = 52,
    CURLE_SEND_ERROR = 55,
    CURLE_RECV_ERROR = 56,
    CURLE_SSL_CERTPROBLEM = 58,
    CURLE_PEER_FAILED_VERIFICATION = 60,
    CURLE_SSL_CACERT_BADFILE = 77,
    CURLE_AGAIN = 81
} CURLcode;

typedef enum {
    CURLM_CALL_MULTI_PERFORM = -1,
    CURLM_OK = 0,
    CURLM_BAD_HANDLE = 1,
    CURLM_BAD_EASY_HANDLE = 2,
    CURLM_OUT_OF_MEMORY = 3,
    CURLM_INTERNAL_ERROR = 4,
    CURLM_BAD_SOCKET = 5,
    CURLM_UNKNOWN_OPTION = 6,
    CURLM_ADDED_ALREADY = 7
} CURLMcode;

#define CURL_GLOBAL_SSL 1
#define CURL_GLOBAL_WIN32 2
#define CURL_GLOBAL_ALL 3
#define CURL_GLOBAL_DEFAULT CURL_GLOBAL_ALL
#define CURL_GLOBAL_NOTHING 0

#define CURLOPTTYPE_LONG 0
#define CURLOPTTYPE_OBJECTPOINT 10000
#define CURLOPTTYPE_FUNCTIONPOINT 20000
#define CURLOPTTYPE_OFF_T 30000

typedef enum {
    CURLOPT_WRITEDATA = CURLOPTTYPE_OBJECTPOINT + 1,
    CURLOPT_URL = CURLOPTTYPE_OBJECTPOINT + 2,
    CURLOPT_PORT = CURLOPTTYPE_LONG + 3,
    CURLOPT_PROXY = CURLOPTTYPE_OBJECTPOINT + 4,
    CURLOPT_PROXYUSERPWD = CURLOPTTYPE_OBJECTPOINT + 6,
    CURLOPT_RANGE = CURLOPTTYPE_OBJECTPOINT + 7,
    CURLOPT_ERRORBUFFER = CURLOPTTYPE_OBJECTPOINT + 10,
    CURLOPT_WRITEFUNCTION = CURLOPTTYPE_FUNCTIONPOINT + 11,
    CURLOPT_TIMEOUT = CURLOPTTYPE_LONG + 13,
    CURLOPT_POSTFIELDS = CURLOPTTYPE_OBJECTPOINT + 15,
    CURLOPT_USERAGENT = CURLOPTTYPE_OBJECTPOINT + 18,
    CURLOPT_HTTPHEADER = CURLOPTTYPE_OBJECTPOINT + 23,
    CURLOPT_SSLCERT = CURLOPTTYPE_OBJECTPOINT + 25,
    CURLOPT_HEADERDATA = CURLOPTTYPE_OBJECTPOINT + 29,
    CURLOPT_CUSTOMREQUEST = CURLOPTTYPE_OBJECTPOINT + 36,
    CURLOPT_VERBOSE = CURLOPTTYPE_LONG + 41,
    CURLOPT_NOPROGRESS = CURLOPTTYPE_LONG + 43,
    CURLOPT_NOBODY = CURLOPTTYPE_LONG + 44,
    CURLOPT_FAILONERROR = CURLOPTTYPE_LONG + 45,
    CURLOPT_POST = CURLOPTTYPE_LONG + 47,
    CURLOPT_FOLLOWLOCATION = CURLOPTTYPE_LONG + 52,
    CURLOPT_PROXYPORT = CURLOPTTYPE_LONG + 59,
    CURLOPT_POSTFIELDSIZE = CURLOPTTYPE_LONG + 60,
    CURLOPT_SSL_VERIFYPEER = CURLOPTTYPE_LONG + 64,
    CURLOPT_CAINFO = CURLOPTTYPE_OBJECTPOINT + 65,
    CURLOPT_MAXREDIRS = CURLOPTTYPE_LONG + 68,
    CURLOPT_CONNECTTIMEOUT = CURLOPTTYPE_LONG + 78,
    CURLOPT_HEADERFUNCTION = CURLOPTTYPE_FUNCTIONPOINT + 79,
    CURLOPT_HTTPGET = CURLOPTTYPE_LONG + 80,
    CURLOPT_SSL_VERIFYHOST = CURLOPTTYPE_LONG + 81,
    CURLOPT_HTTP_VERSION = CURLOPTTYPE_LONG + 84,
    CURLOPT_NOSIGNAL = CURLOPTTYPE_LONG + 99,
    CURLOPT_PROXYTYPE = CURLOPTTYPE_LONG + 101,
    CURLOPT_PRIVATE = CURLOPTTYPE_OBJECTPOINT + 103,
    CURLOPT_SSL_CTX_FUNCTION = CURLOPTTYPE_FUNCTIONPOINT + 108,
    CURLOPT_SSL_CTX_DATA = CURLOPTTYPE_OBJECTPOINT + 109,
    CURLOPT_TIMEOUT_MS = CURLOPTTYPE_LONG + 155,
    CURLOPT_CONNECTTIMEOUT_MS = CURLOPTTYPE_LONG + 156,
    CURLOPT_COPYPOSTFIELDS = CURLOPTTYPE_OBJECTPOINT + 165,
    CURLOPT_NOPROXY = CURLOPTTYPE_OBJECTPOINT + 177,
    CURLOPT_PROTOCOLS = CURLOPTTYPE_LONG + 181,
    CURLOPT_REDIR_PROTOCOLS = CURLOPTTYPE_LONG + 182,
    CURLOPT_PIPEWAIT = CURLOPTTYPE_LONG + 237,
    CURLOPT_XFERINFODATA = CURLOPTTYPE_OBJECTPOINT + 57,
    CURLOPT_XFERINFOFUNCTION = CURLOPTTYPE_FUNCTIONPOINT + 219
} CURLoption;
#define CURLOPT_FILE CURLOPT_WRITEDATA
#define CURLOPT_PROGRESSDATA CURLOPT_XFERINFODATA
#define CURLOPT_WRITEHEADER CURLOPT_HEADERDATA

#define CURL_HTTP_VERSION_NONE 0
#define CURL_HTTP_VERSION_1_0 1
#define CURL_HTTP_VERSION_1_1 2
#define CURL_HTTP_VERSION_2_0 3
#define CURL_HTTP_VERSION_2 CURL_HTTP_VERSION_2_0
#define CURL_HTTP_VERSION_2TLS 4
#define CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE 5
#define CURLPIPE_NOTHING 0L
#define CURLPIPE_MULTIPLEX 2L
#define CURLPROXY_HTTP 0

typedef enum {
    CURLINFO_EFFECTIVE_URL = 0x100000 + 1,
    CURLINFO_RESPONSE_CODE = 0x200000 + 2,
    CURLINFO_CONTENT_TYPE = 0x100000 + 18,
    CURLINFO_PRIVATE = 0x100000 + 21,
    CURLINFO_SIZE_DOWNLOAD_T = 0x600000 + 8,
    CURLINFO_HTTP_VERSION = 0x200000 + 46,
    CURLINFO_CONTENT_LENGTH_DOWNLOAD_T = 0x600000 + 15
} CURLINFO;
#define CURLINFO_HTTP_CODE CURLINFO_RESPONSE_CODE

struct curl_slist {
    char *data;
    struct curl_slist *next;
};

typedef size_t (*curl_write_callback)(char *buffer, size_t size, size_t count, void *context);
/* Not 0: the transfer is given up with CURLE_ABORTED_BY_CALLBACK. */
typedef int (*curl_xferinfo_callback)(void *context, curl_off_t downTotal, curl_off_t downNow, curl_off_t upTotal,
                                      curl_off_t upNow);
typedef CURLcode (*curl_ssl_ctx_callback)(CURL *curl, void *sslContext, void *context);

CURLcode curl_global_init(long flags);
void curl_global_cleanup(void);
char *curl_version(void);
void curl_free(void *memory);
struct curl_slist *curl_slist_append(struct curl_slist *list, const char *text);
void curl_slist_free_all(struct curl_slist *list);

CURL *curl_easy_init(void);
CURLcode curl_easy_setopt(CURL *curl, CURLoption option, ...);
CURLcode curl_easy_perform(CURL *curl);
/* Stops taking what arrives, or goes on (CURLPAUSE_CONT). */
CURLcode curl_easy_pause(CURL *curl, int mask);
CURLcode curl_easy_getinfo(CURL *curl, CURLINFO info, ...);
void curl_easy_reset(CURL *curl);
void curl_easy_cleanup(CURL *curl);
const char *curl_easy_strerror(CURLcode code);
char *curl_easy_escape(CURL *curl, const char *text, int length);

typedef enum { CURLMSG_NONE, CURLMSG_DONE } CURLMSG;
typedef struct CURLMsg {
    CURLMSG msg;
    CURL *easy_handle;
    union {
        void *whatever;
        CURLcode result;
    } data;
} CURLMsg;

#define CURL_POLL_NONE 0
#define CURL_POLL_IN 1
#define CURL_POLL_OUT 2
#define CURL_POLL_INOUT 3
#define CURL_POLL_REMOVE 4
#define CURL_CSELECT_IN 1
#define CURL_CSELECT_OUT 2
#define CURL_CSELECT_ERR 4
#define CURL_WAIT_POLLIN 1
#define CURL_WAIT_POLLOUT 4

struct curl_waitfd {
    curl_socket_t fd;
    short events;
    short revents;
};

typedef int (*curl_socket_callback)(CURL *easy, curl_socket_t socket, int what, void *context, void *socketContext);
typedef int (*curl_multi_timer_callback)(CURLM *multi, long timeoutMs, void *context);

typedef enum {
    CURLMOPT_SOCKETFUNCTION = CURLOPTTYPE_FUNCTIONPOINT + 1,
    CURLMOPT_SOCKETDATA = CURLOPTTYPE_OBJECTPOINT + 2,
    CURLMOPT_PIPELINING = CURLOPTTYPE_LONG + 3,
    CURLMOPT_TIMERFUNCTION = CURLOPTTYPE_FUNCTIONPOINT + 4,
    CURLMOPT_TIMERDATA = CURLOPTTYPE_OBJECTPOINT + 5,
    CURLMOPT_MAXCONNECTS = CURLOPTTYPE_LONG + 6
} CURLMoption;

CURLM *curl_multi_init(void);
CURLMcode curl_multi_setopt(CURLM *multi, CURLMoption option, ...);
CURLMcode curl_multi_add_handle(CURLM *multi, CURL *curl);
CURLMcode curl_multi_remove_handle(CURLM *multi, CURL *curl);
CURLMcode curl_multi_perform(CURLM *multi, int *outRunning);
CURLMcode curl_multi_socket_action(CURLM *multi, curl_socket_t socket, int events, int *outRunning);
CURLMcode curl_multi_assign(CURLM *multi, curl_socket_t socket, void *socketContext);
CURLMcode curl_multi_timeout(CURLM *multi, long *outMilliseconds);
CURLMcode curl_multi_wait(CURLM *multi, struct curl_waitfd *extra, unsigned int extraCount, int timeoutMs,
                          int *outCount);
CURLMcode curl_multi_poll(CURLM *multi, struct curl_waitfd *extra, unsigned int extraCount, int timeoutMs,
                          int *outCount);
CURLMsg *curl_multi_info_read(CURLM *multi, int *outLeft);
CURLMcode curl_multi_cleanup(CURLM *multi);
const char *curl_multi_strerror(CURLMcode code);

#ifdef __cplusplus
}
#endif
