/* Calls every function of Applibs that reaches the kernel. The arguments are the capabilities that the manifest names: a
 * function whose capability is among them may fail with anything but EACCES, one whose capability is not must fail with
 * EACCES (EBADF, where what it works on could not be opened), and one that asks for none is never refused. */
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <applibs/adc.h>
#include <applibs/application.h>
#include <applibs/applications.h>
#include <applibs/certstore.h>
#include <applibs/eventloop.h>
#include <applibs/gpio.h>
#include <applibs/i2c.h>
#include <applibs/log.h>
#include <applibs/networking.h>
#include <applibs/powermanagement.h>
#include <applibs/pwm.h>
#include <applibs/rtc.h>
#include <applibs/spi.h>
#include <applibs/storage.h>
#include <applibs/sysevent.h>
#include <applibs/uart.h>
#include <applibs/wificonfig.h>

#define ETHERNET "eth0"
#define NOBODY "aaaaaaaa-bbbb-4ccc-8ddd-000000000000"

static int granted;
static char **names;
static unsigned tried;

static bool Has(const char *capability)
{
    for (int index = 0; index < granted; index++) {
        if (strcmp(names[index], capability) == 0) {
            return true;
        }
    }
    return false;
}

static void Judge(const char *function, const char *capability, int denied, int error)
{
    tried += 1;
    bool isGranted = capability == NULL || Has(capability);
    bool isRefused = error == EACCES || (denied == EBADF && error == EBADF);
    if (isGranted ? isRefused : error != denied) {
        Log_Debug("not ok %s, %s: errno %d\n", function, capability == NULL ? "always" : capability, error);
    }
}

