/* The operating system's calls, module "sevenfold"; the device's half of this list is
 * packages/os/src/kernel/import-table.ts. Each returns 0 or an errno value. */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#define HOST_CALL(name) __attribute__((import_module("sevenfold"), import_name(#name)))

/* A check of the compiler failed: 0 null pointer, 1 index, 2 missing return, 3 unreachable code, 4 length of an array.
 * The app ends; the function that calls this is left out of the report. */
HOST_CALL(check_failed) _Noreturn void host_check_failed(int kind);
HOST_CALL(log_write) int host_log_write(const char *text, size_t length);
HOST_CALL(gpio_open) int host_gpio_open(int pin, int isOutput, int mode, int value, int *outFd);
HOST_CALL(gpio_get) int host_gpio_get(int fd, uint8_t *outValue);
HOST_CALL(gpio_set) int host_gpio_set(int fd, int value);
/* Units are numbers from 0: ISU0 to ISU4. */
struct host_uart_config {
    uint32_t baudRate;
    uint8_t dataBits;
    uint8_t parity;
    uint8_t stopBits;
    uint8_t flowControl;
};
HOST_CALL(uart_open) int host_uart_open(int unit, const struct host_uart_config *config, int *outFd);
HOST_CALL(i2c_open) int host_i2c_open(int unit, int *outFd);
HOST_CALL(i2c_set_speed) int host_i2c_set_speed(int fd, uint32_t hertz);
HOST_CALL(i2c_set_timeout) int host_i2c_set_timeout(int fd, uint32_t milliseconds);
HOST_CALL(i2c_set_target) int host_i2c_set_target(int fd, uint32_t address);
/* A length of -1 leaves that half out. */
HOST_CALL(i2c_transfer)
int host_i2c_transfer(int fd, uint32_t address, const uint8_t *write, int writeLength, uint8_t *read, int readLength);
/* chipSelect: -1 is A, -2 is B; polarity: 1 active low, 2 active high. */
HOST_CALL(spi_open) int host_spi_open(int unit, int chipSelect, int polarity, int *outFd);
/* setting: 0 speed in Hz, 1 SPI_Mode, 2 SPI_BitOrder. */
HOST_CALL(spi_configure) int host_spi_configure(int fd, int setting, uint32_t value);
/* flags: 1 reads, 2 writes. */
struct host_spi_transfer {
    uint32_t flags;
    const uint8_t *writeData;
    uint8_t *readData;
    size_t length;
};
HOST_CALL(spi_transfer)
int host_spi_transfer(int fd, const struct host_spi_transfer *transfers, size_t count, size_t *outMoved);
HOST_CALL(adc_open) int host_adc_open(int controller, int *outFd);
HOST_CALL(adc_bits) int host_adc_bits(int fd, uint32_t channel, int *outBits);
HOST_CALL(adc_reference) int host_adc_reference(int fd, uint32_t channel, int millivolts);
HOST_CALL(adc_poll) int host_adc_poll(int fd, uint32_t channel, uint32_t *outSample);
HOST_CALL(pwm_open) int host_pwm_open(int controller, int *outFd);
/* Nanoseconds. */
HOST_CALL(pwm_apply)
int host_pwm_apply(int fd, uint32_t channel, uint32_t period, uint32_t duty, int polarity, int enabled);
HOST_CALL(rtc_set) int host_rtc_set(void);
/* EACCES without ForcePowerDown, SetPowerProfile. */
HOST_CALL(power_down) int host_power_down(uint32_t seconds);
HOST_CALL(power_profile) int host_power_profile(uint32_t profile);
HOST_CALL(timer_create) int host_timer_create(int clock, int flags, int *outFd);
HOST_CALL(timer_set) int host_timer_set(int fd, int flags, int64_t valueNs, int64_t intervalNs);
/* outTimes: nanoseconds to the next expiration, nanoseconds of the period. */
HOST_CALL(timer_get) int host_timer_get(int fd, int64_t outTimes[2]);
HOST_CALL(epoll_create) int host_epoll_create(int *outFd);
HOST_CALL(epoll_ctl) int host_epoll_ctl(int epfd, int op, int fd, uint32_t events, uint64_t data);
/* outEvents: records of 16 bytes {u32 events, u32 0, u64 data}: struct epoll_event. */
HOST_CALL(epoll_wait) int host_epoll_wait(int epfd, void *outEvents, int most, int timeoutMs, int *outCount);
HOST_CALL(mutable_open) int host_mutable_open(int *outFd);
HOST_CALL(mutable_delete) int host_mutable_delete(void);
HOST_CALL(device_auth_ready) int host_device_auth_ready(uint8_t *outReady);
/* A text with its NUL. */
HOST_CALL(device_id) int host_device_id(char *outText, size_t size);
/* flags: HOST_NON_BLOCKING returns at once; the descriptor is writable when the handshake is done, or has failed. */
HOST_CALL(tls_connect) int host_tls_connect(const char *host, size_t length, int port, int identity, int flags,
                                            int *outFd);
