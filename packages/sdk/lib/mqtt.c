#include "mqtt_packets.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CLEAN_SESSION 0x02
#define LONGEST_MESSAGE 4096
#define LONGEST_CLIENT_ID 64
#define LONGEST_HEADER 5
#define DEFAULT_TIMEOUT_MS 10000

static int fail(Mqtt_Client *client, int error)
{
    client->isBroken = true;
    errno = error;
    return -1;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int write_all(Mqtt_Client *client, const uint8_t *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(client->fd, bytes, length);
        if (written <= 0) {
            return fail(client, written == 0 ? ECONNRESET : errno);
        }
        bytes += written;
        length -= (size_t)written;
    }
    return 0;
}

static int read_all(Mqtt_Client *client, uint8_t *bytes, size_t length, int64_t deadline)
{
    while (length > 0) {
        int64_t left = deadline - now_ms();
        struct pollfd waited = {.fd = client->fd, .events = POLLIN};
        int ready = poll(&waited, 1, left > 0 ? (int)left : 0);
        if (ready <= 0) {
            return fail(client, ready == 0 ? ETIMEDOUT : errno);
        }
        ssize_t got = read(client->fd, bytes, length);
        if (got <= 0) {
            return fail(client, got == 0 ? ECONNRESET : errno);
        }
        bytes += got;
        length -= (size_t)got;
    }
    return 0;
}

static uint8_t *put_u16(uint8_t *at, size_t value)
{
    *at++ = (uint8_t)(value >> 8);
    *at++ = (uint8_t)value;
    return at;
}

static uint8_t *put_string(uint8_t *at, const char *text, size_t length)
{
    at = put_u16(at, length);
    memcpy(at, text, length);
    return at + length;
}

/* §2.2: type and flags, then the remaining length, seven bits a byte. */
static uint8_t *put_header(uint8_t *at, uint8_t type, size_t remaining)
{
    *at++ = type;
    do {
        uint8_t digit = remaining & 0x7F;
        remaining >>= 7;
        *at++ = remaining > 0 ? digit | 0x80 : digit;
    } while (remaining > 0);
    return at;
}

/* Waits for one answer of this type and length; anything else is a broker that breaks the protocol. */
static int expect(Mqtt_Client *client, uint8_t type, uint8_t *body, size_t length)
{
    int64_t deadline = now_ms() + client->timeout;
    uint8_t header[2];
    if (read_all(client, header, sizeof header, deadline) == -1) {
        return -1;
    }
    if (header[0] != type || header[1] != length) {
        return fail(client, EPROTO);
    }
    return length == 0 ? 0 : read_all(client, body, length, deadline);
}

size_t mqtt_hello(uint8_t packet[MQTT_LONGEST_HELLO], const Mqtt_Options *options)
{
    const char *id = options->clientId == NULL ? "" : options->clientId;
    size_t idLength = strlen(id);
    if (idLength > LONGEST_CLIENT_ID) {
        return 0;
    }
    uint8_t *at = put_header(packet, MQTT_CONNECT, 12 + idLength);
    at = put_string(at, "MQTT", 4);
    *at++ = 4;
    *at++ = CLEAN_SESSION;
    at = put_u16(at, options->keepAliveSeconds);
    at = put_string(at, id, idLength);
    return (size_t)(at - packet);
}

/* 1 is the protocol version, 2 the client id, 3 not available, 4 and 5 not authorised. */
int mqtt_refusal(uint8_t returnCode)
{
    if (returnCode == 0) {
        return 0;
    }
    return returnCode == 3 ? EAGAIN : returnCode == 1 ? EPROTO : EACCES;
}

/* §3.1, §3.2 */
static int say_hello(Mqtt_Client *client, const Mqtt_Options *options)
{
    uint8_t packet[MQTT_LONGEST_HELLO];
    size_t length = mqtt_hello(packet, options);
    if (length == 0) {
        return fail(client, EINVAL);
    }
    if (write_all(client, packet, length) == -1) {
        return -1;
    }
    uint8_t answer[2];
    if (expect(client, MQTT_CONNACK, answer, sizeof answer) == -1) {
        return -1;
    }
    int error = mqtt_refusal(answer[1]);
    return error == 0 ? 0 : fail(client, error);
}

