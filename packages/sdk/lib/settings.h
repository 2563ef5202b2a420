/* Calls to the OS's settings: networking, Wi-Fi, certificates. A request and its answer are rows of fields, each
 * a u32, or bytes after their u32 length; the device's half is packages/os/src/kernel/settings/. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbers of packages/os/src/kernel/settings/settings.ts. */
enum settings_operation {
    SETTINGS_NETWORKING_READY = 1,
    SETTINGS_INTERFACES = 2,
    SETTINGS_INTERFACE_ENABLE = 3,
    SETTINGS_INTERFACE_STATUS = 4,
    SETTINGS_HARDWARE_ADDRESS_GET = 5,
    SETTINGS_HARDWARE_ADDRESS_SET = 6,
    SETTINGS_IP_APPLY = 7,
    SETTINGS_IP_RELEASE = 8,
    SETTINGS_IP_RENEW = 9,
    SETTINGS_TIME_SYNC_SET = 10,
    SETTINGS_TIME_SYNC_GET = 11,
    SETTINGS_NTP = 12,
    SETTINGS_LAST_NTP = 13,
    SETTINGS_SNTP_SERVER = 14,
    SETTINGS_DHCP_SERVER = 15,
    SETTINGS_PROXY_APPLY = 16,
    SETTINGS_PROXY_GET = 17,
    SETTINGS_PROXY_STATUS = 18,
    SETTINGS_ADDRESSES = 19,
    SETTINGS_WIFI_ADD = 30,
    SETTINGS_WIFI_DUPLICATE = 31,
    SETTINGS_WIFI_SET = 32,
    SETTINGS_WIFI_GET = 33,
    SETTINGS_WIFI_PERSIST = 34,
    SETTINGS_WIFI_RELOAD = 35,
    SETTINGS_WIFI_FORGET = 36,
    SETTINGS_WIFI_FORGET_ALL = 37,
    SETTINGS_WIFI_STORED = 38,
    SETTINGS_WIFI_CURRENT = 39,
    SETTINGS_WIFI_SCAN = 40,
    SETTINGS_WIFI_DIAGNOSTICS = 41,
    SETTINGS_WIFI_BY_NAME = 42,
    SETTINGS_WIFI_POWER_SAVING = 43,
    SETTINGS_WIFI_FORGET_STORED = 44,
    SETTINGS_CERTIFICATE_INSTALL = 60,
    SETTINGS_CERTIFICATE_DELETE = 61,
    SETTINGS_CERTIFICATE_MOVE = 62,
    SETTINGS_CERTIFICATE_LIST = 63,
    SETTINGS_CERTIFICATE_SPACE = 64,
    SETTINGS_CERTIFICATE_SHOW = 65
};

/* A request that is being written, then its answer that is being read. */
struct settings_call {
    uint8_t *bytes;
    size_t capacity;
    size_t length;
    size_t at;
    bool isBroken;
};

/* Begins a request; `capacity` is room for request and answer. */
void settings_begin(struct settings_call *call, size_t capacity);
void settings_put(struct settings_call *call, uint32_t number);
void settings_put_bytes(struct settings_call *call, const void *bytes, size_t length);
/* NULL counts as empty. */
void settings_put_text(struct settings_call *call, const char *text);

/* Sends it: 0, or -1 with errno, after which only settings_end is due. */
int settings_send(struct settings_call *call, enum settings_operation operation);
uint32_t settings_get(struct settings_call *call);
/* Gives the length and where the bytes are, until settings_end. */
const uint8_t *settings_get_bytes(struct settings_call *call, size_t *length);
/* Copies a text with its NUL, cut to the room there is. */
void settings_get_text(struct settings_call *call, char *out, size_t size);
/* Frees it; gives `result`, or -1 with errno EIO if the answer was shorter than what was read from it. */
int settings_end(struct settings_call *call, int result);

/* One call with nothing to answer. */
int settings_do(enum settings_operation operation, const char *text, int count, const uint32_t *numbers);
