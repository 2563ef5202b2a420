/* Waits until the device has its certificate, then posts a line to its own cloud with it: the cloud knows the device by
 * its certificate, and no key is in the app (application.h, networking_curl.h, tlsutils/deviceauth_curl.h). The
 * argument is the URL. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <applibs/application.h>
#include <applibs/log.h>
#include <applibs/networking_curl.h>
#include <curl/curl.h>
#include <tlsutils/deviceauth_curl.h>

#define LINE "the kettle is on\n"
#define RETRY_SECONDS 10

typedef enum { ExitCode_Success = 0, ExitCode_Usage = 1, ExitCode_Ready = 2, ExitCode_Curl = 3 } ExitCode;

static size_t Drop(char *bytes, size_t size, size_t count, void *context)
{
    (void)bytes;
    (void)context;
    return size * count;
}

/* HTTP's status, or 0 where there was no answer. */
static long Post(const char *url)
{
    long status = 0;
    CURL *easy = curl_easy_init();
    if (easy == NULL) {
        return 0;
    }
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, LINE);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, Drop);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, DeviceAuth_CurlSslFunc);
    if (Networking_Curl_SetDefaultProxy(easy) == -1 && errno != ENOENT) {
        Log_Debug("proxy: %s\n", strerror(errno));
    }
    CURLcode result = curl_easy_perform(easy);
    if (result == CURLE_OK) {
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    } else {
        Log_Debug("not sent: %s\n", curl_easy_strerror(result));
    }
    curl_easy_cleanup(easy);
    return status;
}

int main(int argc, char *argv[])
{
    if (argc != 2) {
        Log_Debug("the argument is a URL\n");
        return ExitCode_Usage;
    }
    bool isReady = false;
    while (Application_IsDeviceAuthReady(&isReady) == 0 && !isReady) {
        Log_Debug("no certificate yet\n");
        sleep(RETRY_SECONDS);
    }
    if (!isReady) {
        return ExitCode_Ready;
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return ExitCode_Curl;
    }
    for (;;) {
        long status = Post(argv[1]);
        Log_Debug("answer %ld\n", status);
        sleep(status == 204 ? 3600 : RETRY_SECONDS);
    }
}
