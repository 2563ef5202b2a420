#include <applibs/wificonfig.h>

#include <string.h>

#include "host.h"
#include "settings.h"

#define SMALL 1024
/* 37 stored networks, or what a radio hears in a crowd. */
#define LARGE 8192
#define STORED_MAGIC 0xb22e0001u
#define SCANNED_MAGIC 0x7eb10001u
#define CONNECTED_MAGIC 0x09ef0001u

enum attribute {
    ATTRIBUTE_SSID = 0,
    ATTRIBUTE_SECURITY = 1,
    ATTRIBUTE_ENABLED = 2,
    ATTRIBUTE_PSK = 5,
    ATTRIBUTE_IDENTITY = 6,
    ATTRIBUTE_CLIENT_CERTIFICATE = 7,
    ATTRIBUTE_ROOT_CERTIFICATE = 8,
    ATTRIBUTE_TARGETED_SCAN = 11,
    ATTRIBUTE_NAME = 12
};

static int fail(int error)
{
    errno = error;
    return -1;
}

/* The last field of an answer that is one number. */
static int number_of(struct settings_call *call, enum settings_operation operation)
{
    int result = settings_send(call, operation);
    return settings_end(call, result == -1 ? -1 : (int)settings_get(call));
}

static int set(int id, enum attribute attribute, const void *bytes, size_t length)
{
    if (bytes == NULL) {
        return fail(EFAULT);
    }
    struct settings_call call;
    settings_begin(&call, SMALL);
    settings_put(&call, (uint32_t)id);
    settings_put(&call, attribute);
    settings_put_bytes(&call, bytes, length);
    return settings_end(&call, settings_send(&call, SETTINGS_WIFI_SET));
}

static int set_number(int id, enum attribute attribute, uint32_t number)
{
    return set(id, attribute, &number, sizeof number);
}

static int set_text(int id, enum attribute attribute, const char *text, size_t most)
{
    if (text == NULL) {
        return fail(EFAULT);
    }
    size_t length = strnlen(text, most + 1);
    return length > most ? fail(ERANGE) : set(id, attribute, text, length);
}

static int get_text(int id, enum attribute attribute, char *out, size_t size)
{
    if (out == NULL) {
        return fail(EFAULT);
    }
    struct settings_call call;
    settings_begin(&call, SMALL);
    settings_put(&call, (uint32_t)id);
    settings_put(&call, attribute);
    int result = settings_send(&call, SETTINGS_WIFI_GET);
    if (result == 0) {
        settings_get_text(&call, out, size);
    }
    return settings_end(&call, result);
}

int WifiConfig_AddNetwork(void)
{
    struct settings_call call;
    settings_begin(&call, SMALL);
    return number_of(&call, SETTINGS_WIFI_ADD);
}

static int is_config_name(const char *name)
{
    if (name == NULL) {
        return fail(EFAULT) == 0;
    }
    size_t length = strnlen(name, WIFICONFIG_CONFIG_NAME_MAX_LENGTH + 1);
    return length == 0 || length > WIFICONFIG_CONFIG_NAME_MAX_LENGTH ? fail(ERANGE) == 0 : 1;
}

int WifiConfig_AddDuplicateNetwork(int networkId, const char *configName)
{
    if (!is_config_name(configName)) {
        return -1;
    }
    struct settings_call call;
    settings_begin(&call, SMALL);
    settings_put(&call, (uint32_t)networkId);
    settings_put_text(&call, configName);
    return number_of(&call, SETTINGS_WIFI_DUPLICATE);
}

int WifiConfig_ForgetNetworkById(int networkId)
{
    uint32_t id = (uint32_t)networkId;
    return settings_do(SETTINGS_WIFI_FORGET, NULL, 1, &id);
}

int WifiConfig_ForgetAllNetworks(void)
{
    return settings_do(SETTINGS_WIFI_FORGET_ALL, NULL, 0, NULL);
}

int WifiConfig_SetSSID(int networkId, const uint8_t *ssid, size_t ssidLength)
{
    return set(networkId, ATTRIBUTE_SSID, ssid, ssidLength);
}

