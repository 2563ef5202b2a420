/* MQTT Version 3.1.1, OASIS Standard; section numbers below are its. What both ways of speaking it share. */
#pragma once

#include <sevenfold/mqtt.h>

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

enum {
    MQTT_CONNECT = 0x10,
    MQTT_CONNACK = 0x20,
    MQTT_PUBLISH = 0x30,
    MQTT_PUBACK = 0x40,
    MQTT_PINGREQ = 0xC0,
    MQTT_PINGRESP = 0xD0,
    MQTT_DISCONNECT = 0xE0
};

/* The longest CONNECT that is sent: header, fixed fields and client id. */
#define MQTT_LONGEST_HELLO 81

struct mqtt_loop;

struct Mqtt_Client {
    int fd;
    int timeout;
    bool isBroken;
    uint16_t nextPacketId;
    /* Of a client that an event loop drives; NULL for one whose calls wait. */
    struct mqtt_loop *loop;
};

/* §3.1: writes CONNECT and gives its length; 0 if the client id is too long. */
size_t mqtt_hello(uint8_t packet[MQTT_LONGEST_HELLO], const Mqtt_Options *options);
/* §3.2.2.3: the errno of a CONNACK's return code; 0 for accepted. */
int mqtt_refusal(uint8_t returnCode);
/* §3.3: PUBLISH in memory of its own, with the client's next packet id; NULL with EINVAL, EFAULT or ENOMEM. */
uint8_t *mqtt_publish(Mqtt_Client *client, const char *topic, const void *payload, size_t length, Mqtt_QoS qos,
                      uint16_t *outPacketId, size_t *outLength);

/* Sends a packet (which it frees) through the loop, and expects an answer of this type (0: none). EAGAIN while another
 * is under way. */
int mqtt_loop_send(Mqtt_Client *client, uint8_t *packet, size_t length, uint8_t expected, uint16_t packetId);
/* Ends what the loop does for this client, and frees it, at once or after the callback that called. */
void mqtt_loop_end(Mqtt_Client *client);
