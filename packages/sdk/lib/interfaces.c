#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <stdlib.h>
#include <string.h>

#include <applibs/networking.h>

#include "host.h"
#include "settings.h"

#define MOST_INTERFACES 8
#define SMALL 128

static ssize_t interfaces(Networking_NetworkInterface *out)
{
    return Networking_GetInterfaces(out, MOST_INTERFACES);
}

unsigned if_nametoindex(const char *name)
{
    Networking_NetworkInterface found[MOST_INTERFACES];
    ssize_t count = interfaces(found);
    for (ssize_t index = 0; index < count; index++) {
        if (strcmp(found[index].interfaceName, name) == 0) {
            return (unsigned)index + 1;
        }
    }
    errno = ENODEV;
    return 0;
}

char *if_indextoname(unsigned index, char *name)
{
    Networking_NetworkInterface found[MOST_INTERFACES];
    ssize_t count = interfaces(found);
    if (index == 0 || count < (ssize_t)index) {
        errno = ENXIO;
        return NULL;
    }
    return memcpy(name, found[index - 1].interfaceName, IF_NAMESIZE);
}

/* One allocation an interface. */
struct entry {
    struct ifaddrs entry;
    char name[IF_NAMESIZE];
    struct sockaddr_in address;
    struct sockaddr_in mask;
    struct sockaddr_in broadcast;
};

static struct sockaddr *ipv4(struct sockaddr_in *to, uint32_t address)
{
    to->sin_family = AF_INET;
    to->sin_addr.s_addr = htonl(address);
    return (struct sockaddr *)to;
}

/* An interface without an address is in the list as well, as on Linux. */
static void read_addresses(struct entry *entry)
{
    struct settings_call call;
    settings_begin(&call, SMALL);
    settings_put_text(&call, entry->name);
    int result = settings_send(&call, SETTINGS_ADDRESSES);
    uint32_t address = result == 0 ? settings_get(&call) : 0;
    uint32_t mask = result == 0 ? settings_get(&call) : 0;
    settings_end(&call, result);
    if (address != 0) {
        entry->entry.ifa_addr = ipv4(&entry->address, address);
        entry->entry.ifa_netmask = ipv4(&entry->mask, mask);
        entry->entry.ifa_broadaddr = ipv4(&entry->broadcast, address | ~mask);
    }
}

int getifaddrs(struct ifaddrs **outList)
{
    Networking_NetworkInterface found[MOST_INTERFACES];
    ssize_t count = interfaces(found);
    *outList = NULL;
    struct ifaddrs **next = outList;
    for (ssize_t index = 0; index < count; index++) {
        Networking_InterfaceConnectionStatus status = 0;
        struct entry *entry = calloc(1, sizeof *entry);
        if (entry == NULL) {
            freeifaddrs(*outList);
            *outList = NULL;
            return -1;
        }
        memcpy(entry->name, found[index].interfaceName, sizeof entry->name);
        Networking_GetInterfaceConnectionStatus(entry->name, &status);
        entry->entry.ifa_name = entry->name;
        read_addresses(entry);
        entry->entry.ifa_flags = IFF_BROADCAST | (found[index].isEnabled ? IFF_UP : 0u) |
                                 ((status & Networking_InterfaceConnectionStatus_ConnectedToNetwork) != 0 ? IFF_RUNNING
                                                                                                           : 0u);
        *next = &entry->entry;
        next = &entry->entry.ifa_next;
    }
    return count == -1 ? -1 : 0;
}

void freeifaddrs(struct ifaddrs *list)
{
    while (list != NULL) {
        struct ifaddrs *next = list->ifa_next;
        free(list);
        list = next;
    }
}