/* Beside HOST_NON_BLOCKING: HTTP/2 is offered; past the device's proxy. */
#define HOST_TLS_HTTP2 0x100
#define HOST_TLS_DIRECT 0x200
/* What both sides agreed to speak: ENOTCONN before the handshake is done. */
#define HOST_PROTOCOL_HTTP2 2
HOST_CALL(tls_protocol) int host_tls_protocol(int fd, int *outProtocol);
/* To another device of the tenant: the one with this id, or any where its length is 0. */
HOST_CALL(tls_connect_device)
int host_tls_connect_device(const char *host, size_t length, int port, const char *id, size_t idLength, int flags,
                            int *outFd);
HOST_CALL(tls_listen) int host_tls_listen(int port, int backlog, int flags, int *outFd);
/* outId: at least 129 bytes. */
HOST_CALL(tls_accept) int host_tls_accept(int fd, int flags, char *outId, size_t size, int *outFd);
/* A request on a connection that agreed on HTTP/2. head: texts that each end in NUL, method, path, then names and
 * values; bodyLength -1: no body. Reads of outFd give the head of the answer as HTTP/1 would write it, and the body. */
HOST_CALL(http2_open)
int host_http2_open(int fd, const char *head, size_t headLength, const void *body, int bodyLength, int flags,
                    int *outFd);
/* Roots (PEM) that servers are judged by from now on, in place of the device's. */
HOST_CALL(tls_roots) int host_tls_roots(const char *pem, size_t length);
/* Sockets, IPv4 only. Addresses are numbers (127.0.0.1 is 0x7f000001), types wasi-libc's SOCK_STREAM and SOCK_DGRAM.
 * accept, recv, send and shutdown are WASI's sock_*; close, read, write, poll and O_NONBLOCK work as on any file. */
struct host_endpoint {
    uint32_t address;
    uint32_t port;
};
HOST_CALL(socket_open) int host_socket_open(int type, int flags, int *outFd);
HOST_CALL(socket_bind) int host_socket_bind(int fd, uint32_t address, int port);
/* EINPROGRESS on a non-blocking socket. */
HOST_CALL(socket_connect) int host_socket_connect(int fd, uint32_t address, int port);
/* As socket_connect, by the name of a host of the manifest, and through the device's proxy. */
HOST_CALL(socket_connect_host) int host_socket_connect_host(int fd, const char *host, size_t length, int port);
HOST_CALL(socket_listen) int host_socket_listen(int fd, int backlog);
HOST_CALL(socket_address) int host_socket_address(int fd, int isPeer, struct host_endpoint *out);
HOST_CALL(socket_send_to)
int host_socket_send_to(int fd, const void *bytes, size_t length, uint32_t address, int port, size_t *outSent);
/* flags: 1 is MSG_PEEK. */
HOST_CALL(socket_receive_from)
int host_socket_receive_from(int fd, void *bytes, size_t length, int flags, struct host_endpoint *outFrom,
                             size_t *outLength);
