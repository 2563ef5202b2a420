#include <sys/socket.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "host.h"
#include "signals.h"

#define TYPE_FLAGS (SOCK_NONBLOCK | SOCK_CLOEXEC)
/* Their value is a struct timeval; the host counts milliseconds. */
#define RECEIVE_TIMEOUT 10
#define SEND_TIMEOUT 11
#define MS_PER_SECOND 1000
#define US_PER_MS 1000
#define US_PER_SECOND 1000000

static int done(int error, int value)
{
    if (error == EINTR) {
        sevenfold_deliver_signals();
    }
    return host_result(error, value);
}

int socket(int domain, int type, int protocol)
{
    int kind = type & ~TYPE_FLAGS;
    if (domain != AF_INET) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    int expected = kind == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
    if (protocol != 0 && protocol != expected) {
        errno = EPROTONOSUPPORT;
        return -1;
    }
    int fd = -1;
    int error = host_socket_open(kind, (type & SOCK_NONBLOCK) != 0 ? HOST_NON_BLOCKING : 0, &fd);
    return host_result(error, fd);
}

/* -1 with errno where the address is none of IPv4. */
static int read_address(const struct sockaddr *address, socklen_t length, struct host_endpoint *out)
{
    if (address == NULL) {
        errno = EFAULT;
        return -1;
    }
    if (length < sizeof(struct sockaddr_in)) {
        errno = EINVAL;
        return -1;
    }
    const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)address;
    if (ipv4->sin_family != AF_INET) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    out->address = ntohl(ipv4->sin_addr.s_addr);
    out->port = ntohs(ipv4->sin_port);
    return 0;
}

/* As POSIX: cut to the room there is, the whole length told. */
static void write_address(const struct host_endpoint *from, struct sockaddr *address, socklen_t *length)
{
    if (address == NULL || length == NULL) {
        return;
    }
    struct sockaddr_in ipv4;
    memset(&ipv4, 0, sizeof ipv4);
    ipv4.sin_family = AF_INET;
    ipv4.sin_port = htons((uint16_t)from->port);
    ipv4.sin_addr.s_addr = htonl(from->address);
    memcpy(address, &ipv4, *length < sizeof ipv4 ? *length : sizeof ipv4);
    *length = sizeof ipv4;
}

int bind(int fd, const struct sockaddr *address, socklen_t length)
{
    struct host_endpoint at;
    if (read_address(address, length, &at) == -1) {
        return -1;
    }
    return done(host_socket_bind(fd, at.address, (int)at.port), 0);
}

int connect(int fd, const struct sockaddr *address, socklen_t length)
{
    struct host_endpoint to;
    if (read_address(address, length, &to) == -1) {
        return -1;
    }
    return done(host_socket_connect(fd, to.address, (int)to.port), 0);
}

int listen(int fd, int backlog)
{
    return done(host_socket_listen(fd, backlog), 0);
}

static int address_of(int fd, int isPeer, struct sockaddr *address, socklen_t *length)
{
    if (address == NULL || length == NULL) {
        errno = EFAULT;
        return -1;
    }
    struct host_endpoint found;
    int error = host_socket_address(fd, isPeer, &found);
    if (error == 0) {
        write_address(&found, address, length);
    }
    return host_result(error, 0);
}

int getsockname(int fd, struct sockaddr *restrict address, socklen_t *restrict length)
{
    return address_of(fd, 0, address, length);
}

int getpeername(int fd, struct sockaddr *restrict address, socklen_t *restrict length)
{
    return address_of(fd, 1, address, length);
}

int accept4(int fd, struct sockaddr *restrict address, socklen_t *restrict length, int flags)
{
    if ((flags & ~TYPE_FLAGS) != 0) {
        errno = EINVAL;
        return -1;
    }
    int accepted = -1;
    int error = host_sock_accept(fd, (flags & SOCK_NONBLOCK) != 0 ? HOST_NON_BLOCKING : 0, &accepted);
    if (error == 0 && address != NULL) {
        address_of(accepted, 1, address, length);
    }
    return done(error, accepted);
}

int accept(int fd, struct sockaddr *restrict address, socklen_t *restrict length)
{
    return accept4(fd, address, length, 0);
}

/* The host's number of an option; 0 for one that it does not know. */
static int option_number(int level, int name)
{
    if (level == IPPROTO_TCP) {
        return name == TCP_NODELAY ? 7 : 0;
    }
    if (level != SOL_SOCKET) {
        return 0;
    }
    switch (name) {
    case SO_ERROR:
        return 1;
    case SO_TYPE:
        return 2;
    case SO_ACCEPTCONN:
        return 3;
    case SO_REUSEADDR:
        return 4;
    case SO_BROADCAST:
        return 5;
    case SO_KEEPALIVE:
        return 6;
    case SO_RCVBUF:
        return 8;
    case SO_SNDBUF:
        return 9;
    case SO_RCVTIMEO:
        return RECEIVE_TIMEOUT;
    case SO_SNDTIMEO:
        return SEND_TIMEOUT;
    default:
        return 0;
    }
}

