/* Sockets: TCP and UDP over IPv4. Peers are those of AllowedConnections in the manifest, ports to listen on those of
 * AllowedTcpServerPorts and AllowedUdpServerPorts; everything else is EACCES. */
#pragma once

#include_next <sys/socket.h>

#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef SOL_SOCKET
#define SOL_SOCKET 0x7fffffff
#endif
/* wasi-libc declares these for later versions of WASI only. */
#undef SO_ERROR
#undef SO_REUSEADDR
#undef SO_BROADCAST
#undef SO_KEEPALIVE
#undef SO_RCVBUF
#undef SO_SNDBUF
#undef SO_ACCEPTCONN
#undef SO_RCVTIMEO
#undef SO_SNDTIMEO
#define SO_REUSEADDR 2
#define SO_ERROR 4
#define SO_BROADCAST 6
#define SO_SNDBUF 7
#define SO_RCVBUF 8
#define SO_KEEPALIVE 9
#define SO_ACCEPTCONN 30
#define SO_RCVTIMEO 66
#define SO_SNDTIMEO 67

#ifndef SOMAXCONN
#define SOMAXCONN 128
#endif
#ifndef MSG_DONTWAIT
#define MSG_DONTWAIT 0x0040
#endif
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0x4000
#endif
#ifndef SHUT_RD
#define SHUT_RD 1
#define SHUT_WR 2
#define SHUT_RDWR 3
#endif

int socket(int domain, int type, int protocol);
int bind(int fd, const struct sockaddr *address, socklen_t length);
int connect(int fd, const struct sockaddr *address, socklen_t length);
int listen(int fd, int backlog);
int accept(int fd, struct sockaddr *__restrict address, socklen_t *__restrict length);
int accept4(int fd, struct sockaddr *__restrict address, socklen_t *__restrict length, int flags);
int getsockname(int fd, struct sockaddr *__restrict address, socklen_t *__restrict length);
int getpeername(int fd, struct sockaddr *__restrict address, socklen_t *__restrict length);
int getsockopt(int fd, int level, int name, void *__restrict value, socklen_t *__restrict length);
int setsockopt(int fd, int level, int name, const void *value, socklen_t length);
int shutdown(int fd, int how);
ssize_t recv(int fd, void *buffer, size_t length, int flags);
ssize_t recvfrom(int fd, void *__restrict buffer, size_t length, int flags, struct sockaddr *__restrict address,
                 socklen_t *__restrict addressLength);
ssize_t send(int fd, const void *buffer, size_t length, int flags);
ssize_t sendto(int fd, const void *buffer, size_t length, int flags, const struct sockaddr *address,
               socklen_t addressLength);

#ifdef __cplusplus
}
#endif
