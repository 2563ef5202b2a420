/* What the parts of the HTTP client share. */
#pragma once

#include <curl/curl.h>

#include <sevenfold/tls.h>

#define CURL_LONGEST_HOST 253
#define CURL_LONGEST_LINE 4096

/* CURL_PIPE_WAIT: another transfer may soon have a connection that this one can share. */
enum curl_stage { CURL_IDLE, CURL_PIPE_WAIT, CURL_CONNECTING, CURL_SENDING, CURL_HEAD, CURL_BODY, CURL_DONE };
enum curl_framing { CURL_UNTIL_CLOSE, CURL_LENGTH, CURL_CHUNK_SIZE, CURL_CHUNK, CURL_CHUNK_END, CURL_TRAILER };

struct curl_session;

struct Curl_easy {
    /* Options; texts are the app's own as libcurl has it, but copied. */
    char *url;
    char *method;
    char *agent;
    char *range;
    char *cainfo;
    char *copiedFields;
    char *proxy;
    /* The proxy is the device's own, which the OS knows the way through. */
    bool usesProxy;
    long version;
    bool waitsForPipe;
    const char *fields;
    long fieldsSize;
    struct curl_slist *headers;
    curl_write_callback write;
    void *writeData;
    curl_write_callback header;
    void *headerData;
    curl_xferinfo_callback progress;
    void *progressData;
    bool tellsProgress;
    long protocols;
    curl_ssl_ctx_callback sslContext;
    void *sslContextData;
    void *private;
    char *errorBuffer;
    long timeoutMs;
    long connectTimeoutMs;
    long mostRedirects;
    bool isPost;
    bool isHead;
    bool follows;
    bool failsOnError;
    Tls_Identity identity;

    /* The exchange that is under way. */
    enum curl_stage stage;
    enum curl_framing framing;
    char *effectiveUrl;
    char host[CURL_LONGEST_HOST + 1];
    uint16_t port;
    bool isTls;
    bool isGet;
    bool sendsBody;
    /* Of HTTP/2: the connection, and whether others had it before. */
    struct curl_session *session;
    bool isShared;
    /* 11 or 20, of the answer. */
    int answered;
    int fd;
    char *request;
    size_t requestLength;
    size_t sent;
    char line[CURL_LONGEST_LINE];
    size_t lineLength;
    long status;
    char *contentType;
    char *location;
    curl_off_t contentLength;
    curl_off_t left;
    curl_off_t received;
    long redirects;
    int64_t deadline;
    CURLcode result;
    /* Bytes that the app has not taken yet, since it paused. */
    bool isPaused;
    char *held;
    size_t heldLength;

    /* In a multi handle. */
    CURLM *multi;
    CURL *next;
    bool isTold;
    int watched;
    int watchedFd;
    void *socketContext;
};

/* Whether HTTP/2 is asked for. */
bool curl_offers_http2(const CURL *curl);
/* Takes part in a connection of HTTP/2 that the handle has to this server. */
bool curl_session_join(CURL *curl);
/* Lets go of it; `isBroken`: it is of no use to others either. */
void curl_session_leave(CURL *curl, bool isBroken);
/* Sends the request over HTTP/2: 0, EAGAIN while the connection opens, ENOPROTOOPT where the server speaks HTTP/1 only. */
int curl_session_request(CURL *curl);
/* Closes the connections of a handle that ends. */
void curl_sessions_end(const void *owner);
/* The OS's proxy stands between this handle and its servers. */
void curl_use_device_proxy(CURL *curl);
/* Milliseconds that only rise. */
int64_t curl_now(void);
/* Begins the exchange that the options describe. */
void curl_begin(CURL *curl);
/* The same at another place: where a redirect leads. */
void curl_begin_at(CURL *curl, const char *url);
/* Takes a URL apart: scheme, host, port. Gives where its path begins; NULL with `result` set. */
const char *curl_read_url(CURL *curl, const char *url, CURLcode *result);
/* Writes the request for a path of the host that was read. */
CURLcode curl_write_request(CURL *curl, const char *path);
/* What has arrived. False: the answer is over, or another exchange began. */
bool curl_take(CURL *curl, char *bytes, size_t length);
/* The exchange is over, with this for a result. */
void curl_end(CURL *curl, CURLcode result);
/* Goes on as far as it can without waiting; CURL_DONE when it is over, with `result`. */
void curl_go_on(CURL *curl);
/* Has a multi handle's app let go of the descriptor, which is about to be closed and whose number another may get. */
void curl_forget_socket(CURL *curl);
/* CURL_POLL_IN or CURL_POLL_OUT, on `fd`; CURL_POLL_NONE when it waits for nothing. */
int curl_wants(const CURL *curl);
