#include <applibs/networking.h>

#include <arpa/inet.h>
#include <string.h>

#include "host.h"
#include "settings.h"

#define SMALL 1024
#define MOST_SERVERS 3
#define LONGEST_HOST 255
#define NETWORK_INTERFACE_MAGIC 0xfa9a0001u

/* What the opaque structures hold. */
struct ip_config {
    uint32_t isStatic;
    uint32_t address;
    uint32_t mask;
    uint32_t gateway;
    uint32_t isDnsAutomatic;
    uint32_t serverCount;
    uint32_t servers[MOST_SERVERS];
};
struct dhcp_config {
    uint32_t start;
    uint32_t count;
    uint32_t mask;
    uint32_t gateway;
    uint32_t hours;
    uint32_t serverCount;
    uint32_t servers[MOST_SERVERS];
};
_Static_assert(sizeof(struct ip_config) <= sizeof(Networking_IpConfig), "");
_Static_assert(sizeof(struct dhcp_config) <= sizeof(Networking_DhcpServerConfig), "");

static int is_there(const void *pointer)
{
    if (pointer == NULL) {
        errno = EFAULT;
        return 0;
    }
    return 1;
}

/* An interface's name: one that cannot be is one that is not there. */
static int is_name(const char *name)
{
    if (name == NULL || strnlen(name, IF_NAMESIZE) == IF_NAMESIZE) {
        errno = ENOENT;
        return 0;
    }
    return 1;
}

static int on_interface(enum settings_operation operation, const char *name, int count, const uint32_t *numbers)
{
    return is_name(name) ? settings_do(operation, name, count, numbers) : -1;
}

/* One number of an answer. */
static int ask(enum settings_operation operation, const char *name, uint32_t *out)
{
    struct settings_call call;
    settings_begin(&call, SMALL);
    if (name != NULL) {
        settings_put_text(&call, name);
    }
    int result = settings_send(&call, operation);
    if (result == 0) {
        *out = settings_get(&call);
    }
    return settings_end(&call, result);
}

int Networking_IsNetworkingReady(bool *outIsNetworkingReady)
{
    uint32_t ready = 0;
    if (!is_there(outIsNetworkingReady) || ask(SETTINGS_NETWORKING_READY, NULL, &ready) == -1) {
        return -1;
    }
    *outIsNetworkingReady = ready != 0;
    return 0;
}

ssize_t Networking_GetInterfaceCount(void)
{
    uint32_t count = 0;
    return ask(SETTINGS_INTERFACES, NULL, &count) == -1 ? -1 : (ssize_t)count;
}

ssize_t Networking_GetInterfaces(Networking_NetworkInterface *outNetworkInterfacesArray,
                                 size_t networkInterfacesArrayCount)
{
    if (!is_there(outNetworkInterfacesArray)) {
        return -1;
    }
    if (networkInterfacesArrayCount == 0) {
        errno = ERANGE;
        return -1;
    }
    struct settings_call call;
    settings_begin(&call, SMALL);
    if (settings_send(&call, SETTINGS_INTERFACES) == -1) {
        return settings_end(&call, -1);
    }
    size_t count = settings_get(&call);
    if (count > networkInterfacesArrayCount) {
        count = networkInterfacesArrayCount;
    }
    for (size_t index = 0; index < count; index++) {
        Networking_NetworkInterface *out = &outNetworkInterfacesArray[index];
        memset(out, 0, sizeof *out);
        out->z__magicAndVersion = NETWORK_INTERFACE_MAGIC;
        out->isEnabled = settings_get(&call) != 0;
        settings_get_text(&call, out->interfaceName, sizeof out->interfaceName);
        out->ipConfigurationType = (Networking_IpType_Type)settings_get(&call);
        out->interfaceMediumType = (Networking_InterfaceMedium_Type)settings_get(&call);
    }
    return settings_end(&call, (int)count);
}

int Networking_SetInterfaceState(const char *networkInterfaceName, bool isEnabled)
{
    uint32_t enabled = isEnabled;
    return on_interface(SETTINGS_INTERFACE_ENABLE, networkInterfaceName, 1, &enabled);
}