/* A failure is -1, in whatever integer type. */
#define TRY(function, capability, ...) \
    (errno = 0, Judge(#function, capability, EACCES, function(__VA_ARGS__) == -1 ? errno : 0))
#define TRY_ON(function, capability, ...) \
    (errno = 0, Judge(#function, capability, EBADF, function(__VA_ARGS__) == -1 ? errno : 0))

#define OPEN(opened, function, capability, ...) \
    (errno = 0, (opened) = function(__VA_ARGS__), Judge(#function, capability, EACCES, (opened) == -1 ? errno : 0))

static void Peripherals(void)
{
    uint8_t bytes[4] = {0};
    UART_Config uartConfig;
    SPIMaster_Config spiConfig;
    SPIMaster_Transfer transfer;
    GPIO_Value_Type level;
    uint32_t sample;
    PwmState wave = {.period_nsec = 1000000, .dutyCycle_nsec = 500000, .polarity = PWM_Polarity_Normal, .enabled = true};
    TRY(GPIO_OpenAsInput, "Gpio", 9);
    int gpio = -1, i2c = -1, spi = -1, adc = -1, pwm = -1;
    OPEN(gpio, GPIO_OpenAsOutput, "Gpio", 8, GPIO_OutputMode_PushPull, GPIO_Value_Low);
    TRY_ON(GPIO_GetValue, "Gpio", gpio, &level);
    TRY_ON(GPIO_SetValue, "Gpio", gpio, GPIO_Value_High);
    UART_InitConfig(&uartConfig);
    TRY(UART_Open, "Uart", 4, &uartConfig);
    OPEN(i2c, I2CMaster_Open, "I2cMaster", 1);
    TRY_ON(I2CMaster_SetBusSpeed, "I2cMaster", i2c, I2C_BUS_SPEED_STANDARD);
    TRY_ON(I2CMaster_SetTimeout, "I2cMaster", i2c, 100);
    TRY_ON(I2CMaster_SetDefaultTargetAddress, "I2cMaster", i2c, 0x20);
    TRY_ON(I2CMaster_Read, "I2cMaster", i2c, 0x20, bytes, sizeof bytes);
    TRY_ON(I2CMaster_Write, "I2cMaster", i2c, 0x20, bytes, sizeof bytes);
    TRY_ON(I2CMaster_WriteThenRead, "I2cMaster", i2c, 0x20, bytes, 1, bytes, 1);
    TRY(SPIMaster_InitConfig, NULL, &spiConfig);
    spiConfig.csPolarity = SPI_ChipSelectPolarity_ActiveLow;
    OPEN(spi, SPIMaster_Open, "SpiMaster", 2, -1, &spiConfig);
    TRY_ON(SPIMaster_SetBusSpeed, "SpiMaster", spi, 1000000);
    TRY_ON(SPIMaster_SetMode, "SpiMaster", spi, SPI_Mode_0);
    TRY_ON(SPIMaster_SetBitOrder, "SpiMaster", spi, SPI_BitOrder_MsbFirst);
    TRY(SPIMaster_InitTransfers, NULL, &transfer, 1);
    transfer.flags = SPI_TransferFlags_Write;
    transfer.writeData = bytes;
    transfer.length = 1;
    TRY_ON(SPIMaster_TransferSequential, "SpiMaster", spi, &transfer, 1);
    TRY_ON(SPIMaster_WriteThenRead, "SpiMaster", spi, bytes, 1, bytes, 1);
    OPEN(adc, ADC_Open, "Adc", 0);
    TRY_ON(ADC_GetSampleBitCount, "Adc", adc, 0);
    TRY_ON(ADC_SetReferenceVoltage, "Adc", adc, 0, 2.5f);
    TRY_ON(ADC_Poll, "Adc", adc, 0, &sample);
    OPEN(pwm, PWM_Open, "Pwm", 0);
    TRY_ON(PWM_Apply, "Pwm", pwm, 0, &wave);
}

static void System(void)
{
    bool isReady;
    Applications_OsVersion version;
    TRY(Log_Debug, NULL, "calling\n");
    TRY(Application_IsDeviceAuthReady, NULL, &isReady);
    TRY(Applications_GetOsVersion, NULL, &version);
    TRY((int)Applications_GetTotalMemoryUsageInKB, NULL);
    TRY((int)Applications_GetUserModeMemoryUsageInKB, NULL);
    TRY((int)Applications_GetPeakUserModeMemoryUsageInKB, NULL);
    TRY(Storage_OpenFileInImagePackage, NULL, "app_manifest.json");
    TRY(Storage_DeleteMutableFile, "MutableStorage");
    TRY(Storage_OpenMutableFile, "MutableStorage");
    TRY(clock_systohc, "SystemTime");
    TRY(PowerManagement_SetSystemPowerProfile, "SetPowerProfile", PowerManagement_Balanced);
    TRY(SysEvent_DeferEvent, "SoftwareUpdateDeferral", SysEvent_Events_UpdateReadyForInstall, 1);
    TRY(SysEvent_ResumeEvent, "SoftwareUpdateDeferral", SysEvent_Events_UpdateReadyForInstall);
    EventLoop *loop = EventLoop_Create();
    errno = 0;
    EventRegistration *events = SysEvent_RegisterForEventNotifications(loop, SysEvent_Events_Mask, NULL, NULL);
    /* Who names SoftwareUpdateDeferral names this as well; the callback is judged first. */
    Judge("SysEvent_RegisterForEventNotifications", NULL, EACCES, events == NULL && errno != EFAULT ? errno : 0);
    TRY(EventLoop_GetWaitDescriptor, NULL, loop);
    TRY(EventLoop_Stop, NULL, loop);
    TRY((int)EventLoop_Run, NULL, loop, 0, true);
    EventLoop_Close(loop);
}

static void Network(void)
{
    bool flag;
    Networking_NetworkInterface interfaces[4];
    Networking_InterfaceConnectionStatus status;
    Networking_Interface_HardwareAddress address;
    Networking_IpConfig ip;
    Networking_SntpServerConfig sntp;
    Networking_DhcpServerConfig dhcp;
    Networking_ProxyStatus proxyStatus;
    struct tm before, now;
    char server[256];
    size_t length = sizeof server;
    const uint8_t hardware[] = {2, 0, 0, 0, 0, 1};
    struct in_addr start = {htonl(0x0a000010)}, gateway = {htonl(0x0a000001)};
    TRY(Networking_IsNetworkingReady, NULL, &flag);
    TRY(Networking_GetInterfaceCount, NULL);
    TRY(Networking_GetInterfaces, NULL, interfaces, 4);
    TRY(Networking_GetInterfaceConnectionStatus, NULL, ETHERNET, &status);
    TRY(Networking_GetHardwareAddress, NULL, ETHERNET, &address);
    TRY(Networking_SetInterfaceState, "NetworkConfig", ETHERNET, true);
    TRY(Networking_SetHardwareAddress, "HardwareAddressConfig", ETHERNET, hardware, sizeof hardware);
    Networking_IpConfig_Init(&ip);
    Networking_IpConfig_EnableDynamicIp(&ip);
    TRY(Networking_IpConfig_Apply, "NetworkConfig", ETHERNET, &ip);
    TRY(Networking_IpConfig_ReleaseIp, "NetworkConfig", ETHERNET);
    TRY(Networking_IpConfig_RenewIp, "NetworkConfig", ETHERNET);
    Networking_IpConfig_Destroy(&ip);
    TRY(Networking_TimeSync_GetEnabled, NULL, &flag);
    TRY(Networking_TimeSync_GetLastNtpSyncInfo, NULL, server, &length, &before, &now);
    TRY(Networking_TimeSync_SetEnabled, "TimeSyncConfig", true);
    TRY(Networking_TimeSync_EnableDefaultNtp, "TimeSyncConfig");
    TRY(Networking_TimeSync_EnableAutomaticNtp, "TimeSyncConfig", Networking_NtpOption_FallbackServerEnabled);
    TRY(Networking_TimeSync_EnableCustomNtp, "TimeSyncConfig", "time.test", NULL,
        Networking_NtpOption_FallbackServerEnabled);
    Networking_SntpServerConfig_Init(&sntp);
    TRY(Networking_SntpServer_Start, "SntpService", ETHERNET, &sntp);
    Networking_DhcpServerConfig_Init(&dhcp);
    TRY(Networking_DhcpServerConfig_SetLease, NULL, &dhcp, start, 2, (struct in_addr){htonl(0xffffff00)}, gateway, 24);
    TRY(Networking_DhcpServer_Start, "DhcpService", ETHERNET, &dhcp);
    Networking_ProxyConfig *proxy = Networking_Proxy_Create();
    TRY(Networking_Proxy_SetProxyAddress, NULL, proxy, "proxy.test", 8080);
    TRY(Networking_Proxy_SetAnonymousAuthentication, NULL, proxy);
    TRY(Networking_Proxy_Apply, "NetworkConfig", proxy);
    if (!Has("NetworkConfig")) {
        TRY(Networking_Proxy_Get, "ReadNetworkProxyConfig", proxy);
    }
    TRY(Networking_Proxy_GetProxyStatus, NULL, &proxyStatus);
    Networking_Proxy_Destroy(proxy);
}

static void Wireless(void)
{
    WifiConfig_StoredNetwork stored = {0};
    WifiConfig_ScannedNetwork scanned[2];
    WifiConfig_ConnectedNetwork connected;
    WifiConfig_NetworkDiagnostics diagnostics;
    WifiConfig_ClientIdentity identity;
    CertStore_Identifier certificate;
    const uint8_t ssid[] = {'h', 'o', 'm', 'e'};
    int id = -1;
    const char *const wifi = "WifiConfig";
    OPEN(id, WifiConfig_AddNetwork, wifi);
    int known = id == -1 ? 0 : id;
    TRY(WifiConfig_SetSSID, wifi, known, ssid, sizeof ssid);
    TRY(WifiConfig_SetSecurityType, wifi, known, WifiConfig_Security_Wpa2_Psk);
    TRY(WifiConfig_SetPSK, wifi, known, "eight or more", 13);
    TRY(WifiConfig_SetConfigName, wifi, known, "home");
    TRY(WifiConfig_GetNetworkIdByConfigName, wifi, "home");
    TRY(WifiConfig_SetNetworkEnabled, wifi, known, false);
    TRY(WifiConfig_SetTargetedScanEnabled, wifi, known, false);
    TRY(WifiConfig_AddDuplicateNetwork, wifi, known, "copy");
    TRY(WifiConfig_GetStoredNetworkCount, wifi);
    TRY(WifiConfig_GetStoredNetworks, wifi, &stored, 1);
    TRY(WifiConfig_GetCurrentNetwork, wifi, &connected);
    TRY(WifiConfig_GetConnectedNetworkId, wifi);
    TRY(WifiConfig_TriggerScanAndGetScannedNetworkCount, wifi);
    TRY(WifiConfig_GetScannedNetworks, wifi, scanned, 2);
    TRY(WifiConfig_GetNetworkDiagnostics, wifi, known, &diagnostics);
    TRY(WifiConfig_SetPowerSavingsEnabled, wifi, true);
    TRY(WifiConfig_PersistConfig, wifi);
    TRY(WifiConfig_ReloadConfig, wifi);
    TRY(WifiConfig_StoreOpenNetwork, wifi, ssid, sizeof ssid);
    TRY(WifiConfig_StoreWpa2Network, wifi, ssid, sizeof ssid, "eight or more", 13);
    TRY(WifiConfig_ForgetNetwork, wifi, &stored);
    TRY(WifiConfig_ForgetNetworkById, wifi, known);
    TRY(WifiConfig_ForgetAllNetworks, wifi);
    id = WifiConfig_AddNetwork();
    known = id == -1 ? 0 : id;
    const char *const enterprise = "EnterpriseWifiConfig";
    TRY(WifiConfig_SetSecurityType, enterprise, known, WifiConfig_Security_Wpa2_EAP_TLS);
    TRY(WifiConfig_SetClientIdentity, enterprise, known, "lamp");
    TRY(WifiConfig_GetClientIdentity, enterprise, known, &identity);
    TRY(WifiConfig_SetClientCertStoreIdentifier, enterprise, known, "lamp");
    TRY(WifiConfig_GetClientCertStoreIdentifier, enterprise, known, &certificate);
    TRY(WifiConfig_SetRootCACertStoreIdentifier, enterprise, known, "root");
    TRY(WifiConfig_GetRootCACertStoreIdentifier, enterprise, known, &certificate);
}

static void Certificates(void)
{
    CertStore_Identifier identifier;
    CertStore_SubjectName subject;
    CertStore_IssuerName issuer;
    struct tm time;
    const char *const store = "CertStore";
    TRY(CertStore_InstallClientCertificate, store, "lamp", "none", 4, "none", 4, NULL);
    TRY(CertStore_InstallRootCACertificate, store, "root", "none", 4);
    TRY(CertStore_MoveCertificate, store, "lamp", "other");
    TRY(CertStore_DeleteCertificate, store, "lamp");
    TRY(CertStore_GetCertificateCount, store);
    TRY(CertStore_GetCertificateIdentifierAt, store, 0, &identifier);
    TRY(CertStore_GetAvailableSpace, store);
    TRY(CertStore_GetCertificateSubjectName, store, "lamp", &subject);
    TRY(CertStore_GetCertificateIssuerName, store, "lamp", &issuer);
    TRY(CertStore_GetCertificateNotBefore, store, "lamp", &time);
    TRY(CertStore_GetCertificateNotAfter, store, "lamp", &time);
}

int main(int argc, char *argv[])
{
    granted = argc - 1;
    names = argv + 1;
    Peripherals();
    System();
    Network();
    Wireless();
    Certificates();
    /* Nobody is there to connect to, and who could be would have to name this app. */
    TRY(Application_Connect, "nobody", NOBODY);
    Log_Debug("tried %u\n", tried);
    /* Whoever may, ends the device with these. */
    if (!Has("ForceReboot") && !Has("ForcePowerDown")) {
        TRY(PowerManagement_ForceSystemReboot, "ForceReboot");
        TRY(PowerManagement_ForceSystemPowerDown, "ForcePowerDown", 60);
    }
    return 0;
}
