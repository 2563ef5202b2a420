#include <ifaddrs.h>
#include <net/if.h>

#include <stdlib.h>
#include <string.h>

#include <applibs/networking.h>

#include "host.h"

#define MOST_INTERFACES 8

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
};

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
