/* A real-time app for tests: greets on the debug UART, toggles GPIO 8 with every message, and sends each message back to
 * who sent it. "fault N" stores to address N, "divide" divides by zero, "ring N" breaks the ring: write position N. */
#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define UART 0x21040000u
#define MAILBOX 0x21050000u
#define GPIO2 0x38030000u
#define CCR REGISTER(0xe000ed14u)
#define ISER0 REGISTER(0xe000e100u)

#define DATA_SIZE (4096u - 64u)
#define MOST_BLOCK 1060u

struct ring {
    uint32_t written;
    uint32_t read;
    uint32_t reserved[14];
    uint8_t data[DATA_SIZE];
};

extern uint32_t stack_top[];
void start(void);
static void idle(void);
static void signalled(void);

__attribute__((section(".vectors"), used)) void *const vectors[16 + 100] = {
    stack_top, start, [2 ... 26] = idle, [16 + 11] = signalled, [28 ... 115] = idle,
};

static volatile struct ring *inbound;
static volatile struct ring *outbound;
static uint8_t message[MOST_BLOCK];
static const char greeting[] = "echo is here\n";
static uint32_t sent = 0xffffffffu;

static void idle(void)
{
    for (;;) {
    }
}

static void signalled(void)
{
    REGISTER(MAILBOX + 0x1c) = 3;
}

/* Sleeps until something is signalled; interrupts are off, so that none comes between looking and sleeping. */
static void rest(void)
{
    __asm__ volatile("wfi\n cpsie i\n isb" ::: "memory");
}

static void put(char byte)
{
    while ((REGISTER(UART + 0x14) & 0x20) == 0) {
    }
    REGISTER(UART) = (uint32_t)byte;
}

static void greet(void)
{
    REGISTER(UART + 0x0c) = 3;
    for (const char *at = greeting; *at != '\0'; at++) {
        put(*at);
    }
}

/* The two buffers, from the handshake. */
static void shake_hands(void)
{
    for (;;) {
        while (REGISTER(MAILBOX + 0x58) == 0) {
        }
        uint32_t data = REGISTER(MAILBOX + 0x54);
        uint32_t command = REGISTER(MAILBOX + 0x50);
        struct ring *buffer = (struct ring *)(data & ~31u);
        if (command == 0xba5e0001u) {
            outbound = buffer;
        } else if (command == 0xba5e0002u) {
            inbound = buffer;
        } else if (command == 0xba5e0003u) {
            return;
        }
    }
}

static uint32_t number_at(const uint8_t *text)
{
    uint32_t value = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        value = value * 10 + (uint32_t)(*text - '0');
    }
    return value;
}

__attribute__((noinline)) static void store(uint32_t address)
{
    REGISTER(address) = 0x5afe;
    __asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) static uint32_t quotient(uint32_t by)
{
    return 4711u / by + sent;
}

__attribute__((noinline)) static uint32_t obey(const uint8_t *text, uint32_t length)
{
    uint8_t kept[24];
    for (uint32_t at = 0; at < sizeof kept; at++) {
        kept[at] = at < length ? text[at] : 0;
    }
    if (kept[0] == 'f' && kept[1] == 'a') {
        store(number_at(kept + 6));
    } else if (kept[0] == 'd' && kept[1] == 'i') {
        CCR |= 16;
        sent = quotient(kept[23]);
    } else if (kept[0] == 'r' && kept[1] == 'i') {
        outbound->written = number_at(kept + 5);
        REGISTER(MAILBOX + 0x14) = 1;
    } else {
        return 0;
    }
    return kept[2];
}

static void send(uint32_t size)
{
    uint32_t at = outbound->written;
    uint32_t next = (at + 4 + size + 15) / 16 * 16 % DATA_SIZE;
    for (;;) {
        __asm__ volatile("cpsid i");
        uint32_t used = (at + DATA_SIZE - inbound->read) % DATA_SIZE;
        if ((4 + size + 15) / 16 * 16 + 16 <= DATA_SIZE - used) {
            break;
        }
        rest();
    }
    __asm__ volatile("cpsie i");
    *(volatile uint32_t *)(outbound->data + at) = size;
    for (uint32_t index = 0; index < size; index++) {
        outbound->data[(at + 4 + index) % DATA_SIZE] = message[index];
    }
    __asm__ volatile("dmb" ::: "memory");
    outbound->written = next;
    __asm__ volatile("dmb" ::: "memory");
    sent++;
    REGISTER(MAILBOX + 0x14) = 1;
}

/* The size of the next message, which is copied; 0: there is none. */
static uint32_t receive(void)
{
    uint32_t at = outbound->read;
    if (at == inbound->written) {
        return 0;
    }
    uint32_t size = *(volatile uint32_t *)(inbound->data + at);
    for (uint32_t index = 0; index < size && index < MOST_BLOCK; index++) {
        message[index] = inbound->data[(at + 4 + index) % DATA_SIZE];
    }
    outbound->read = (at + 4 + size + 15) / 16 * 16 % DATA_SIZE;
    REGISTER(MAILBOX + 0x14) = 2;
    return size;
}

static void toggle(void)
{
    static uint32_t level;
    level ^= 1;
    REGISTER(GPIO2 + (level != 0 ? 0x14 : 0x18)) = 1;
}

void start(void)
{
    greet();
    REGISTER(GPIO2 + 0x24) = 1;
    shake_hands();
    REGISTER(MAILBOX + 0x18) = 3;
    ISER0 = 1u << 11;
    for (;;) {
        __asm__ volatile("cpsid i");
        uint32_t size = receive();
        if (size == 0) {
            rest();
        } else {
            __asm__ volatile("cpsie i");
            toggle();
            if (obey(message + 20, size - 20) == 0) {
                send(size);
            }
        }
    }
}
