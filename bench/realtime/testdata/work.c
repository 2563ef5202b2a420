/*
 * Work of the kinds that small cores do: matrices, a linked list sorted by a function pointer, a state machine over
 * text, checksums. Answers a number that is the same on every core.
 */
#include <stdint.h>

extern const uint32_t stack_top;
void reset(void);
/* Vectors; then how often to work, to be set by whoever loads this, and the answer. */
__attribute__((section(".vectors"), used)) volatile uint32_t head[4] = {
    (uint32_t)&stack_top, (uint32_t)&reset, 0x5eed5eed, 0};

static int16_t left[900], right[900];
static int32_t product[900];
struct node {
  struct node *next;
  int16_t value, number;
};
static struct node pool[128];

static uint16_t checksum(uint16_t sum, uint8_t byte) {
  for (int bit = 0; bit < 8; bit++) {
    uint8_t low = (byte ^ sum) & 1;
    byte >>= 1;
    sum >>= 1;
    if (low) sum ^= 0xa001;
  }
  return sum;
}

static int by_value(struct node *a, struct node *b) { return a->value - b->value; }

static struct node *sorted(struct node *list, int (*compare)(struct node *, struct node *)) {
  for (int size = 1;; size *= 2) {
    struct node *p = list, *tail = 0;
    int merges = 0;
    list = 0;
    while (p) {
      struct node *q = p;
      int ps = 0, qs = size;
      merges++;
      for (int i = 0; i < size && q; i++) {
        ps++;
        q = q->next;
      }
      while (ps > 0 || (qs > 0 && q)) {
        struct node *e;
        if (ps == 0 || (qs > 0 && q && compare(p, q) > 0)) {
          e = q;
          q = q->next;
          qs--;
        } else {
          e = p;
          p = p->next;
          ps--;
        }
        if (tail) tail->next = e;
        else list = e;
        tail = e;
      }
      p = q;
    }
    tail->next = 0;
    if (merges <= 1) return list;
  }
}

static const char text[] = "5012,+1234,-874,0x23,1.5e3,abc,99999,-0.25,T0.3e-1F,1e+5,";
enum state { START, SIGN, WHOLE, FRACTION, MARK, EXPONENT_SIGN, EXPONENT, WRONG };

static uint32_t machine(uint32_t seed) {
  uint32_t counts[8] = {0};
  enum state state = START;
  for (int round = 0; round < 4; round++) {
    for (const char *p = text; *p; p++) {
      char c = (seed++ & 31) == 0 ? '0' : *p;
      int is_digit = c >= '0' && c <= '9';
      switch (state) {
      case START: state = is_digit ? WHOLE : c == '+' || c == '-' ? SIGN : c == '.' ? FRACTION : WRONG; break;
      case SIGN: state = is_digit ? WHOLE : c == '.' ? FRACTION : WRONG; break;
      case WHOLE: state = c == '.' ? FRACTION : c == 'e' ? MARK : c == ',' ? START : is_digit ? WHOLE : WRONG; break;
      case FRACTION: state = c == 'e' ? MARK : c == ',' ? START : is_digit ? FRACTION : WRONG; break;
      case MARK: state = c == '+' || c == '-' ? EXPONENT_SIGN : WRONG; break;
      case EXPONENT_SIGN: state = is_digit ? EXPONENT : WRONG; break;
      case EXPONENT: state = c == ',' ? START : is_digit ? EXPONENT : WRONG; break;
      default: state = c == ',' ? START : WRONG;
      }
      counts[state]++;
    }
  }
  uint32_t sum = 0;
  for (int i = 0; i < 8; i++) sum = sum * 31 + counts[i];
  return sum;
}

static uint32_t iteration(uint32_t n) {
  uint16_t sum = 0;
  for (int i = 0; i < 900; i++) {
    left[i] = (i * 7 + n) & 0xff;
    right[i] = (i * 3 + n) & 0x3f;
  }
  for (int i = 0; i < 30; i++) {
    for (int j = 0; j < 30; j++) {
      int32_t total = 0;
      for (int k = 0; k < 30; k++) total += left[i * 30 + k] * right[k * 30 + j];
      product[i * 30 + j] = total;
    }
  }
  for (int i = 0; i < 900; i += 9) sum = checksum(sum, product[i]);
  uint32_t x = n * 2654435761u + 1;
  for (int i = 0; i < 128; i++) {
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    pool[i].value = x;
    pool[i].number = i;
    pool[i].next = i < 127 ? &pool[i + 1] : 0;
  }
  for (struct node *p = sorted(pool, by_value); p; p = p->next) sum = checksum(sum, p->number);
  return checksum(sum, machine(n));
}

#ifdef LARGE
/* Some 60 KB of functions that differ, all of them hot. */
#define F(n)                                                                                                         \
  __attribute__((noinline)) static uint32_t f##n(uint32_t x) {                                                       \
    uint32_t y = x ^ n;                                                                                              \
    for (int i = 0; i < 12; i++) {                                                                                   \
      if (y & 1) y = y * 3 + n;                                                                                      \
      else y = (y >> 1) ^ (x << (n & 7));                                                                            \
      left[(y + n) % 900] += y;                                                                                      \
      switch ((y >> 4) & 3) {                                                                                        \
      case 0: x += left[(x ^ y) % 900]; break;                                                                       \
      case 1: x ^= y + product[(x + n) % 900]; break;                                                                \
      case 2: x -= y * n; break;                                                                                     \
      default: x = (x << 3) | (x >> 29);                                                                             \
      }                                                                                                              \
      if (x > 0x80000000u + n) product[(x >> 3) % 900] = y;                                                          \
    }                                                                                                                \
    return x + y;                                                                                                    \
  }
#define TEN(m, n) m(n##0) m(n##1) m(n##2) m(n##3) m(n##4) m(n##5) m(n##6) m(n##7) m(n##8) m(n##9)
#define ALL(m) TEN(m, 1) TEN(m, 2) TEN(m, 3) TEN(m, 4) TEN(m, 5) TEN(m, 6) TEN(m, 7) TEN(m, 8) TEN(m, 9) \
  TEN(m, 10) TEN(m, 11) TEN(m, 12) TEN(m, 13) TEN(m, 14) TEN(m, 15) TEN(m, 16) TEN(m, 17) TEN(m, 18) TEN(m, 19) \
  TEN(m, 20) TEN(m, 21) TEN(m, 22) TEN(m, 23) TEN(m, 24) TEN(m, 25) TEN(m, 26) TEN(m, 27) TEN(m, 28) \
  TEN(m, 29) TEN(m, 30)
ALL(F)
#define CALL(n) x = f##n(x);
static uint32_t many(uint32_t x) {
  ALL(CALL)
  return x;
}
#endif

void *memset(void *to, int value, unsigned length) {
  for (volatile char *p = to; length--; p++) *p = value;
  return to;
}

/* Semihosting: tells the answer as text, and that this is the end. */
static char answer[12];
static void finish(uint32_t value) {
  for (int i = 0; i < 8; i++) answer[i] = "0123456789abcdef"[(value >> (28 - 4 * i)) & 15];
  answer[8] = '\n';
  register uint32_t r0 __asm("r0") = 4;
  register uint32_t r1 __asm("r1") = (uint32_t)answer;
  __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  r0 = 0x18;
  r1 = 0x20026;
  __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

void reset(void) {
  uint32_t sum = 0;
  for (uint32_t n = 0; n < head[2]; n++) {
    sum = sum * 33 + iteration(n);
#ifdef LARGE
    sum = many(sum);
#endif
  }
  head[3] = sum;
  finish(sum);
  for (;;) {}
}
