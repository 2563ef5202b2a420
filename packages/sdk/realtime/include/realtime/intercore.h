/*
 * Messages to and from high-level applications: each is whole or not at all. Both manifests must name each other in
 * AllowedApplicationConnections.
 */
#pragma once

#include "core.h"

/* Bytes of payload that every other side takes; more, up to INTERCORE_LONGEST, is taken by some. */
#define INTERCORE_PORTABLE 1024u
#define INTERCORE_LONGEST 1040u

enum intercore_result {
  INTERCORE_OK = 0,
  INTERCORE_EMPTY = 0x10,
  INTERCORE_TOO_SMALL = 0x11,
  INTERCORE_TOO_LARGE = 0x20,
  INTERCORE_FULL = 0x21,
  /* The other side's buffer makes no sense, or the channel is not open. */
  INTERCORE_BROKEN = 0x30
};

/* A component id as it lies in messages: three little-endian numbers and eight bytes. */
struct component_id {
  uint32_t first;
  uint16_t second;
  uint16_t third;
  uint8_t rest[8];
};

/* Waits for the operating system to announce the buffers; then `on_message` is called when a message has come. */
enum intercore_result intercore_open(interrupt_handler on_message);
/* Sends one message to an application. */
enum intercore_result intercore_send(const struct component_id *to, const void *payload, size_t bytes);
/* Takes one message. `bytes` is the room in `payload`, and then what came. TOO_SMALL leaves it where it is. */
enum intercore_result intercore_receive(struct component_id *from, void *payload, size_t *bytes);
