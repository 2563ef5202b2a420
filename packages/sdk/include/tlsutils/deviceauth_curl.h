/* The device's own certificate for requests of curl/curl.h. */
#pragma once

#include <curl/curl.h>
#include <tlsutils/deviceauth.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A CURLOPT_SSL_CTX_FUNCTION that uses the device's certificate: CURLE_OK or CURLE_SSL_CERTPROBLEM. */
CURLcode DeviceAuth_CurlSslFunc(CURL *curlHandle, void *sslctx, void *userCtx);

#ifdef __cplusplus
}
#endif