Mqtt_Client *Mqtt_Connect(const char *host, uint16_t port, const Mqtt_Options *options)
{
    if (host == NULL || options == NULL) {
        errno = EFAULT;
        return NULL;
    }
    Mqtt_Client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        return NULL;
    }
    client->timeout = options->timeoutMilliseconds > 0 ? options->timeoutMilliseconds : DEFAULT_TIMEOUT_MS;
    client->nextPacketId = 1;
    client->fd = Tls_Connect(host, port, options->identity);
    if (client->fd == -1 || say_hello(client, options) == -1) {
        int error = errno;
        client->isBroken = true;
        Mqtt_Disconnect(client);
        errno = error;
        return NULL;
    }
    return client;
}

uint8_t *mqtt_publish(Mqtt_Client *client, const char *topic, const void *payload, size_t length, Mqtt_QoS qos,
                      uint16_t *outPacketId, size_t *outLength)
{
    if (topic == NULL || (payload == NULL && length > 0)) {
        errno = EFAULT;
        return NULL;
    }
    size_t topicLength = strlen(topic);
    if (topicLength == 0 || topicLength > LONGEST_MESSAGE || length > LONGEST_MESSAGE - topicLength ||
        strpbrk(topic, "+#") != NULL || (qos != Mqtt_QoS_0 && qos != Mqtt_QoS_1)) {
        errno = EINVAL;
        return NULL;
    }
    size_t remaining = 2 + topicLength + (qos == Mqtt_QoS_1 ? 2 : 0) + length;
    uint8_t *packet = malloc(LONGEST_HEADER + remaining);
    if (packet == NULL) {
        return NULL;
    }
    *outPacketId = client->nextPacketId;
    uint8_t *at = put_header(packet, (uint8_t)(MQTT_PUBLISH | (qos << 1)), remaining);
    at = put_string(at, topic, topicLength);
    if (qos == Mqtt_QoS_1) {
        client->nextPacketId = *outPacketId == UINT16_MAX ? 1 : *outPacketId + 1;
        at = put_u16(at, *outPacketId);
    }
    if (length > 0) {
        memcpy(at, payload, length);
    }
    *outLength = (size_t)(at - packet) + length;
    return packet;
}

/* §3.3, §3.4 */
int Mqtt_Publish(Mqtt_Client *client, const char *topic, const void *payload, size_t length, Mqtt_QoS qos)
{
    if (client == NULL) {
        errno = EFAULT;
        return -1;
    }
    if (client->isBroken) {
        errno = EPIPE;
        return -1;
    }
    uint16_t packetId;
    size_t packetLength;
    uint8_t *packet = mqtt_publish(client, topic, payload, length, qos, &packetId, &packetLength);
    if (packet == NULL) {
        return -1;
    }
    if (client->loop != NULL) {
        return mqtt_loop_send(client, packet, packetLength, qos == Mqtt_QoS_1 ? MQTT_PUBACK : 0, packetId);
    }
    int result = write_all(client, packet, packetLength);
    free(packet);
    if (result == -1 || qos == Mqtt_QoS_0) {
        return result;
    }
    uint8_t answer[2];
    if (expect(client, MQTT_PUBACK, answer, sizeof answer) == -1) {
        return -1;
    }
    return (answer[0] << 8 | answer[1]) == packetId ? 0 : fail(client, EPROTO);
}

/* §3.12, §3.13 */
int Mqtt_Ping(Mqtt_Client *client)
{
    if (client == NULL) {
        errno = EFAULT;
        return -1;
    }
    if (client->isBroken) {
        errno = EPIPE;
        return -1;
    }
    if (client->loop != NULL) {
        return 0;
    }
    static const uint8_t request[] = {MQTT_PINGREQ, 0};
    if (write_all(client, request, sizeof request) == -1) {
        return -1;
    }
    return expect(client, MQTT_PINGRESP, NULL, 0);
}

void Mqtt_Disconnect(Mqtt_Client *client)
{
    if (client == NULL) {
        return;
    }
    if (client->loop != NULL) {
        mqtt_loop_end(client);
        return;
    }
    if (!client->isBroken) {
        static const uint8_t request[] = {MQTT_DISCONNECT, 0};
        write_all(client, request, sizeof request);
    }
    if (client->fd != -1) {
        close(client->fd);
    }
    free(client);
}
