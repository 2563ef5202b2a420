/* Wi-Fi networks: stored, scanned, joined. Every call needs WifiConfig in the manifest, what belongs to EAP-TLS
 * EnterpriseWifiConfig too, else EACCES. Ids of networks are good until a restart, a reload or a removal; an id that is
 * none is ENODEV. Changes are lost at a restart unless WifiConfig_PersistConfig keeps them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include <applibs/certstore.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef WIFICONFIG_STRUCTS_VERSION
#define WIFICONFIG_STRUCTS_VERSION 1
#endif
#if WIFICONFIG_STRUCTS_VERSION != 1
#error "WIFICONFIG_STRUCTS_VERSION: this SDK has version 1"
#endif

/* errno has no such number here; ours is above all of WASI's. */
#ifndef ENODATA
#define ENODATA 129
#endif

#define WIFICONFIG_SSID_MAX_LENGTH 32
#define WIFICONFIG_WPA2_KEY_MAX_BUFFER_SIZE 64
#define WIFICONFIG_BSSID_BUFFER_SIZE 6
#define WIFICONFIG_CONFIG_NAME_MAX_LENGTH 16
#define WIFICONFIG_EAP_IDENTITY_MAX_LENGTH 254

typedef uint8_t WifiConfig_Security;
typedef WifiConfig_Security WifiConfig_Security_Type;
enum {
    WifiConfig_Security_Unknown = 0,
    WifiConfig_Security_Open = 1,
    WifiConfig_Security_Wpa2_Psk = 2,
    WifiConfig_Security_Wpa2_EAP_TLS = 3
};

typedef struct z__WifiConfig_StoredNetwork_v1 {
    uint32_t z__magicAndVersion;
    uint8_t ssid[WIFICONFIG_SSID_MAX_LENGTH];
    uint8_t ssidLength;
    bool isEnabled;
    bool isConnected;
    WifiConfig_Security_Type security;
} WifiConfig_StoredNetwork;

typedef struct z__WifiConfig_ScannedNetwork_v1 {
    uint32_t z__magicAndVersion;
    uint8_t ssid[WIFICONFIG_SSID_MAX_LENGTH];
    uint8_t bssid[WIFICONFIG_BSSID_BUFFER_SIZE];
    uint8_t ssidLength;
    WifiConfig_Security_Type security;
    uint32_t frequencyMHz;
    int8_t signalRssi;
} WifiConfig_ScannedNetwork;

typedef struct z__WifiConfig_ConnectedNetwork_v1 {
    uint32_t z__magicAndVersion;
    uint8_t ssid[WIFICONFIG_SSID_MAX_LENGTH];
    uint8_t bssid[WIFICONFIG_BSSID_BUFFER_SIZE];
    uint8_t ssidLength;
    WifiConfig_Security_Type security;
    uint32_t frequencyMHz;
    int8_t signalRssi;
} WifiConfig_ConnectedNetwork;

typedef struct WifiConfig_ClientIdentity {
    char identity[WIFICONFIG_EAP_IDENTITY_MAX_LENGTH + 1];
} WifiConfig_ClientIdentity;

/* error: 1 failed, 2 not found, 3 no key, 4 wrong key, 5 not authenticated, 6 another kind of security;
 * certError, with error 5: 100 no client certificate, 101 root CA, 102 client certificate, 103 client not known. */
typedef struct WifiConfig_NetworkDiagnostics {
    uint32_t z__magicAndVersion;
    bool isEnabled;
    bool isConnected;
    int32_t error;
    time_t timestamp;
    int32_t certError;
    int32_t certDepth;
    CertStore_SubjectName certSubject;
} WifiConfig_NetworkDiagnostics;

/* A new network's id; -1 with errno ENOMEM: there are 37. */
int WifiConfig_AddNetwork(void);
/* A copy under a name of its own, not enabled. ERANGE, EEXIST, ENOMEM. */
int WifiConfig_AddDuplicateNetwork(int networkId, const char *configName);
int WifiConfig_ForgetNetworkById(int networkId);
/* At once, and for good. */
int WifiConfig_ForgetAllNetworks(void);

/* 1 to 32 bytes. EFAULT, ERANGE. */
int WifiConfig_SetSSID(int networkId, const uint8_t *ssid, size_t ssidLength);
int WifiConfig_SetSecurityType(int networkId, WifiConfig_Security_Type securityType);
/* 8 to 63 characters, or 64 hexadecimal digits. EFAULT, ERANGE. */
int WifiConfig_SetPSK(int networkId, const char *psk, size_t pskLength);
int WifiConfig_SetNetworkEnabled(int networkId, bool enabled);
/* Asks for the network by its name, which anybody near can hear. */
int WifiConfig_SetTargetedScanEnabled(int networkId, bool enabled);
int WifiConfig_SetConfigName(int networkId, const char *configName);
int WifiConfig_GetNetworkIdByConfigName(const char *configName);
int WifiConfig_SetClientIdentity(int networkId, const char *identity);
int WifiConfig_GetClientIdentity(int networkId, WifiConfig_ClientIdentity *outIdentity);
int WifiConfig_SetClientCertStoreIdentifier(int networkId, const char *certStoreIdentifier);
int WifiConfig_GetClientCertStoreIdentifier(int networkId, CertStore_Identifier *outIdentifier);
int WifiConfig_SetRootCACertStoreIdentifier(int networkId, const char *certStoreIdentifier);
int WifiConfig_GetRootCACertStoreIdentifier(int networkId, CertStore_Identifier *outIdentifier);

/* EINVAL: a network has no SSID. ENOSPC. */
int WifiConfig_PersistConfig(void);
/* Drops what is not kept and joins anew. */
int WifiConfig_ReloadConfig(void);

ssize_t WifiConfig_GetStoredNetworkCount(void);
ssize_t WifiConfig_GetStoredNetworks(WifiConfig_StoredNetwork *storedNetworkArray, size_t storedNetworkArrayCount);
/* ENODATA: no network is joined. */
int WifiConfig_GetCurrentNetwork(WifiConfig_ConnectedNetwork *connectedNetwork);
/* ENOTCONN: no network is joined. */
int WifiConfig_GetConnectedNetworkId(void);
/* Listens, and gives how many were heard. */
ssize_t WifiConfig_TriggerScanAndGetScannedNetworkCount(void);
ssize_t WifiConfig_GetScannedNetworks(WifiConfig_ScannedNetwork *scannedNetworkArray, size_t scannedNetworkArrayCount);
/* ENODEV: there is no such network, or it never failed. */
int WifiConfig_GetNetworkDiagnostics(int networkId, WifiConfig_NetworkDiagnostics *networkDiagnostics);
int WifiConfig_SetPowerSavingsEnabled(bool enabled);

/* Of old: store, enable and keep in one. EEXIST: the network is stored already. */
int WifiConfig_StoreOpenNetwork(const uint8_t *ssid, size_t ssidLength);
int WifiConfig_StoreWpa2Network(const uint8_t *ssid, size_t ssidLength, const char *psk, size_t pskLength);
int WifiConfig_ForgetNetwork(const WifiConfig_StoredNetwork *storedNetwork);

#ifdef __cplusplus
}
#endif