int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict length)
{
    if (value == NULL || length == NULL) {
        errno = EFAULT;
        return -1;
    }
    int number = option_number(level, name);
    if (number == 0) {
        errno = ENOPROTOOPT;
        return -1;
    }
    int found = 0;
    int error = host_socket_option_get(fd, number, &found);
    if (error == 0 && (number == RECEIVE_TIMEOUT || number == SEND_TIMEOUT)) {
        unsigned milliseconds = (unsigned)found;
        struct timeval time = {.tv_sec = milliseconds / MS_PER_SECOND,
                               .tv_usec = milliseconds % MS_PER_SECOND * US_PER_MS};
        memcpy(value, &time, *length < sizeof time ? *length : sizeof time);
        *length = sizeof time;
    } else if (error == 0) {
        memcpy(value, &found, *length < sizeof found ? *length : sizeof found);
        *length = sizeof found;
    }
    return host_result(error, 0);
}

static int set_timeout(int fd, int number, const void *value, socklen_t length)
{
    struct timeval time;
    if (length < sizeof time) {
        errno = EINVAL;
        return -1;
    }
    memcpy(&time, value, sizeof time);
    if (time.tv_sec < 0 || time.tv_usec < 0 || time.tv_usec >= US_PER_SECOND) {
        errno = EDOM;
        return -1;
    }
    /* Rounded up: what is not 0 must not become 0, which is for ever. */
    int64_t milliseconds = INT32_MAX;
    if (time.tv_sec < INT32_MAX / MS_PER_SECOND) {
        milliseconds = time.tv_sec * MS_PER_SECOND + (time.tv_usec + US_PER_MS - 1) / US_PER_MS;
    }
    return host_result(host_socket_option_set(fd, number, (int)milliseconds), 0);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
    if (value == NULL) {
        errno = EFAULT;
        return -1;
    }
    int number = option_number(level, name);
    if (number == 0) {
        errno = ENOPROTOOPT;
        return -1;
    }
    if (number == RECEIVE_TIMEOUT || number == SEND_TIMEOUT) {
        return set_timeout(fd, number, value, length);
    }
    if (length < sizeof(int)) {
        errno = EINVAL;
        return -1;
    }
    int wanted;
    memcpy(&wanted, value, sizeof wanted);
    return host_result(host_socket_option_set(fd, number, wanted), 0);
}

int shutdown(int fd, int how)
{
    if (how < SHUT_RD || how > SHUT_RDWR) {
        errno = EINVAL;
        return -1;
    }
    return host_result(host_sock_shutdown(fd, how), 0);
}

/* Sets O_NONBLOCK for one call with MSG_DONTWAIT; gives the flags from before, or -1. */
static int hurry(int fd, int flags)
{
    if ((flags & MSG_DONTWAIT) == 0) {
        return -1;
    }
    int before = fcntl(fd, F_GETFL);
    if (before == -1 || (before & O_NONBLOCK) != 0) {
        return -1;
    }
    fcntl(fd, F_SETFL, before | O_NONBLOCK);
    return before;
}

static void calm(int fd, int before)
{
    if (before != -1) {
        int error = errno;
        fcntl(fd, F_SETFL, before);
        errno = error;
    }
}

ssize_t recvfrom(int fd, void *restrict buffer, size_t length, int flags, struct sockaddr *restrict address,
                 socklen_t *restrict addressLength)
{
    struct host_endpoint from = {0, 0};
    size_t received = 0;
    int before = hurry(fd, flags);
    int error = host_socket_receive_from(fd, buffer, length, (flags & MSG_PEEK) != 0 ? 1 : 0, &from, &received);
    calm(fd, before);
    if (error == 0) {
        write_address(&from, address, addressLength);
    }
    return done(error, (int)received);
}

ssize_t recv(int fd, void *buffer, size_t length, int flags)
{
    return recvfrom(fd, buffer, length, flags, NULL, NULL);
}

ssize_t send(int fd, const void *buffer, size_t length, int flags)
{
    int before = hurry(fd, flags);
    struct host_bytes bytes = {buffer, length};
    size_t sent = 0;
    int error = host_sock_send(fd, &bytes, 1, 0, &sent);
    calm(fd, before);
    return done(error, (int)sent);
}

ssize_t sendto(int fd, const void *buffer, size_t length, int flags, const struct sockaddr *address,
               socklen_t addressLength)
{
    if (address == NULL) {
        return send(fd, buffer, length, flags);
    }
    struct host_endpoint to;
    if (read_address(address, addressLength, &to) == -1) {
        return -1;
    }
    int before = hurry(fd, flags);
    size_t sent = 0;
    int error = host_socket_send_to(fd, buffer, length, to.address, (int)to.port, &sent);
    calm(fd, before);
    return done(error, (int)sent);
}
