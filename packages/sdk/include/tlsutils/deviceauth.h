/* The device's own certificate for TLS clients. Its key never leaves the OS: a client names this path, and the OS signs. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/* Stands for the certificate of the tenant that the manifest's DeviceAuthentication names, wherever a library takes the
 * path of a client certificate (CURLOPT_SSLCERT). The same for the life of the process; whether the certificate is there
 * yet, Application_IsDeviceAuthReady tells. */
const char *DeviceAuth_GetCertificatePath(void);

typedef enum {
    DeviceAuthSslResult_Success = 0,
    DeviceAuthSslResult_GetTenantIdError = 1,
    DeviceAuthSslResult_GetTenantCertificateError = 2,
    DeviceAuthSslResult_EnableHwSignError = 3
} DeviceAuthSslResult;

/* Sets the device's certificate on a TLS context of this SDK: what a CURLOPT_SSL_CTX_FUNCTION is handed. */
DeviceAuthSslResult DeviceAuth_SslCtxFunc(void *sslctx);

#ifdef __cplusplus
}
#endif
