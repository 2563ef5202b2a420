// An MQTT client that an event loop drives: one packet under way at a time, one timer for whatever is waited for.
#include "mqtt_packets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define DEFAULT_TIMEOUT_MS 10000

struct mqtt_loop {
    EventLoop *loop;
    EventRegistration *connection;
    EventRegistration *timer;
    int timerFd;
    Mqtt_Callback *callback;
    void *context;
    uint16_t keepAlive;
    bool isConnected;
    /* What is being sent, and how much of it has gone. */
    uint8_t *packet;
    size_t length;
    size_t sent;
    /* Type of the answer that is waited for; 0: none. */
    uint8_t expected;
    uint16_t packetId;
    uint8_t answer[4];
    size_t answered;
    /* Within a callback: the client is freed when the outermost one is over. */
    int depth;
    bool isDoomed;
};

static void Free(Mqtt_Client *client)
{
    struct mqtt_loop *own = client->loop;
    EventLoop_UnregisterIo(own->loop, own->connection);
    EventLoop_UnregisterIo(own->loop, own->timer);
    if (own->timerFd != -1) {
        close(own->timerFd);
    }
    if (client->fd != -1) {
        close(client->fd);
    }
    free(own->packet);
    free(own);
    free(client);
}

/* Disarms for 0. */
static void Arm(struct mqtt_loop *own, int64_t milliseconds)
{
    struct itimerspec once = {
        .it_value = {.tv_sec = milliseconds / 1000, .tv_nsec = (long)(milliseconds % 1000) * 1000000}};
    timerfd_settime(own->timerFd, 0, &once, NULL);
}

/* Nothing is under way: the next thing is a ping, well before the broker gives up. */
static void Rest(struct mqtt_loop *own)
{
    own->expected = 0;
    own->answered = 0;
    Arm(own, (int64_t)own->keepAlive * 1000 / 2);
}

static void Tell(Mqtt_Client *client, Mqtt_Event event, int error)
{
    client->loop->callback(client, event, error, client->loop->context);
}

static void Close(Mqtt_Client *client, int error)
{
    struct mqtt_loop *own = client->loop;
    if (client->isBroken) {
        return;
    }
    client->isBroken = true;
    Arm(own, 0);
    // Its error would be reported again and again.
    EventLoop_UnregisterIo(own->loop, own->connection);
    own->connection = NULL;
    Tell(client, Mqtt_Event_Closed, error);
}

static void Flush(Mqtt_Client *client)
{
    struct mqtt_loop *own = client->loop;
    while (own->packet != NULL) {
        ssize_t written = write(client->fd, own->packet + own->sent, own->length - own->sent);
        if (written == -1 && errno == EAGAIN) {
            return;
        }
        if (written <= 0) {
            Close(client, written == 0 ? ECONNRESET : errno);
            return;
        }
        own->sent += (size_t)written;
        if (own->sent == own->length) {
            free(own->packet);
            own->packet = NULL;
            EventLoop_ModifyIoEvents(own->loop, own->connection, EventLoop_Input);
            if (own->expected == 0) {
                Rest(own);
            }
        }
    }
}

static void Understand(Mqtt_Client *client)
{
    struct mqtt_loop *own = client->loop;
    const uint8_t *answer = own->answer;
    uint8_t type = own->expected;
    size_t length = type == MQTT_PINGRESP ? 0 : 2;
    if (type == 0 || answer[0] != type || answer[1] != length) {
        Close(client, EPROTO);
        return;
    }
    if (own->answered < 2 + length) {
        return;
    }
    if (type == MQTT_CONNACK && mqtt_refusal(answer[3]) != 0) {
        Close(client, mqtt_refusal(answer[3]));
        return;
    }
    if (type == MQTT_PUBACK && (answer[2] << 8 | answer[3]) != own->packetId) {
        Close(client, EPROTO);
        return;
    }
    Rest(own);
    if (type == MQTT_CONNACK) {
        own->isConnected = true;
        Tell(client, Mqtt_Event_Connected, 0);
    } else if (type == MQTT_PUBACK) {
        Tell(client, Mqtt_Event_Delivered, 0);
    }
}

static void Receive(Mqtt_Client *client)
{
    struct mqtt_loop *own = client->loop;
    while (!client->isBroken && !own->isDoomed) {
        size_t wanted = own->answered < 2 ? 2 : sizeof own->answer;
        ssize_t got = read(client->fd, own->answer + own->answered, wanted - own->answered);
        if (got == -1 && errno == EAGAIN) {
            return;
        }
        if (got <= 0) {
            Close(client, got == 0 ? ECONNRESET : errno);
            return;
        }
        own->answered += (size_t)got;
        if (own->answered >= 2) {
            Understand(client);
        }
    }
}

