/* An MQTT 3.1.1 client over sevenfold/tls.h that publishes with QoS 0 or 1. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <applibs/eventloop.h>

#include "tls.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct Mqtt_Client Mqtt_Client;

typedef enum { Mqtt_QoS_0 = 0, Mqtt_QoS_1 = 1 } Mqtt_QoS;

typedef struct {
    /* NULL or "": the broker chooses one. At most 64 bytes. */
    const char *clientId;
    /* Seconds without traffic after which the broker gives up; call Mqtt_Ping more often. 0: never. */
    uint16_t keepAliveSeconds;
    /* How long each answer of the broker is waited for. 0: 10,000. */
    int timeoutMilliseconds;
    Tls_Identity identity;
} Mqtt_Options;

/* Connects with a clean session and waits for the broker's CONNACK. NULL with the errno of Tls_Connect,
 * ETIMEDOUT, EACCES (the broker refuses this client), EPROTO (not MQTT 3.1.1) or ECONNRESET. */
Mqtt_Client *Mqtt_Connect(const char *host, uint16_t port, const Mqtt_Options *options);

typedef enum {
    /* The broker has accepted this client: messages may be published. */
    Mqtt_Event_Connected = 0,
    /* The broker has the message with QoS 1 that was published last. */
    Mqtt_Event_Delivered = 1,
    /* The connection could not be made, or is no more; `error` says why. Mqtt_Disconnect frees the client. */
    Mqtt_Event_Closed = 2
} Mqtt_Event;

/* `error` is 0 or an errno of Mqtt_Connect and Mqtt_Publish. The client may be disconnected in here. */
typedef void Mqtt_Callback(Mqtt_Client *client, Mqtt_Event event, int error, void *context);

/* A client that an event loop drives: nothing that it does keeps the loop from its other work. Returns at once; what
 * becomes of it is told to the callback, from the loop. Mqtt_Publish gives its message to the loop and returns, with
 * EAGAIN while another is under way; pings go by themselves, so that Mqtt_Ping does nothing. NULL with EINVAL, EFAULT,
 * EMFILE or ENOMEM. */
Mqtt_Client *Mqtt_Open(EventLoop *loop, const char *host, uint16_t port, const Mqtt_Options *options,
                       Mqtt_Callback *callback, void *context);

/* Publishes; with QoS 1 it returns after the broker's PUBACK. 0, or -1 with errno EINVAL (topic empty,
 * with wildcards, or message over 4,096 bytes), EPIPE, ECONNRESET, ETIMEDOUT or EPROTO. After any
 * error but EINVAL the connection is of no more use: Mqtt_Disconnect it. */
int Mqtt_Publish(Mqtt_Client *client, const char *topic, const void *payload, size_t length, Mqtt_QoS qos);

/* Sends PINGREQ and waits for PINGRESP. 0, or -1 with errno as Mqtt_Publish. */
int Mqtt_Ping(Mqtt_Client *client);

/* Takes leave if the connection still stands, closes it and frees the client. NULL is none. */
void Mqtt_Disconnect(Mqtt_Client *client);

#ifdef __cplusplus
}
#endif
