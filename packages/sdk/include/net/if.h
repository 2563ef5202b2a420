/* Network interfaces by name. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

#define IF_NAMESIZE 16
#define IFNAMSIZ IF_NAMESIZE

#define IFF_UP 0x1
#define IFF_BROADCAST 0x2
#define IFF_LOOPBACK 0x8
#define IFF_RUNNING 0x40

/* Numbers from 1, constant within a boot; 0 with errno ENODEV for a name that is none. */
unsigned if_nametoindex(const char *name);
/* `name` has room for IF_NAMESIZE; NULL with errno ENXIO. */
char *if_indextoname(unsigned index, char *name);

#ifdef __cplusplus
}
#endif
