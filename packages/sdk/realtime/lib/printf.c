#include <realtime/uart.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Where characters go: into memory as far as there is room, or to the debug UART a piece at a time. */
struct sink {
  char *to;
  size_t room;
  size_t count;
  char piece[16];
  size_t held;
};

static void flush(struct sink *sink) {
  static bool is_open;
  if (!is_open) {
    is_open = true;
    uart_open(UART_DEBUG, &UART_115200);
  }
  uart_write(UART_DEBUG, sink->piece, sink->held);
  sink->held = 0;
}

static void put(struct sink *sink, char character) {
  if (sink->to != 0) {
    if (sink->count + 1 < sink->room) sink->to[sink->count] = character;
  } else {
    sink->piece[sink->held++] = character;
    if (sink->held == sizeof sink->piece) flush(sink);
  }
  sink->count++;
}

struct form {
  int width;
  int precision;
  bool is_left;
  bool is_zero;
};

static void pad(struct sink *sink, int count, char with) {
  while (count-- > 0) put(sink, with);
}

static void text(struct sink *sink, const char *from, size_t length, const struct form *form) {
  int missing = form->width - (int)length;
  if (!form->is_left) pad(sink, missing, ' ');
  for (size_t i = 0; i < length; i++) put(sink, from[i]);
  if (form->is_left) pad(sink, missing, ' ');
}

static void number(struct sink *sink, uint64_t value, bool is_negative, unsigned base, char ten,
                   const struct form *form) {
  char digits[20];
  int count = 0;
  do {
    unsigned digit = (unsigned)(value % base);
    digits[count++] = (char)(digit < 10 ? '0' + digit : ten + digit - 10);
    value /= base;
  } while (value != 0);
  int missing = form->width - count - (is_negative ? 1 : 0);
  if (!form->is_left && !form->is_zero) pad(sink, missing, ' ');
  if (is_negative) put(sink, '-');
  if (!form->is_left && form->is_zero) pad(sink, missing, '0');
  while (count > 0) put(sink, digits[--count]);
  if (form->is_left) pad(sink, missing, ' ');
}

/* Six places at most, rounded half up; what is beyond 2^63 is not worth the code. */
static void fraction(struct sink *sink, double value, const struct form *form) {
  bool is_negative = value < 0;
  float magnitude = (float)(is_negative ? -value : value);
  int places = form->precision < 0 || form->precision > 6 ? 6 : form->precision;
  uint32_t scale = 1;
  for (int i = 0; i < places; i++) scale *= 10;
  uint64_t whole = (uint64_t)magnitude;
  uint64_t part = (uint64_t)((magnitude - (float)whole) * (float)scale + 0.5f);
  if (part >= scale) part -= scale, whole++;
  struct form before = *form, after = {.width = places, .precision = -1, .is_zero = true};
  before.width = form->width - (places > 0 ? places + 1 : 0);
  number(sink, whole, is_negative, 10, 'a', &before);
  if (places == 0) return;
  put(sink, '.');
  number(sink, part, false, 10, 'a', &after);
}

static uint64_t unsigned_of(va_list *arguments, int longs) {
  if (longs == 2) return va_arg(*arguments, unsigned long long);
  return longs == 1 ? va_arg(*arguments, unsigned long) : va_arg(*arguments, unsigned);
}

static int64_t signed_of(va_list *arguments, int longs) {
  if (longs == 2) return va_arg(*arguments, long long);
  return longs == 1 ? va_arg(*arguments, long) : va_arg(*arguments, int);
}

static const char *conversion(struct sink *sink, const char *at, va_list *arguments) {
  struct form form = {.width = 0, .precision = -1, .is_left = false, .is_zero = false};
  int longs = 0;
  for (;; at++) {
    if (*at == '-') form.is_left = true;
    else if (*at == '0') form.is_zero = true;
    else break;
  }
  while (*at >= '0' && *at <= '9') form.width = form.width * 10 + (*at++ - '0');
  if (*at == '.') {
    form.precision = 0;
    for (at++; *at >= '0' && *at <= '9'; at++) form.precision = form.precision * 10 + (*at - '0');
  }
  for (; *at == 'l' || *at == 'z' || *at == 'h'; at++) longs += *at == 'l';
  switch (*at) {
    case 'd':
    case 'i': {
      int64_t value = signed_of(arguments, longs);
      number(sink, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, value < 0, 10, 'a', &form);
      break;
    }
    case 'u':
      number(sink, unsigned_of(arguments, longs), false, 10, 'a', &form);
      break;
    case 'x':
    case 'X':
      number(sink, unsigned_of(arguments, longs), false, 16, *at == 'x' ? 'a' : 'A', &form);
      break;
    case 'p':
      form.width = 8;
      form.is_zero = true;
      number(sink, (uintptr_t)va_arg(*arguments, void *), false, 16, 'a', &form);
      break;
    case 'f':
      fraction(sink, va_arg(*arguments, double), &form);
      break;
    case 'c': {
      char character = (char)va_arg(*arguments, int);
      text(sink, &character, 1, &form);
      break;
    }
    case 's': {
      const char *from = va_arg(*arguments, const char *);
      if (from == 0) from = "(null)";
      size_t length = 0;
      while ((form.precision < 0 || length < (size_t)form.precision) && from[length] != 0) length++;
      text(sink, from, length, &form);
      break;
    }
    case 0:
      return at;
    default:
      put(sink, *at);
  }
  return at + 1;
}

static int print(struct sink *sink, const char *format, va_list arguments) {
  va_list left;
  va_copy(left, arguments);
  while (*format != 0) {
    if (*format != '%') put(sink, *format++);
    else format = conversion(sink, format + 1, &left);
  }
  va_end(left);
  if (sink->to == 0) flush(sink);
  else if (sink->room > 0) sink->to[sink->count < sink->room ? sink->count : sink->room - 1] = 0;
  return (int)sink->count;
}

int vprintf(const char *format, va_list arguments) {
  struct sink sink = {.to = 0};
  return print(&sink, format, arguments);
}

int printf(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int count = vprintf(format, arguments);
  va_end(arguments);
  return count;
}

int vsnprintf(char *to, size_t room, const char *format, va_list arguments) {
  char nowhere;
  struct sink sink = {.to = to == 0 ? &nowhere : to, .room = to == 0 ? 0 : room};
  return print(&sink, format, arguments);
}

int snprintf(char *to, size_t room, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int count = vsnprintf(to, room, format, arguments);
  va_end(arguments);
  return count;
}

int puts(const char *line) { return printf("%s\n", line); }

int putchar(int character) {
  struct sink sink = {.to = 0};
  put(&sink, (char)character);
  flush(&sink);
  return (unsigned char)character;
}
