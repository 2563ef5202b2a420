#include <realtime/mailbox.h>

static void (*handlers[2])(uint32_t bits);

bool mailbox_post(uint32_t mailbox, uint32_t command, uint32_t data) {
  if (REG(mailbox, MBOX_POST_CNT) >= MBOX_DEPTH) return false;
  REG(mailbox, MBOX_DATA_POST) = data;
  core_barrier();
  REG(mailbox, MBOX_CMD_POST) = command;
  return true;
}

bool mailbox_take(uint32_t mailbox, uint32_t *command, uint32_t *data) {
  if (REG(mailbox, MBOX_POP_CNT) == 0) return false;
  *data = REG(mailbox, MBOX_DATA_POP);
  *command = REG(mailbox, MBOX_CMD_POP);
  return true;
}

void mailbox_signal(uint32_t mailbox, uint32_t bits) {
  core_barrier();
  REG(mailbox, MBOX_SW_TX_INT_PORT) = bits;
}

static void take(uint32_t mailbox, unsigned index) {
  uint32_t bits = REG(mailbox, MBOX_SW_RX_INT_STS);
  REG(mailbox, MBOX_SW_RX_INT_STS) = bits;
  bits &= REG(mailbox, MBOX_SW_RX_INT_EN);
  if (bits != 0 && handlers[index] != 0) handlers[index](bits);
}

static void on_a7(void) { take(MAILBOX_A7, 0); }
static void on_m4(void) { take(MAILBOX_M4, 1); }

void mailbox_on_signal(uint32_t mailbox, uint32_t bits, void (*handler)(uint32_t bits)) {
  bool is_a7 = mailbox == MAILBOX_A7;
  handlers[is_a7 ? 0 : 1] = handler;
  REG(mailbox, MBOX_SW_RX_INT_EN) = bits;
  interrupt_attach(is_a7 ? LINE_MAILBOX_A7_SW : LINE_MAILBOX_M4_SW, is_a7 ? on_a7 : on_m4, PRIORITY_NORMAL);
}