/* Options: 1 SO_ERROR, 2 SO_TYPE, 3 SO_ACCEPTCONN, 4 SO_REUSEADDR, 5 SO_BROADCAST, 6 SO_KEEPALIVE, 7 TCP_NODELAY,
 * 8 SO_RCVBUF, 9 SO_SNDBUF, 10 SO_RCVTIMEO and 11 SO_SNDTIMEO in ms; others are ENOPROTOOPT. */
HOST_CALL(socket_option_get) int host_socket_option_get(int fd, int option, int *outValue);
HOST_CALL(socket_option_set) int host_socket_option_set(int fd, int option, int value);
/* WASI's own calls on sockets. */
struct host_bytes {
    const void *bytes;
    size_t length;
};
#define WASI_CALL(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name)))
WASI_CALL(sock_accept) int host_sock_accept(int fd, int flags, int *outFd);
WASI_CALL(sock_send)
int host_sock_send(int fd, const struct host_bytes *bytes, size_t count, int flags, size_t *outSent);
WASI_CALL(sock_shutdown) int host_sock_shutdown(int fd, int how);
/* IPv4 addresses of a host that the manifest names: EACCES for others, EHOSTUNREACH if there is none. */
HOST_CALL(resolve)
int host_resolve(const char *name, size_t length, uint32_t *outAddresses, size_t most, size_t *outCount);

/* componentId: 36 characters. One message a send and a receive; EACCES unless both manifests name each other,
 * ECONNREFUSED where no such app is installed, EBUSY while connected to it; a send is EMSGSIZE over 1040 bytes, and it
 * and a receive are ECONNRESET when the other core is lost. */
HOST_CALL(app_connect) int host_app_connect(const char *componentId, int *outFd);

/* Signals: of those in the mask (bit n is signal n; SIGTERM alone is ever sent) each ends whatever call waits with EINTR,
 * and every waiting call after it, until host_signal_next has taken it. outSignal: 0 when there is none left. An app
 * that watches SIGTERM has half a second after it; one that does not is ended at once. */
HOST_CALL(signal_watch) int host_signal_watch(uint64_t mask);
HOST_CALL(signal_next) int host_signal_next(int *outSignal);
/* applibs/sysevent.h: reads of outFd, which can be polled, give one event each: four u32 {event, status, update type,
 * minutes}. EACCES without the capability, EINVAL for a second registration; closing ends it. */
HOST_CALL(system_event_open) int host_system_event_open(uint32_t mask, int *outFd);
HOST_CALL(system_event_defer) int host_system_event_defer(uint32_t event, uint32_t minutes);
HOST_CALL(system_event_resume) int host_system_event_resume(uint32_t event);
/* The app is ended as failed unless it calls again within this time; 0: it is watched no longer. */
HOST_CALL(watchdog_set) int host_watchdog_set(uint32_t milliseconds);
/* KiB: with what the OS holds for the app, the app's own memory, the most that was its own. */
HOST_CALL(memory_usage) int host_memory_usage(uint32_t outKib[3]);
HOST_CALL(os_version) int host_os_version(char *outText, size_t size);
/* clock_settime(CLOCK_REALTIME): EACCES without SystemTime. reboot: EACCES without ForceReboot. */
HOST_CALL(time_set) int host_time_set(int64_t nanoseconds);
HOST_CALL(reboot) int host_reboot(void);

/* Networking, Wi-Fi and certificates: see settings.h. The answer may lie where the request was. */
HOST_CALL(settings)
int host_settings(int operation, const void *request, size_t length, void *answer, size_t capacity, size_t *outLength);

/* What O_NONBLOCK is to the host. */
#define HOST_NON_BLOCKING 4

/* errno set and -1, as POSIX wants it; `value` when the call succeeded. */
static inline int host_result(int error, int value)
{
    if (error != 0) {
        errno = error;
        return -1;
    }
    return value;
}
