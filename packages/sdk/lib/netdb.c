#include <netdb.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

#define MOST_ADDRESSES 8
#define LAST_PORT 65535

int h_errno;

/* One allocation an answer: the record, its address, its name. */
struct answer {
    struct addrinfo info;
    struct sockaddr_in address;
    char name[];
};

static int port_of(const char *service, uint16_t *out)
{
    *out = 0;
    if (service == NULL) {
        return 0;
    }
    char *end;
    unsigned long port = strtoul(service, &end, 10);
    if (*service == '\0' || *end != '\0' || port > LAST_PORT) {
        return EAI_SERVICE;
    }
    *out = (uint16_t)port;
    return 0;
}

/* Addresses of a node, in the order of the host's bytes. */
static int addresses_of(const char *node, int flags, uint32_t *out, size_t *outCount)
{
    struct in_addr number;
    *outCount = 1;
    if (node == NULL) {
        out[0] = (flags & AI_PASSIVE) != 0 ? INADDR_ANY : INADDR_LOOPBACK;
        return 0;
    }
    if (inet_pton(AF_INET, node, &number) == 1) {
        out[0] = ntohl(number.s_addr);
        return 0;
    }
    if ((flags & AI_NUMERICHOST) != 0) {
        return EAI_NONAME;
    }
    int error = host_resolve(node, strlen(node), out, MOST_ADDRESSES, outCount);
    if (error == 0) {
        return *outCount > 0 ? 0 : EAI_NONAME;
    }
    errno = error;
    switch (error) {
    case EHOSTUNREACH:
        return EAI_NONAME;
    case EAGAIN:
    case ETIMEDOUT:
    case ENETDOWN:
        return EAI_AGAIN;
    default:
        return EAI_SYSTEM;
    }
}

static struct addrinfo *make_answer(uint32_t address, uint16_t port, int type, const char *name)
{
    size_t length = name == NULL ? 0 : strlen(name) + 1;
    struct answer *answer = calloc(1, sizeof *answer + length);
    if (answer == NULL) {
        return NULL;
    }
    answer->address.sin_family = AF_INET;
    answer->address.sin_port = htons(port);
    answer->address.sin_addr.s_addr = htonl(address);
    answer->info.ai_family = AF_INET;
    answer->info.ai_socktype = type;
    answer->info.ai_protocol = type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
    answer->info.ai_addrlen = sizeof answer->address;
    answer->info.ai_addr = (struct sockaddr *)&answer->address;
    if (name != NULL) {
        memcpy(answer->name, name, length);
        answer->info.ai_canonname = answer->name;
    }
    return &answer->info;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    static const struct addrinfo none;
    const struct addrinfo *wanted = hints == NULL ? &none : hints;
    if (result == NULL || (node == NULL && service == NULL)) {
        return EAI_NONAME;
    }
    *result = NULL;
    if (wanted->ai_family != AF_UNSPEC && wanted->ai_family != AF_INET) {
        return EAI_FAMILY;
    }
    int type = wanted->ai_socktype;
    if (type != 0 && type != SOCK_STREAM && type != SOCK_DGRAM) {
        return EAI_SOCKTYPE;
    }
    uint16_t port;
    uint32_t addresses[MOST_ADDRESSES];
    size_t count = 0;
    int error = port_of(service, &port);
    if (error == 0) {
        error = addresses_of(node, wanted->ai_flags, addresses, &count);
    }
    if (error != 0) {
        return error;
    }
    const char *name = (wanted->ai_flags & AI_CANONNAME) != 0 ? node : NULL;
    struct addrinfo **next = result;
    for (size_t index = 0; index < count; index++) {
        for (int kind = 0; kind < 2; kind++) {
            int found = kind == 0 ? SOCK_STREAM : SOCK_DGRAM;
            if (type != 0 && type != found) {
                continue;
            }
            *next = make_answer(addresses[index], port, found, name);
            if (*next == NULL) {
                freeaddrinfo(*result);
                *result = NULL;
                return EAI_MEMORY;
            }
            name = NULL;
            next = &(*next)->ai_next;
        }
    }
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    while (list != NULL) {
        struct addrinfo *next = list->ai_next;
        free(list);
        list = next;
    }
}

const char *gai_strerror(int error)
{
    switch (error) {
    case 0:
        return "no error";
    case EAI_NONAME:
        return "the name has no address";
    case EAI_AGAIN:
        return "the name cannot be looked up now";
    case EAI_FAMILY:
        return "only IPv4";
    case EAI_SOCKTYPE:
        return "only SOCK_STREAM and SOCK_DGRAM";
    case EAI_SERVICE:
        return "not a port number";
    case EAI_MEMORY:
        return "out of memory";
    case EAI_OVERFLOW:
        return "the buffer is too small";
    case EAI_SYSTEM:
        return "see errno";
    default:
        return "unknown error";
    }
}

int getnameinfo(const struct sockaddr *address, socklen_t length, char *host, socklen_t hostLength, char *service,
                socklen_t serviceLength, int flags)
{
    (void)flags;
    const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)address;
    if (length < sizeof *ipv4 || ipv4->sin_family != AF_INET) {
        return EAI_FAMILY;
    }
    if (host != NULL && hostLength > 0 && inet_ntop(AF_INET, &ipv4->sin_addr, host, hostLength) == NULL) {
        return EAI_OVERFLOW;
    }
    if (service != NULL && serviceLength > 0 &&
        snprintf(service, serviceLength, "%u", ntohs(ipv4->sin_port)) >= (int)serviceLength) {
        return EAI_OVERFLOW;
    }
    return 0;
}

struct hostent *gethostbyname(const char *name)
{
    static struct in_addr found[MOST_ADDRESSES];
    static char *list[MOST_ADDRESSES + 1];
    static char *aliases[1];
    static char copy[NI_MAXHOST];
    static struct hostent host;
    uint32_t addresses[MOST_ADDRESSES];
    size_t count = 0;
    int error = addresses_of(name, 0, addresses, &count);
    if (error != 0) {
        h_errno = error == EAI_AGAIN ? TRY_AGAIN : HOST_NOT_FOUND;
        return NULL;
    }
    for (size_t index = 0; index < count; index++) {
        found[index].s_addr = htonl(addresses[index]);
        list[index] = (char *)&found[index];
    }
    list[count] = NULL;
    snprintf(copy, sizeof copy, "%s", name);
    host = (struct hostent){.h_name = copy,
                            .h_aliases = aliases,
                            .h_addrtype = AF_INET,
                            .h_length = sizeof found[0],
                            .h_addr_list = list};
    return &host;
}