int Networking_GetInterfaceConnectionStatus(const char *networkInterfaceName,
                                            Networking_InterfaceConnectionStatus *outStatus)
{
    if (!is_there(outStatus) || !is_name(networkInterfaceName)) {
        return -1;
    }
    return ask(SETTINGS_INTERFACE_STATUS, networkInterfaceName, outStatus);
}

int Networking_GetHardwareAddress(const char *networkInterfaceName, Networking_Interface_HardwareAddress *outAddress)
{
    if (!is_there(outAddress) || !is_name(networkInterfaceName)) {
        return -1;
    }
    struct settings_call call;
    settings_begin(&call, SMALL);
    settings_put_text(&call, networkInterfaceName);
    int result = settings_send(&call, SETTINGS_HARDWARE_ADDRESS_GET);
    if (result == 0) {
        size_t length;
        const uint8_t *address = settings_get_bytes(&call, &length);
        memset(outAddress, 0, sizeof *outAddress);
        memcpy(outAddress->address, address, length < HARDWARE_ADDRESS_LENGTH ? length : HARDWARE_ADDRESS_LENGTH);
    }
    return settings_end(&call, result);
}

int Networking_SetHardwareAddress(const char *networkInterfaceName, const uint8_t *hardwareAddress,
                                  size_t hardwareAddressLength)
{
    if (!is_there(hardwareAddress) || !is_name(networkInterfaceName)) {
        return -1;
    }
    if (hardwareAddressLength != HARDWARE_ADDRESS_LENGTH) {
        errno = ERANGE;
        return -1;
    }
    struct settings_call call;
    settings_begin(&call, SMALL);
    settings_put_text(&call, networkInterfaceName);
    settings_put_bytes(&call, hardwareAddress, hardwareAddressLength);
    return settings_end(&call, settings_send(&call, SETTINGS_HARDWARE_ADDRESS_SET));
}

static struct ip_config read_ip(const Networking_IpConfig *from)
{
    struct ip_config config;
    memcpy(&config, from, sizeof config);
    return config;
}

static void write_ip(Networking_IpConfig *to, const struct ip_config *config)
{
    memset(to, 0, sizeof *to);
    memcpy(to, config, sizeof *config);
}

void Networking_IpConfig_Init(Networking_IpConfig *ipConfig)
{
    struct ip_config config = {.isDnsAutomatic = 1};
    write_ip(ipConfig, &config);
}

void Networking_IpConfig_Destroy(Networking_IpConfig *ipConfig)
{
    memset(ipConfig, 0, sizeof *ipConfig);
}

void Networking_IpConfig_EnableDynamicIp(Networking_IpConfig *ipConfig)
{
    struct ip_config config = read_ip(ipConfig);
    config.isStatic = 0;
    write_ip(ipConfig, &config);
}

void Networking_IpConfig_EnableStaticIp(Networking_IpConfig *ipConfig, struct in_addr ipAddress,
                                        struct in_addr subnetMask, struct in_addr gatewayAddress)
{
    struct ip_config config = read_ip(ipConfig);
    config.isStatic = 1;
    config.address = ntohl(ipAddress.s_addr);
    config.mask = ntohl(subnetMask.s_addr);
    config.gateway = ntohl(gatewayAddress.s_addr);
    config.isDnsAutomatic = 0;
    write_ip(ipConfig, &config);
}

void Networking_IpConfig_EnableAutomaticDns(Networking_IpConfig *ipConfig)
{
    struct ip_config config = read_ip(ipConfig);
    config.isDnsAutomatic = 1;
    config.serverCount = 0;
    write_ip(ipConfig, &config);
}

/* Addresses of servers in the order of the host. -1 with errno EINVAL. */
static int read_servers(const struct in_addr *from, size_t count, uint32_t *out)
{
    if (count > MOST_SERVERS) {
        errno = EINVAL;
        return -1;
    }
    for (size_t index = 0; index < count; index++) {
        out[index] = ntohl(from[index].s_addr);
        if (out[index] == INADDR_ANY) {
            errno = EINVAL;
            return -1;
        }
    }
    return 0;
}

