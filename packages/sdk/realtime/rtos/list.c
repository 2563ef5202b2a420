#include "kernel.h"

void list_init(struct rtos_link *head) { head->next = head->previous = head; }

bool list_is_empty(const struct rtos_link *head) { return head->next == head; }

void list_remove(struct rtos_link *link) {
  link->previous->next = link->next;
  link->next->previous = link->previous;
  link->next = link->previous = link;
}
