#include <applibs/networking.h>

#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "settings.h"

#define SMALL 1024
#define LONGEST_ADDRESS 255
#define LONGEST_SECRET 63

struct Networking_ProxyConfig {
    uint32_t options;
    uint32_t port;
    uint32_t authentication;
    char address[LONGEST_ADDRESS + 1];
    char username[LONGEST_SECRET + 1];
    char password[LONGEST_SECRET + 1];
    char exceptions[LONGEST_ADDRESS + 1];
};

static int is_there(const void *pointer)
{
    if (pointer == NULL) {
        errno = EFAULT;
        return 0;
    }
    return 1;
}

/* Copies a text that fits; -1 with errno EFAULT or ERANGE. */
static int take(char *to, size_t size, const char *text)
{
    if (!is_there(text)) {
        return -1;
    }
    size_t length = strnlen(text, size);
    if (length == size) {
        errno = ERANGE;
        return -1;
    }
    memcpy(to, text, length + 1);
    return 0;
}

Networking_ProxyConfig *Networking_Proxy_Create(void)
{
    Networking_ProxyConfig *config = calloc(1, sizeof *config);
    if (config != NULL) {
        config->options = Networking_ProxyOptions_Enabled;
    }
    return config;
}

void Networking_Proxy_Destroy(Networking_ProxyConfig *proxyConfig)
{
    if (proxyConfig != NULL) {
        memset(proxyConfig, 0, sizeof *proxyConfig);
        free(proxyConfig);
    }
}

int Networking_Proxy_Apply(const Networking_ProxyConfig *proxyConfig)
{
    if (!is_there(proxyConfig)) {
        return -1;
    }
    struct settings_call call;
    settings_begin(&call, SMALL);
    settings_put(&call, proxyConfig->options);
    settings_put_text(&call, proxyConfig->address);
    settings_put(&call, proxyConfig->port);
    settings_put(&call, proxyConfig->authentication);
    settings_put_text(&call, proxyConfig->username);
    settings_put_text(&call, proxyConfig->password);
    settings_put_text(&call, proxyConfig->exceptions);
    return settings_end(&call, settings_send(&call, SETTINGS_PROXY_APPLY));
}

int Networking_Proxy_Get(Networking_ProxyConfig *proxyConfig)
{
    if (!is_there(proxyConfig)) {
        return -1;
    }
    struct settings_call call;
    settings_begin(&call, SMALL);
    int result = settings_send(&call, SETTINGS_PROXY_GET);
    if (result == 0) {
        proxyConfig->options = settings_get(&call);
        settings_get_text(&call, proxyConfig->address, sizeof proxyConfig->address);
        proxyConfig->port = settings_get(&call);
        proxyConfig->authentication = settings_get(&call);
        settings_get_text(&call, proxyConfig->username, sizeof proxyConfig->username);
        settings_get_text(&call, proxyConfig->password, sizeof proxyConfig->password);
        settings_get_text(&call, proxyConfig->exceptions, sizeof proxyConfig->exceptions);
    }
    return settings_end(&call, result);
}

int Networking_Proxy_SetProxyOptions(Networking_ProxyConfig *proxyConfig, Networking_ProxyOptions proxyOptions)
{
    if (!is_there(proxyConfig)) {
        return -1;
    }
    proxyConfig->options = proxyOptions;
    return 0;
}

int Networking_Proxy_GetProxyOptions(const Networking_ProxyConfig *proxyConfig, Networking_ProxyOptions *proxyOptions)
{
    if (!is_there(proxyConfig) || !is_there(proxyOptions)) {
        return -1;
    }
    *proxyOptions = proxyConfig->options;
    return 0;
}

int Networking_Proxy_SetProxyAddress(Networking_ProxyConfig *proxyConfig, const char *proxyAddress, uint16_t proxyPort)
{
    if (!is_there(proxyConfig) || take(proxyConfig->address, sizeof proxyConfig->address, proxyAddress) == -1) {
        return -1;
    }
    proxyConfig->port = proxyPort;
    return 0;
}

int Networking_Proxy_SetAnonymousAuthentication(Networking_ProxyConfig *proxyConfig)
{
    if (!is_there(proxyConfig)) {
        return -1;
    }
    proxyConfig->authentication = Networking_ProxyAuthType_Anonymous;
    memset(proxyConfig->username, 0, sizeof proxyConfig->username);
    memset(proxyConfig->password, 0, sizeof proxyConfig->password);
    return 0;
}

int Networking_Proxy_SetBasicAuthentication(Networking_ProxyConfig *proxyConfig, const char *username,
                                            const char *password)
{
    if (!is_there(proxyConfig) || take(proxyConfig->username, sizeof proxyConfig->username, username) == -1 ||
        take(proxyConfig->password, sizeof proxyConfig->password, password) == -1) {
        return -1;
    }
    proxyConfig->authentication = Networking_ProxyAuthType_Basic;
    return 0;
}

int Networking_Proxy_SetProxyNoProxyAddresses(Networking_ProxyConfig *proxyConfig, const char *noProxyAddresses)
{
    return is_there(proxyConfig) ? take(proxyConfig->exceptions, sizeof proxyConfig->exceptions, noProxyAddresses) : -1;
}

const char *Networking_Proxy_GetProxyAddress(const Networking_ProxyConfig *proxyConfig)
{
    return is_there(proxyConfig) ? proxyConfig->address : NULL;
}

const char *Networking_Proxy_GetProxyUsername(const Networking_ProxyConfig *proxyConfig)
{
    return is_there(proxyConfig) ? proxyConfig->username : NULL;
}

const char *Networking_Proxy_GetProxyPassword(const Networking_ProxyConfig *proxyConfig)
{
    return is_there(proxyConfig) ? proxyConfig->password : NULL;
}

const char *Networking_Proxy_GetNoProxyAddresses(const Networking_ProxyConfig *proxyConfig)
{
    return is_there(proxyConfig) ? proxyConfig->exceptions : NULL;
}

int Networking_Proxy_GetProxyPort(const Networking_ProxyConfig *proxyConfig, uint16_t *proxyPort)
{
    if (!is_there(proxyConfig) || !is_there(proxyPort)) {
        return -1;
    }
    *proxyPort = (uint16_t)proxyConfig->port;
    return 0;
}

Networking_ProxyType Networking_Proxy_GetProxyType(const Networking_ProxyConfig *proxyConfig)
{
    return is_there(proxyConfig) ? Networking_ProxyType_HTTP : Networking_ProxyType_Invalid;
}

Networking_ProxyAuthType Networking_Proxy_GetAuthType(const Networking_ProxyConfig *proxyConfig)
{
    return is_there(proxyConfig) ? (Networking_ProxyAuthType)proxyConfig->authentication
                                 : Networking_ProxyAuthType_Invalid;
}

int Networking_Proxy_GetProxyStatus(Networking_ProxyStatus *proxyStatus)
{
    if (!is_there(proxyStatus)) {
        return -1;
    }
    struct settings_call call;
    settings_begin(&call, SMALL);
    int result = settings_send(&call, SETTINGS_PROXY_STATUS);
    if (result == 0) {
        *proxyStatus = settings_get(&call);
    }
    return settings_end(&call, result);
}