int WifiConfig_SetSecurityType(int networkId, WifiConfig_Security_Type securityType)
{
    return set_number(networkId, ATTRIBUTE_SECURITY, securityType);
}

int WifiConfig_SetPSK(int networkId, const char *psk, size_t pskLength)
{
    return set(networkId, ATTRIBUTE_PSK, psk, pskLength);
}

int WifiConfig_SetNetworkEnabled(int networkId, bool enabled)
{
    return set_number(networkId, ATTRIBUTE_ENABLED, enabled);
}

int WifiConfig_SetTargetedScanEnabled(int networkId, bool enabled)
{
    return set_number(networkId, ATTRIBUTE_TARGETED_SCAN, enabled);
}

int WifiConfig_SetConfigName(int networkId, const char *configName)
{
    return is_config_name(configName) ? set(networkId, ATTRIBUTE_NAME, configName, strlen(configName)) : -1;
}

int WifiConfig_GetNetworkIdByConfigName(const char *configName)
{
    if (!is_config_name(configName)) {
        return -1;
    }
    struct settings_call call;
    settings_begin(&call, SMALL);
    settings_put_text(&call, configName);
    return number_of(&call, SETTINGS_WIFI_BY_NAME);
}

int WifiConfig_SetClientIdentity(int networkId, const char *identity)
{
    return set_text(networkId, ATTRIBUTE_IDENTITY, identity, WIFICONFIG_EAP_IDENTITY_MAX_LENGTH);
}

int WifiConfig_GetClientIdentity(int networkId, WifiConfig_ClientIdentity *outIdentity)
{
    return get_text(networkId, ATTRIBUTE_IDENTITY, outIdentity == NULL ? NULL : outIdentity->identity,
                    sizeof outIdentity->identity);
}

int WifiConfig_SetClientCertStoreIdentifier(int networkId, const char *certStoreIdentifier)
{
    return set_text(networkId, ATTRIBUTE_CLIENT_CERTIFICATE, certStoreIdentifier, CERTSTORE_MAX_IDENTIFIER_SIZE);
}

int WifiConfig_GetClientCertStoreIdentifier(int networkId, CertStore_Identifier *outIdentifier)
{
    return get_text(networkId, ATTRIBUTE_CLIENT_CERTIFICATE, outIdentifier == NULL ? NULL : outIdentifier->identifier,
                    sizeof outIdentifier->identifier);
}

int WifiConfig_SetRootCACertStoreIdentifier(int networkId, const char *certStoreIdentifier)
{
    return set_text(networkId, ATTRIBUTE_ROOT_CERTIFICATE, certStoreIdentifier, CERTSTORE_MAX_IDENTIFIER_SIZE);
}

int WifiConfig_GetRootCACertStoreIdentifier(int networkId, CertStore_Identifier *outIdentifier)
{
    return get_text(networkId, ATTRIBUTE_ROOT_CERTIFICATE, outIdentifier == NULL ? NULL : outIdentifier->identifier,
                    sizeof outIdentifier->identifier);
}

int WifiConfig_PersistConfig(void)
{
    return settings_do(SETTINGS_WIFI_PERSIST, NULL, 0, NULL);
}

int WifiConfig_ReloadConfig(void)
{
    return settings_do(SETTINGS_WIFI_RELOAD, NULL, 0, NULL);
}

static uint8_t get_ssid(struct settings_call *call, uint8_t *out)
{
    size_t length;
    const uint8_t *ssid = settings_get_bytes(call, &length);
    if (length > WIFICONFIG_SSID_MAX_LENGTH) {
        length = WIFICONFIG_SSID_MAX_LENGTH;
    }
    memcpy(out, ssid, length);
    return (uint8_t)length;
}

ssize_t WifiConfig_GetStoredNetworkCount(void)
{
    struct settings_call call;
    settings_begin(&call, LARGE);
    return number_of(&call, SETTINGS_WIFI_STORED);
}

