#include <string.h>
#include <stdint.h>
#include <stdlib.h>

/* Words where both sides are aligned alike: the compiler calls this for its own copies. */
void *memcpy(void *restrict to, const void *restrict from, size_t count) {
  uint8_t *out = to;
  const uint8_t *in = from;
  if ((((uintptr_t)out | (uintptr_t)in) & 3u) == 0) {
    for (; count >= 4; count -= 4, out += 4, in += 4) *(uint32_t *)(void *)out = *(const uint32_t *)(const void *)in;
  }
  while (count-- > 0) *out++ = *in++;
  return to;
}

void *memmove(void *to, const void *from, size_t count) {
  uint8_t *out = to;
  const uint8_t *in = from;
  if (out <= in) return memcpy(to, from, count);
  while (count-- > 0) out[count] = in[count];
  return to;
}

void *memset(void *to, int byte, size_t count) {
  uint8_t *out = to;
  uint32_t word = (uint8_t)byte * 0x01010101u;
  while (count > 0 && ((uintptr_t)out & 3u) != 0) *out++ = (uint8_t)byte, count--;
  for (; count >= 4; count -= 4, out += 4) *(uint32_t *)(void *)out = word;
  while (count-- > 0) *out++ = (uint8_t)byte;
  return to;
}

int memcmp(const void *a, const void *b, size_t count) {
  const uint8_t *x = a, *y = b;
  for (; count > 0; count--, x++, y++)
    if (*x != *y) return *x - *y;
  return 0;
}

size_t strlen(const char *text) {
  const char *end = text;
  while (*end != 0) end++;
  return (size_t)(end - text);
}

int strcmp(const char *a, const char *b) {
  while (*a != 0 && *a == *b) a++, b++;
  return (uint8_t)*a - (uint8_t)*b;
}

int strncmp(const char *a, const char *b, size_t count) {
  for (; count > 0; count--, a++, b++)
    if (*a != *b || *a == 0) return (uint8_t)*a - (uint8_t)*b;
  return 0;
}

char *strncpy(char *restrict to, const char *restrict from, size_t count) {
  size_t at = 0;
  for (; at < count && from[at] != 0; at++) to[at] = from[at];
  for (; at < count; at++) to[at] = 0;
  return to;
}

char *strchr(const char *text, int character) {
  for (;; text++) {
    if (*text == (char)character) return (char *)(uintptr_t)text;
    if (*text == 0) return 0;
  }
}

int abs(int value) { return value < 0 ? -value : value; }
