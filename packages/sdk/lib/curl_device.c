#include <applibs/networking_curl.h>
#include <tlsutils/deviceauth_curl.h>

#include <errno.h>
#include <stdio.h>

#include "curl_internal.h"

CURLcode DeviceAuth_CurlSslFunc(CURL *curlHandle, void *sslctx, void *userCtx)
{
    (void)curlHandle;
    (void)userCtx;
    return DeviceAuth_SslCtxFunc(sslctx) == DeviceAuthSslResult_Success ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

int Networking_Curl_SetDefaultProxy(CURL *curlHandle)
{
    char proxy[300];
    uint16_t port = 0;
    Networking_ProxyOptions options = 0;
    if (curlHandle == NULL) {
        errno = EFAULT;
        return -1;
    }
    Networking_ProxyConfig *config = Networking_Proxy_Create();
    if (config == NULL) {
        return -1;
    }
    int result = Networking_Proxy_Get(config);
    if (result == -1 && errno == ENOENT) {
        result = 0;
    } else if (result == 0) {
        Networking_Proxy_GetProxyOptions(config, &options);
        Networking_Proxy_GetProxyPort(config, &port);
        if ((options & Networking_ProxyOptions_Enabled) != 0) {
            snprintf(proxy, sizeof proxy, "%s:%u", Networking_Proxy_GetProxyAddress(config), port);
            curl_easy_setopt(curlHandle, CURLOPT_PROXY, proxy);
            curl_use_device_proxy(curlHandle);
        }
    }
    int error = errno;
    Networking_Proxy_Destroy(config);
    errno = error;
    return result;
}