int Networking_IpConfig_EnableCustomDns(Networking_IpConfig *ipConfig, const struct in_addr *dnsServerAddresses,
                                        size_t serverCount)
{
    if (!is_there(ipConfig) || !is_there(dnsServerAddresses)) {
        return -1;
    }
    struct ip_config config = read_ip(ipConfig);
    if (read_servers(dnsServerAddresses, serverCount, config.servers) == -1) {
        return -1;
    }
    config.isDnsAutomatic = 0;
    config.serverCount = (uint32_t)serverCount;
    write_ip(ipConfig, &config);
    return 0;
}

int Networking_IpConfig_Apply(const char *networkInterfaceName, const Networking_IpConfig *ipConfig)
{
    if (!is_there(ipConfig)) {
        return -1;
    }
    struct ip_config config = read_ip(ipConfig);
    uint32_t numbers[6 + MOST_SERVERS] = {config.isStatic, config.address,        config.mask,
                                          config.gateway,  config.isDnsAutomatic, config.serverCount};
    memcpy(numbers + 6, config.servers, sizeof config.servers);
    return on_interface(SETTINGS_IP_APPLY, networkInterfaceName, 6 + (int)config.serverCount, numbers);
}

int Networking_IpConfig_ReleaseIp(const char *networkInterfaceName)
{
    return on_interface(SETTINGS_IP_RELEASE, networkInterfaceName, 0, NULL);
}

int Networking_IpConfig_RenewIp(const char *networkInterfaceName)
{
    return on_interface(SETTINGS_IP_RENEW, networkInterfaceName, 0, NULL);
}

int Networking_TimeSync_SetEnabled(bool enabled)
{
    uint32_t number = enabled;
    return settings_do(SETTINGS_TIME_SYNC_SET, NULL, 1, &number);
}

int Networking_TimeSync_GetEnabled(bool *outIsEnabled)
{
    uint32_t enabled = 0;
    if (!is_there(outIsEnabled) || ask(SETTINGS_TIME_SYNC_GET, NULL, &enabled) == -1) {
        return -1;
    }
    *outIsEnabled = enabled != 0;
    return 0;
}

enum { NTP_DEFAULT, NTP_AUTOMATIC, NTP_CUSTOM };

static int use_ntp(uint32_t mode, uint32_t option, const char *primary, const char *secondary)
{
    struct settings_call call;
    settings_begin(&call, SMALL);
    settings_put(&call, mode);
    settings_put(&call, option);
    settings_put_text(&call, primary);
    settings_put_text(&call, secondary);
    return settings_end(&call, settings_send(&call, SETTINGS_NTP));
}

int Networking_TimeSync_EnableDefaultNtp(void)
{
    return use_ntp(NTP_DEFAULT, Networking_NtpOption_FallbackServerEnabled, NULL, NULL);
}

int Networking_TimeSync_EnableAutomaticNtp(Networking_NtpOption option)
{
    return use_ntp(NTP_AUTOMATIC, option, NULL, NULL);
}

int Networking_TimeSync_EnableCustomNtp(const char *primaryNtpServer, const char *secondaryNtpServer,
                                        Networking_NtpOption option)
{
    if (!is_there(primaryNtpServer)) {
        return -1;
    }
    if (strnlen(primaryNtpServer, LONGEST_HOST + 1) > LONGEST_HOST ||
        (secondaryNtpServer != NULL && strnlen(secondaryNtpServer, LONGEST_HOST + 1) > LONGEST_HOST)) {
        errno = ERANGE;
        return -1;
    }
    return use_ntp(NTP_CUSTOM, option, primaryNtpServer, secondaryNtpServer);
}

static void get_time(struct settings_call *call, struct tm *out)
{
    uint64_t low = settings_get(call);
    time_t seconds = (time_t)(low | (uint64_t)settings_get(call) << 32);
    gmtime_r(&seconds, out);
}