static void Leave(Mqtt_Client *client)
{
    client->loop->depth -= 1;
    if (client->loop->depth == 0 && client->loop->isDoomed) {
        Free(client);
    }
}

static void OnConnection(EventLoop *loop, int fd, EventLoop_IoEvents events, void *context)
{
    (void)loop;
    (void)fd;
    Mqtt_Client *client = context;
    client->loop->depth += 1;
    if ((events & EventLoop_Output) != 0) {
        Flush(client);
    }
    if ((events & EventLoop_Input) != 0) {
        Receive(client);
    }
    Leave(client);
}

static void OnTimer(EventLoop *loop, int fd, EventLoop_IoEvents events, void *context)
{
    (void)loop;
    (void)events;
    Mqtt_Client *client = context;
    struct mqtt_loop *own = client->loop;
    uint64_t count;
    if (read(fd, &count, sizeof count) == -1 || client->isBroken) {
        return;
    }
    own->depth += 1;
    if (own->expected != 0 || own->packet != NULL) {
        Close(client, ETIMEDOUT);
    } else {
        uint8_t *ping = malloc(2);
        if (ping != NULL) {
            ping[0] = MQTT_PINGREQ;
            ping[1] = 0;
            mqtt_loop_send(client, ping, 2, MQTT_PINGRESP, 0);
        }
    }
    Leave(client);
}

static void Begin(Mqtt_Client *client, uint8_t *packet, size_t length, uint8_t expected, uint16_t packetId)
{
    struct mqtt_loop *own = client->loop;
    own->packet = packet;
    own->length = length;
    own->sent = 0;
    own->expected = expected;
    own->packetId = packetId;
    own->answered = 0;
    EventLoop_ModifyIoEvents(own->loop, own->connection, EventLoop_Input | EventLoop_Output);
    Arm(own, client->timeout);
}

int mqtt_loop_send(Mqtt_Client *client, uint8_t *packet, size_t length, uint8_t expected, uint16_t packetId)
{
    struct mqtt_loop *own = client->loop;
    if (!own->isConnected || own->packet != NULL || own->expected != 0) {
        free(packet);
        errno = EAGAIN;
        return -1;
    }
    Begin(client, packet, length, expected, packetId);
    return 0;
}

void mqtt_loop_end(Mqtt_Client *client)
{
    if (!client->isBroken && client->loop->isConnected && client->loop->packet == NULL) {
        static const uint8_t request[] = {MQTT_DISCONNECT, 0};
        // Whether it still goes out or not: the connection ends.
        (void)!write(client->fd, request, sizeof request);
    }
    client->isBroken = true;
    client->loop->isDoomed = true;
    if (client->loop->depth == 0) {
        Free(client);
    }
}

Mqtt_Client *Mqtt_Open(EventLoop *loop, const char *host, uint16_t port, const Mqtt_Options *options,
                       Mqtt_Callback *callback, void *context)
{
    if (loop == NULL || host == NULL || options == NULL || callback == NULL) {
        errno = EFAULT;
        return NULL;
    }
    Mqtt_Client *client = calloc(1, sizeof *client);
    struct mqtt_loop *own = calloc(1, sizeof *own);
    uint8_t *hello = malloc(MQTT_LONGEST_HELLO);
    if (client == NULL || own == NULL || hello == NULL) {
        free(client);
        free(own);
        free(hello);
        return NULL;
    }
    client->timeout = options->timeoutMilliseconds > 0 ? options->timeoutMilliseconds : DEFAULT_TIMEOUT_MS;
    client->nextPacketId = 1;
    client->loop = own;
    own->loop = loop;
    own->callback = callback;
    own->context = context;
    own->keepAlive = options->keepAliveSeconds;
    size_t length = mqtt_hello(hello, options);
    int error = length == 0 ? EINVAL : 0;
    own->timerFd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    client->fd = error == 0 ? Tls_Open(host, port, options->identity) : -1;
    if (client->fd != -1 && own->timerFd != -1) {
        own->connection = EventLoop_RegisterIo(loop, client->fd, EventLoop_None, OnConnection, client);
        own->timer = EventLoop_RegisterIo(loop, own->timerFd, EventLoop_Input, OnTimer, client);
    }
    if (own->connection == NULL || own->timer == NULL) {
        error = error == 0 ? errno : error;
        free(hello);
        Free(client);
        errno = error;
        return NULL;
    }
    Begin(client, hello, length, MQTT_CONNACK, 0);
    return client;
}
