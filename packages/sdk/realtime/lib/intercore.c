#include <realtime/intercore.h>
#include <realtime/mailbox.h>
#include <string.h>

/* The handshake: the buffer that we write, the one that the other side writes, and that both are there. */
#define COMMAND_OURS 0xBA5E0001u
#define COMMAND_THEIRS 0xBA5E0002u
#define COMMAND_START 0xBA5E0003u
/* Software interrupts: to the other side, and from it. */
#define SIGNAL_SENT 1u
#define SIGNAL_TAKEN 2u
#define SIGNAL_ARRIVED 2u

#define HEADER 64u
#define ALIGNMENT 16u
/* Bytes of a block before its payload, behind the word with its size. */
#define BLOCK_HEADER 20u

/* A buffer's first 64 bytes; its owner alone writes them: how far it has written here, and read over there. */
struct buffer {
  volatile uint32_t write_position;
  volatile uint32_t read_position;
  uint32_t reserved[14];
  uint8_t data[];
};

static struct buffer *ours;
static struct buffer *theirs;
static uint32_t our_size;
static uint32_t their_size;
static interrupt_handler message_handler;

static void on_signal(uint32_t bits) {
  if ((bits & SIGNAL_ARRIVED) != 0 && message_handler != 0) message_handler();
}

/* A descriptor is an address and, in its low five bits, the logarithm of the size. */
static struct buffer *buffer_of(uint32_t descriptor, uint32_t *size) {
  uint32_t bits = descriptor & 31u;
  if (bits < 7 || bits > 20) return 0;
  *size = (1u << bits) - HEADER;
  return (struct buffer *)(uintptr_t)(descriptor & ~31u);
}

enum intercore_result intercore_open(interrupt_handler on_message) {
  ours = theirs = 0;
  for (;;) {
    uint32_t command, data;
    if (!mailbox_take(MAILBOX_A7, &command, &data)) continue;
    if (command == COMMAND_OURS) ours = buffer_of(data, &our_size);
    else if (command == COMMAND_THEIRS) theirs = buffer_of(data, &their_size);
    else if (command == COMMAND_START) break;
  }
  if (ours == 0 || theirs == 0) return INTERCORE_BROKEN;
  message_handler = on_message;
  mailbox_on_signal(MAILBOX_A7, SIGNAL_ARRIVED, on_signal);
  return INTERCORE_OK;
}

static bool is_position(uint32_t position, uint32_t size) { return position < size && position % ALIGNMENT == 0; }

static uint32_t next(uint32_t position, uint32_t bytes, uint32_t size) {
  uint32_t end = (position + bytes + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
  return end >= size ? end - size : end;
}

/* Copies to or from a place in a buffer; what comes behind its end goes on at its start. */
static uint32_t put(uint32_t at, const void *from, uint32_t bytes) {
  uint32_t first = bytes < our_size - at ? bytes : our_size - at;
  memcpy(ours->data + at, from, first);
  memcpy(ours->data, (const uint8_t *)from + first, bytes - first);
  return at + bytes >= our_size ? at + bytes - our_size : at + bytes;
}

static uint32_t get(uint32_t at, void *to, uint32_t bytes) {
  uint32_t first = bytes < their_size - at ? bytes : their_size - at;
  memcpy(to, theirs->data + at, first);
  memcpy((uint8_t *)to + first, theirs->data, bytes - first);
  return at + bytes >= their_size ? at + bytes - their_size : at + bytes;
}

enum intercore_result intercore_send(const struct component_id *to, const void *payload, size_t bytes) {
  if (ours == 0 || theirs == 0) return INTERCORE_BROKEN;
  if (bytes > INTERCORE_LONGEST) return INTERCORE_TOO_LARGE;
  uint32_t write = ours->write_position, read = theirs->read_position;
  if (!is_position(read, our_size)) return INTERCORE_BROKEN;
  uint32_t block = 4 + BLOCK_HEADER + (uint32_t)bytes;
  uint32_t room = read <= write ? our_size - write + read : read - write;
  /* One slot stays free: a full buffer would look like an empty one. */
  if (block + ALIGNMENT > room) return INTERCORE_FULL;
  uint32_t size = BLOCK_HEADER + (uint32_t)bytes, reserved = 0;
  uint32_t at = put(write, &size, 4);
  at = put(at, to, sizeof *to);
  at = put(at, &reserved, 4);
  put(at, payload, (uint32_t)bytes);
  core_barrier();
  ours->write_position = next(write, block, our_size);
  mailbox_signal(MAILBOX_A7, SIGNAL_SENT);
  return INTERCORE_OK;
}

enum intercore_result intercore_receive(struct component_id *from, void *payload, size_t *bytes) {
  if (ours == 0 || theirs == 0) return INTERCORE_BROKEN;
  uint32_t write = theirs->write_position, read = ours->read_position;
  if (!is_position(write, their_size)) return INTERCORE_BROKEN;
  if (write == read) return INTERCORE_EMPTY;
  core_barrier();
  uint32_t available = write > read ? write - read : their_size - read + write;
  uint32_t size, reserved;
  uint32_t at = get(read, &size, 4);
  if (size < BLOCK_HEADER || size > BLOCK_HEADER + INTERCORE_LONGEST || size + 4 > available) return INTERCORE_BROKEN;
  if (size - BLOCK_HEADER > *bytes) return INTERCORE_TOO_SMALL;
  at = get(at, from, sizeof *from);
  at = get(at, &reserved, 4);
  get(at, payload, size - BLOCK_HEADER);
  *bytes = size - BLOCK_HEADER;
  core_barrier();
  ours->read_position = next(read, 4 + size, their_size);
  mailbox_signal(MAILBOX_A7, SIGNAL_TAKEN);
  return INTERCORE_OK;
}