ssize_t WifiConfig_GetStoredNetworks(WifiConfig_StoredNetwork *storedNetworkArray, size_t storedNetworkArrayCount)
{
    if (storedNetworkArray == NULL) {
        return fail(EFAULT);
    }
    if (storedNetworkArrayCount == 0) {
        return fail(ERANGE);
    }
    struct settings_call call;
    settings_begin(&call, LARGE);
    if (settings_send(&call, SETTINGS_WIFI_STORED) == -1) {
        return settings_end(&call, -1);
    }
    size_t count = settings_get(&call);
    if (count > storedNetworkArrayCount) {
        count = storedNetworkArrayCount;
    }
    for (size_t index = 0; index < count; index++) {
        WifiConfig_StoredNetwork *out = &storedNetworkArray[index];
        memset(out, 0, sizeof *out);
        out->z__magicAndVersion = STORED_MAGIC;
        out->ssidLength = get_ssid(&call, out->ssid);
        out->isEnabled = settings_get(&call) != 0;
        out->isConnected = settings_get(&call) != 0;
        out->security = (WifiConfig_Security_Type)settings_get(&call);
    }
    return settings_end(&call, (int)count);
}

static void get_heard(struct settings_call *call, WifiConfig_ScannedNetwork *out)
{
    memset(out, 0, sizeof *out);
    out->z__magicAndVersion = SCANNED_MAGIC;
    out->ssidLength = get_ssid(call, out->ssid);
    size_t length;
    const uint8_t *bssid = settings_get_bytes(call, &length);
    memcpy(out->bssid, bssid, length < sizeof out->bssid ? length : sizeof out->bssid);
    out->security = (WifiConfig_Security_Type)settings_get(call);
    out->frequencyMHz = settings_get(call);
    out->signalRssi = (int8_t)settings_get(call);
}

int WifiConfig_GetCurrentNetwork(WifiConfig_ConnectedNetwork *connectedNetwork)
{
    if (connectedNetwork == NULL) {
        return fail(EFAULT);
    }
    struct settings_call call;
    settings_begin(&call, SMALL);
    int result = settings_send(&call, SETTINGS_WIFI_CURRENT);
    if (result == 0) {
        WifiConfig_ScannedNetwork heard;
        settings_get(&call);
        get_heard(&call, &heard);
        _Static_assert(sizeof heard == sizeof *connectedNetwork, "the two are alike");
        memcpy(connectedNetwork, &heard, sizeof heard);
        connectedNetwork->z__magicAndVersion = CONNECTED_MAGIC;
    } else if (errno == ENOTCONN) {
        errno = ENODATA;
    }
    return settings_end(&call, result);
}

int WifiConfig_GetConnectedNetworkId(void)
{
    struct settings_call call;
    settings_begin(&call, SMALL);
    return number_of(&call, SETTINGS_WIFI_CURRENT);
}

ssize_t WifiConfig_TriggerScanAndGetScannedNetworkCount(void)
{
    struct settings_call call;
    settings_begin(&call, LARGE);
    settings_put(&call, 1);
    return number_of(&call, SETTINGS_WIFI_SCAN);
}

ssize_t WifiConfig_GetScannedNetworks(WifiConfig_ScannedNetwork *scannedNetworkArray, size_t scannedNetworkArrayCount)
{
    if (scannedNetworkArray == NULL) {
        return fail(EFAULT);
    }
    if (scannedNetworkArrayCount == 0) {
        return fail(ERANGE);
    }
    struct settings_call call;
    settings_begin(&call, LARGE);
    settings_put(&call, 0);
    if (settings_send(&call, SETTINGS_WIFI_SCAN) == -1) {
        return settings_end(&call, -1);
    }
    size_t count = settings_get(&call);
    if (count > scannedNetworkArrayCount) {
        count = scannedNetworkArrayCount;
    }
    for (size_t index = 0; index < count; index++) {
        get_heard(&call, &scannedNetworkArray[index]);
    }
    return settings_end(&call, (int)count);
}

