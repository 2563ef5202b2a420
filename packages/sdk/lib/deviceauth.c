#include <tlsutils/deviceauth.h>

#include <stddef.h>

#include <applibs/application.h>
#include <sevenfold/tls.h>

const char *DeviceAuth_GetCertificatePath(void)
{
    return "/run/daa/client-certificate.pem";
}

DeviceAuthSslResult DeviceAuth_SslCtxFunc(void *sslctx)
{
    bool isReady = false;
    if (sslctx == NULL || Application_IsDeviceAuthReady(&isReady) == -1) {
        return DeviceAuthSslResult_GetTenantIdError;
    }
    if (!isReady) {
        return DeviceAuthSslResult_GetTenantCertificateError;
    }
    *(Tls_Identity *)sslctx = Tls_Identity_Device;
    return DeviceAuthSslResult_Success;
}
