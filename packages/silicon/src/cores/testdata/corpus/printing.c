/* Every conversion of printf and the functions of string.h. */
#include <realtime/core.h>
#include <realtime/failure.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  printf("%d %i %u %x %X %c %s %%\n", -5, 0, 4000000000u, 0xBEEFu, 0xBEEFu, 'c', "text");
  printf("[%5d][%-5d][%05d][%5s][%-5s][%.2s]\n", 42, 42, -42, "ab", "ab", "abcdef");
  printf("%ld %lu %lld %llx %zu\n", -1L, 1UL, -9000000000LL, 0x123456789ABCULL, sizeof(int));
  printf("%f %.2f %.0f %8.3f %p\n", 1.5, -3.14159, 2.5, 0.0625, (void *)0x00100000);
  const char *volatile nothing = 0;
  printf("%s %d\n", nothing, (int)0x80000000);
  char small[6];
  int needed = snprintf(small, sizeof small, "%s", "longer than six");
  printf("%d %s %d\n", needed, small, snprintf(0, 0, "%d", 12345));
  char text[16] = "0123456789";
  memmove(text + 2, text, 8);
  printf("%s %u %d %d %d\n", text, (unsigned)strlen(text), strcmp("a", "b"), strncmp("abc", "abd", 2),
         memcmp("x", "w", 1));
  memset(text, 'z', 3);
  printf("%s %s\n", strchr(text, '1'), strncpy(text, "cd", 3));
  assert(strchr(text, 'q') == 0);
  for (;;) core_sleep();
}
