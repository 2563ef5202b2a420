/*
 * Runs short programs on Unicorn's Cortex-M4 and tells the state after each.
 *
 * Input: u32 size and base of a memory, its bytes; u32 number of runs; then for each run
 *   u32 entry, u32 address that ends it, u32 most instructions, u32 address and u32 length of code that is put into
 *   memory before (length 0: it lies there already), state, code padded to 4 bytes.
 * Output: for each run u32 error, state; then the memory's bytes.
 * State: 16 registers (15 is PC), APSR, FPSCR, 32 single-precision registers; little-endian words.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unicorn/unicorn.h>

#define WORDS 50
#define SCRATCH 0x60000000

static int core_registers[16] = {
    UC_ARM_REG_R0, UC_ARM_REG_R1, UC_ARM_REG_R2,  UC_ARM_REG_R3,  UC_ARM_REG_R4,  UC_ARM_REG_R5,
    UC_ARM_REG_R6, UC_ARM_REG_R7, UC_ARM_REG_R8,  UC_ARM_REG_R9,  UC_ARM_REG_R10, UC_ARM_REG_R11,
    UC_ARM_REG_R12, UC_ARM_REG_SP, UC_ARM_REG_LR, UC_ARM_REG_PC};

static void take(void *to, size_t size) {
  if (fread(to, 1, size, stdin) != size) {
    fprintf(stderr, "input ends early\n");
    exit(2);
  }
}

static uint32_t word(void) {
  uint32_t value;
  take(&value, 4);
  return value;
}

static void check(uc_err error, const char *what) {
  if (error != UC_ERR_OK) {
    fprintf(stderr, "%s: %s\n", what, uc_strerror(error));
    exit(2);
  }
}

int main(void) {
  uc_engine *uc;
  uint32_t size = word();
  uint32_t base = word();
  uint8_t *memory = malloc(size);
  uint8_t code[4096];
  uint32_t state[WORDS];

  take(memory, size);
  check(uc_open(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS, &uc), "open");
  check(uc_ctl_set_cpu_model(uc, UC_CPU_ARM_CORTEX_M4), "model");
  check(uc_mem_map(uc, base, size, UC_PROT_ALL), "map");
  check(uc_mem_write(uc, base, memory, size), "write");
  uint32_t cpacr = 0xf << 20;
  uint32_t fpexc = 1u << 30;
  uc_reg_write(uc, UC_ARM_REG_C1_C0_2, &cpacr);
  uc_reg_write(uc, UC_ARM_REG_FPEXC, &fpexc);

  /* The core's other memories, empty: random addresses meet them now and then. */
  check(uc_mem_map(uc, 0x10000000, 0x100000, UC_PROT_READ), "map");
  check(uc_mem_map(uc, 0x22000000, 0x10000, UC_PROT_ALL), "map");
  /*
   * Four times NOP, in which an IT block ends that a run leaves open. Then ADR R2, SCRATCH + 64 and STREX R0, R1, [R2],
   * which forgets what a run has loaded exclusively (Unicorn takes CLREX for undefined).
   */
  static const uint16_t between[7] = {0xbf00, 0xbf00, 0xbf00, 0xbf00, 0xa20d, 0xe842, 0x1000};
  check(uc_mem_map(uc, SCRATCH, 4096, UC_PROT_ALL), "map");
  check(uc_mem_write(uc, SCRATCH, between, sizeof between), "write");
  /* VMOV.F32 S0, S0: the first floating-point instruction would reset FPSCR (FPCA is clear). */
  static const uint16_t vmov[2] = {0xeeb0, 0x0a40};
  check(uc_mem_write(uc, SCRATCH + 32, vmov, sizeof vmov), "write");
  check(uc_emu_start(uc, (SCRATCH + 32) | 1, SCRATCH + 36, 0, 1), "vmov");

  uint32_t runs = word();
  for (uint32_t n = 0; n < runs; n++) {
    uint32_t entry = word();
    uint32_t until = word();
    uint32_t count = word();
    uint32_t address = word();
    uint32_t length = word();
    if (length > sizeof code) return 2;
    take(state, sizeof state);
    take(code, (length + 3) & ~3u);
    if (length > 0) {
      check(uc_mem_write(uc, address, code, length), "code");
      uc_ctl_remove_cache(uc, address, address + length);
    }
    /* Where a run ends is translated into it: what was translated for another end is of no use. */
    if (until > entry && until - entry < 0x10000) uc_ctl_remove_cache(uc, entry, until + 4);
    for (int i = 0; i < 15; i++) uc_reg_write(uc, core_registers[i], &state[i]);
    uc_reg_write(uc, UC_ARM_REG_APSR_NZCVQG, &state[16]);
    uc_reg_write(uc, UC_ARM_REG_FPSCR, &state[17]);
    for (int i = 0; i < 32; i++) uc_reg_write(uc, UC_ARM_REG_S0 + i, &state[18 + i]);
    uint32_t error = count == 0 ? 0 : uc_emu_start(uc, entry | 1, until, 0, count);
    for (int i = 0; i < 16; i++) uc_reg_read(uc, core_registers[i], &state[i]);
    uc_reg_read(uc, UC_ARM_REG_APSR, &state[16]);
    uc_reg_read(uc, UC_ARM_REG_FPSCR, &state[17]);
    for (int i = 0; i < 32; i++) uc_reg_read(uc, UC_ARM_REG_S0 + i, &state[18 + i]);
    check(uc_emu_start(uc, SCRATCH | 1, SCRATCH + sizeof between, 0, 7), "between");
    fwrite(&error, 4, 1, stdout);
    fwrite(state, sizeof state, 1, stdout);
  }
  check(uc_mem_read(uc, base, memory, size), "read");
  fwrite(memory, size, 1, stdout);
  return 0;
}