int Networking_TimeSync_GetLastNtpSyncInfo(char *outNtpServer, size_t *inOutNtpServerLength,
                                           struct tm *outTimeBeforeSync, struct tm *outNtpTime)
{
    if (!is_there(outNtpServer) || !is_there(inOutNtpServerLength) || !is_there(outTimeBeforeSync) ||
        !is_there(outNtpTime)) {
        return -1;
    }
    struct settings_call call;
    settings_begin(&call, SMALL);
    int result = settings_send(&call, SETTINGS_LAST_NTP);
    if (result == 0) {
        size_t length;
        const uint8_t *server = settings_get_bytes(&call, &length);
        if (length + 1 > *inOutNtpServerLength) {
            errno = ENOBUFS;
            result = -1;
        } else {
            memcpy(outNtpServer, server, length);
            outNtpServer[length] = '\0';
            get_time(&call, outTimeBeforeSync);
            get_time(&call, outNtpTime);
        }
        *inOutNtpServerLength = length + 1;
    }
    return settings_end(&call, result);
}

void Networking_SntpServerConfig_Init(Networking_SntpServerConfig *sntpServerConfig)
{
    memset(sntpServerConfig, 0, sizeof *sntpServerConfig);
}

void Networking_SntpServerConfig_Destroy(Networking_SntpServerConfig *sntpServerConfig)
{
    memset(sntpServerConfig, 0, sizeof *sntpServerConfig);
}

int Networking_SntpServer_Start(const char *networkInterfaceName, const Networking_SntpServerConfig *sntpServerConfig)
{
    return is_there(sntpServerConfig) ? on_interface(SETTINGS_SNTP_SERVER, networkInterfaceName, 0, NULL) : -1;
}

void Networking_DhcpServerConfig_Init(Networking_DhcpServerConfig *dhcpServerConfig)
{
    memset(dhcpServerConfig, 0, sizeof *dhcpServerConfig);
}

void Networking_DhcpServerConfig_Destroy(Networking_DhcpServerConfig *dhcpServerConfig)
{
    memset(dhcpServerConfig, 0, sizeof *dhcpServerConfig);
}

int Networking_DhcpServerConfig_SetLease(Networking_DhcpServerConfig *dhcpServerConfig, struct in_addr startIpAddress,
                                         uint8_t ipAddressCount, struct in_addr subnetMask,
                                         struct in_addr gatewayAddress, uint32_t leaseTimeInHours)
{
    if (!is_there(dhcpServerConfig)) {
        return -1;
    }
    if (ipAddressCount != 1) {
        errno = EINVAL;
        return -1;
    }
    struct dhcp_config config;
    memcpy(&config, dhcpServerConfig, sizeof config);
    config.start = ntohl(startIpAddress.s_addr);
    config.count = ipAddressCount;
    config.mask = ntohl(subnetMask.s_addr);
    config.gateway = ntohl(gatewayAddress.s_addr);
    config.hours = leaseTimeInHours;
    memcpy(dhcpServerConfig, &config, sizeof config);
    return 0;
}

int Networking_DhcpServerConfig_SetNtpServerAddresses(Networking_DhcpServerConfig *dhcpServerConfig,
                                                      const struct in_addr *ntpServerAddresses, size_t serverCount)
{
    if (!is_there(dhcpServerConfig) || !is_there(ntpServerAddresses)) {
        return -1;
    }
    struct dhcp_config config;
    memcpy(&config, dhcpServerConfig, sizeof config);
    if (read_servers(ntpServerAddresses, serverCount, config.servers) == -1) {
        return -1;
    }
    config.serverCount = (uint32_t)serverCount;
    memcpy(dhcpServerConfig, &config, sizeof config);
    return 0;
}

int Networking_DhcpServer_Start(const char *networkInterfaceName, const Networking_DhcpServerConfig *dhcpServerConfig)
{
    if (!is_there(dhcpServerConfig)) {
        return -1;
    }
    struct dhcp_config config;
    memcpy(&config, dhcpServerConfig, sizeof config);
    uint32_t numbers[6 + MOST_SERVERS] = {config.start,   config.count, config.mask,
                                          config.gateway, config.hours, config.serverCount};
    memcpy(numbers + 6, config.servers, sizeof config.servers);
    return on_interface(SETTINGS_DHCP_SERVER, networkInterfaceName, 6 + (int)config.serverCount, numbers);
}