int WifiConfig_GetNetworkDiagnostics(int networkId, WifiConfig_NetworkDiagnostics *networkDiagnostics)
{
    if (networkDiagnostics == NULL) {
        return fail(EFAULT);
    }
    struct settings_call call;
    settings_begin(&call, SMALL);
    settings_put(&call, (uint32_t)networkId);
    int result = settings_send(&call, SETTINGS_WIFI_DIAGNOSTICS);
    if (result == 0) {
        memset(networkDiagnostics, 0, sizeof *networkDiagnostics);
        networkDiagnostics->isEnabled = settings_get(&call) != 0;
        networkDiagnostics->isConnected = settings_get(&call) != 0;
        networkDiagnostics->error = (int32_t)settings_get(&call);
        uint64_t low = settings_get(&call);
        networkDiagnostics->timestamp = (time_t)(low | (uint64_t)settings_get(&call) << 32);
        networkDiagnostics->certError = (int32_t)settings_get(&call);
        settings_get_text(&call, networkDiagnostics->certSubject.name, sizeof networkDiagnostics->certSubject.name);
    }
    return settings_end(&call, result);
}

int WifiConfig_SetPowerSavingsEnabled(bool enabled)
{
    uint32_t number = enabled;
    return settings_do(SETTINGS_WIFI_POWER_SAVING, NULL, 1, &number);
}

static int find_stored(const uint8_t *ssid, size_t length, WifiConfig_Security_Type security, int *outIndex)
{
    struct settings_call call;
    settings_begin(&call, LARGE);
    if (settings_send(&call, SETTINGS_WIFI_STORED) == -1) {
        return settings_end(&call, -1);
    }
    *outIndex = -1;
    size_t count = settings_get(&call);
    for (size_t index = 0; index < count; index++) {
        size_t found;
        const uint8_t *other = settings_get_bytes(&call, &found);
        int isSame = found == length && memcmp(other, ssid, length) == 0;
        settings_get(&call);
        settings_get(&call);
        if (settings_get(&call) == security && isSame) {
            *outIndex = (int)index;
        }
    }
    return settings_end(&call, 0);
}

static int store(const uint8_t *ssid, size_t ssidLength, WifiConfig_Security_Type security, const char *psk,
                 size_t pskLength)
{
    int index = -1;
    if (ssid == NULL) {
        return fail(EFAULT);
    }
    if (ssidLength == 0 || ssidLength > WIFICONFIG_SSID_MAX_LENGTH) {
        return fail(ERANGE);
    }
    if (find_stored(ssid, ssidLength, security, &index) == -1) {
        return -1;
    }
    if (index != -1) {
        return fail(EEXIST);
    }
    int id = WifiConfig_AddNetwork();
    if (id == -1) {
        return errno == ENOMEM ? fail(ENOSPC) : -1;
    }
    int failed = WifiConfig_SetSSID(id, ssid, ssidLength) == -1 || WifiConfig_SetSecurityType(id, security) == -1 ||
                 (psk != NULL && WifiConfig_SetPSK(id, psk, pskLength) == -1) ||
                 WifiConfig_SetNetworkEnabled(id, true) == -1 || WifiConfig_PersistConfig() == -1;
    if (failed) {
        int error = errno;
        WifiConfig_ForgetNetworkById(id);
        return fail(error);
    }
    return 0;
}

int WifiConfig_StoreOpenNetwork(const uint8_t *ssid, size_t ssidLength)
{
    return store(ssid, ssidLength, WifiConfig_Security_Open, NULL, 0);
}

int WifiConfig_StoreWpa2Network(const uint8_t *ssid, size_t ssidLength, const char *psk, size_t pskLength)
{
    return psk == NULL ? fail(EFAULT) : store(ssid, ssidLength, WifiConfig_Security_Wpa2_Psk, psk, pskLength);
}

int WifiConfig_ForgetNetwork(const WifiConfig_StoredNetwork *storedNetwork)
{
    if (storedNetwork == NULL) {
        return fail(EFAULT);
    }
    struct settings_call call;
    settings_begin(&call, SMALL);
    settings_put_bytes(&call, storedNetwork->ssid, storedNetwork->ssidLength);
    settings_put(&call, storedNetwork->security);
    return settings_end(&call, settings_send(&call, SETTINGS_WIFI_FORGET_STORED));
}
