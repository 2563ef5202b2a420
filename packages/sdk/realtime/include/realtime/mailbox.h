/* Mailboxes to the high-level core (`MAILBOX_A7`) and to the other real-time core (`MAILBOX_M4`). */
#pragma once

#include "core.h"

/* False: 15 messages wait to be taken. */
bool mailbox_post(uint32_t mailbox, uint32_t command, uint32_t data);
/* False: nothing has arrived. */
bool mailbox_take(uint32_t mailbox, uint32_t *command, uint32_t *data);
/* Raises software interrupts 0 to 7 on the other side. */
void mailbox_signal(uint32_t mailbox, uint32_t bits);
/* Calls `handler` with the software interrupts among `bits` that the other side raised. */
void mailbox_on_signal(uint32_t mailbox, uint32_t bits, void (*handler)(uint32_t bits));
