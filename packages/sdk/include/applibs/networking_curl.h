/* The device's proxy for requests of curl/curl.h. */
#pragma once

#include <applibs/networking.h>
#include <curl/curl.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sets the proxy that Networking_Proxy_Apply has stored, if it is enabled. -1 with errno EACCES or EFAULT. A request with
 * a proxy is refused with CURLE_NOT_BUILT_IN: the OS makes no TLS connections through one yet. */
int Networking_Curl_SetDefaultProxy(CURL *curlHandle);

#ifdef __cplusplus
}
#endif
