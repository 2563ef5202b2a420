/* Exceptions, stacking, priorities and faults, told line by line: the same on QEMU's mps2-an386 and on our core. */
#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(address))
#define VTOR REG(0xE000ED08)
#define CCR REG(0xE000ED14)
#define SHPR2 REG(0xE000ED1C)
#define SHPR3 REG(0xE000ED20)
#define SHCSR REG(0xE000ED24)
#define CFSR REG(0xE000ED28)
#define HFSR REG(0xE000ED2C)
#define MMFAR REG(0xE000ED34)
#define BFAR REG(0xE000ED38)
#define CPACR REG(0xE000ED88)
#define ICSR REG(0xE000ED04)
#define FPCCR REG(0xE000EF34)
#define FPCAR REG(0xE000EF38)
#define ISER REG(0xE000E100)
#define ICER REG(0xE000E180)
#define ISPR REG(0xE000E200)
#define ICPR REG(0xE000E280)
#define IABR REG(0xE000E300)
#define IPR ((volatile uint8_t *)0xE000E400)
#define MPU_CTRL REG(0xE000ED94)
#define MPU_RBAR REG(0xE000ED9C)
#define MPU_RASR REG(0xE000EDA0)
#define STIR REG(0xE000EF00)
#define NAKED __attribute__((naked))

static char out[16384];
static uint32_t length;
static void put(const char *text) { while (*text) out[length++] = *text++; }
static void hex(uint32_t value) {
  for (int shift = 28; shift >= 0; shift -= 4) out[length++] = "0123456789abcdef"[(value >> shift) & 15];
}
static void tell(const char *name, uint32_t value) { put(name); put(" "); hex(value); put("\n"); }

/* What a handler saw: its frame, EXC_RETURN, IPSR; and where the return address moves by. */
uint32_t resume_at;
static volatile uint32_t skip, seen_return, seen_ipsr, marks;
static uint32_t *seen_frame;
static uint32_t frame[8];
static volatile uint32_t fault_cfsr, fault_hfsr, fault_bfar, fault_mmfar;
static void (*volatile svc_action)(void);
static volatile uint32_t order;
static void mark(uint32_t digit) { order = (order << 4) | digit; }

__attribute__((used)) static void saw(uint32_t *sp, uint32_t exc_return) {
  uint32_t ipsr;
  __asm volatile("mrs %0, ipsr" : "=r"(ipsr));
  seen_frame = sp; seen_return = exc_return; seen_ipsr = ipsr; marks++;
  for (int i = 0; i < 8; i++) frame[i] = sp[i];
  fault_cfsr = CFSR; fault_hfsr = HFSR; fault_bfar = BFAR; fault_mmfar = MMFAR;
  if (ipsr == 3 || ipsr == 4 || ipsr == 5 || ipsr == 6) {
    CFSR = fault_cfsr; HFSR = fault_hfsr;
    sp[6] += skip;
    if (resume_at) { sp[6] = resume_at; resume_at = 0; }
    /* A fault that cleared the Thumb bit or an IT block would come again. */
    sp[7] = (sp[7] | 0x01000000) & ~0x0600fc00;
  }
  if (ipsr == 11 && svc_action) svc_action();
}
NAKED static void handler(void) {
  __asm volatile("tst lr, #4\n ite eq\n mrseq r0, msp\n mrsne r0, psp\n mov r1, lr\n push {r4, lr}\n bl saw\n pop {r4, pc}");
}
static void pendsv(void) { mark(0xe); }
static void irq0(void) { mark(1); ISPR = 2; __asm volatile("dsb\n isb"); mark(2); }
static void irq1(void) { mark(3); }
static void irq2(void) { mark(4); ISPR = 8; __asm volatile("dsb\n isb"); mark(5); }
static void irq3(void) { mark(6); }
static void irq4(void) { mark(7); SHCSR |= 0; __asm volatile("svc 0"); mark(8); }

void reset(void);
__attribute__((section(".boot"), used)) static void *const boot[2] = {(void *)0x00130000, reset};
__attribute__((section(".vectors"), used, aligned(512))) static void *const vectors[32] = {
    (void *)0x00130000, reset, handler, handler, handler, handler, handler, 0, 0, 0, 0, handler, handler, 0, pendsv,
    0, irq0, irq1, irq2, irq3, irq4};

static void fault(const char *name) {
  put(name); put("\n");
  tell(" ipsr", seen_ipsr); tell(" return", seen_return); tell(" cfsr", fault_cfsr); tell(" hfsr", fault_hfsr);
  if (fault_cfsr & 0x8000) tell(" bfar", fault_bfar);
  if (fault_cfsr & 0x80) tell(" mmfar", fault_mmfar);
  tell(" xpsr", frame[7]);
}

static void svc_frame(void) {
  register uint32_t sp asm("r4");
  __asm volatile("mov r4, sp\n movs r0, #0x10\n movs r1, #0x11\n movs r2, #0x12\n movs r3, #0x13\n mov r12, #0x1c\n"
                 "cmp r0, r0\n svc 7" : "=r"(sp) :: "r0", "r1", "r2", "r3", "r12", "cc", "memory");
  put("svc\n");
  for (int i = 0; i < 5; i++) tell(" frame", frame[i]);
  tell(" xpsr", frame[7]); tell(" return", seen_return); tell(" ipsr", seen_ipsr);
  tell(" distance", sp - (uint32_t)seen_frame);
  __asm volatile("mov r4, sp\n sub sp, #4\n svc 7\n add sp, #4" : "=r"(sp) :: "cc", "memory");
  put("svc on a stack that is not aligned\n");
  tell(" xpsr bit 9", frame[7] & 0x200); tell(" aligned", (uint32_t)seen_frame & 7);
  tell(" distance", (sp - (uint32_t)seen_frame));
}

static uint32_t process_stack[128];
static void process(void) {
  uint32_t control, psp;
  __asm volatile("msr psp, %0\n movs r1, #2\n msr control, r1\n isb\n svc 1\n movs r1, #0\n msr control, r1\n isb"
                 : : "r"(process_stack + 120) : "r1", "memory");
  __asm volatile("mrs %0, control" : "=r"(control));
  put("process stack\n");
  tell(" return", seen_return); tell(" control", control);
  tell(" frame", (uint32_t)(process_stack + 120) - (uint32_t)seen_frame);
  /* Unprivileged code: what it writes to CONTROL and PRIMASK stays without effect, and the private bus faults. The
     process goes on where the stack is; handlers get theirs further down. */
  skip = 4;
  __asm volatile("mov r1, sp\n msr psp, r1\n movs r1, #2\n msr control, r1\n isb\n sub r1, sp, #4096\n msr msp, r1\n"
                 "movs r1, #3\n msr control, r1\n isb\n cpsid i\n movs r1, #0\n msr control, r1\n isb\n mrs %0, control"
                 : "=r"(control) : : "r1", "memory");
  tell(" unprivileged control", control);
  uint32_t primask;
  __asm volatile("mrs %0, primask" : "=r"(primask));
  tell(" unprivileged primask", primask);
  __asm volatile("movw r1, #0xed00\n movt r1, #0xe000\n movs r2, #0x55\n ldr.w r2, [r1]\n mov %0, r2" : "=r"(psp) :: "r1", "r2", "memory");
  fault("unprivileged read of CPUID");
  tell(" value", psp);
  /* Back to privilege by way of a handler. */
  extern void privileged(void);
  svc_action = privileged;
  __asm volatile("svc 3\n mov r1, sp\n msr msp, r1\n movs r1, #0\n msr control, r1\n isb" ::: "r1", "memory");
  svc_action = 0;
  __asm volatile("mrs %0, control" : "=r"(control));
  tell(" control again", control);
}
void privileged(void) { __asm volatile("movs r0, #2\n msr control, r0\n isb" ::: "r0"); }

static void priorities(void) {
  IPR[0] = 0x40; IPR[1] = 0x20; IPR[2] = 0x40; IPR[3] = 0x40; IPR[4] = 0x20;
  SHPR3 = 0xe0e00000; SHPR2 = 0x80000000;
  ISER = 0x1f;
  put("priorities\n");
  order = 0; ISPR = 1; __asm volatile("dsb\n isb"); tell(" preempted", order);
  order = 0; ISPR = 4; __asm volatile("dsb\n isb"); tell(" chained", order);
  order = 0; __asm volatile("cpsid i"); ISPR = 3; ICSR = 1 << 28; tell(" masked", order);
  tell(" pending", ICSR & 0x1ff000); __asm volatile("cpsie i\n isb"); tell(" unmasked", order);
  order = 0; __asm volatile("msr basepri, %0" :: "r"(0x40)); ISPR = 3; __asm volatile("dsb\n isb"); tell(" basepri 40", order);
  __asm volatile("msr basepri, %0\n isb" :: "r"(0)); tell(" basepri 0", order);
  order = 0; __asm volatile("msr basepri, %0" :: "r"(0x60));
  __asm volatile("msr basepri_max, %0" :: "r"(0x80));
  uint32_t value; __asm volatile("mrs %0, basepri" : "=r"(value)); tell(" basepri_max 80", value);
  __asm volatile("msr basepri_max, %0" :: "r"(0x20)); __asm volatile("mrs %0, basepri" : "=r"(value)); tell(" basepri_max 20", value);
  __asm volatile("msr basepri, %0\n isb" :: "r"(0));
  order = 0; __asm volatile("cpsid f"); ISPR = 1; __asm volatile("dsb\n isb"); tell(" faultmask", order);
  __asm volatile("cpsie f\n isb"); tell(" faultmask off", order);
  order = 0; ICSR = 1 << 28; __asm volatile("dsb\n isb"); tell(" pendsv", order);
  order = 0; STIR = 1; __asm volatile("dsb\n isb"); tell(" stir", order);
  order = 0; __asm volatile("cpsid i"); ISPR = 1; ICPR = 1; __asm volatile("cpsie i\n isb"); tell(" taken back", order);
  ICER = 1; order = 0; ISPR = 1; __asm volatile("dsb\n isb"); tell(" not enabled", order); tell(" still pending", ISPR); ICPR = 1;
  ISER = 1;
  order = 0; skip = 0; ISPR = 0x10; __asm volatile("dsb\n isb"); tell(" svc from above its priority", order);
  tell("  ipsr", seen_ipsr); tell("  hfsr", fault_hfsr);
  tell(" active at the end", IABR);
}

static uint32_t word[4] = {0x11111111, 0x22222222, 0x33333333, 0x44444444};
static void faults(void) {
  uint32_t value = 0;
  for (int enabled = 0; enabled < 2; enabled++) {
    SHCSR = enabled ? 0x70000 : 0;
    put(enabled ? "faults with handlers of their own\n" : "faults that become HardFault\n");
    skip = 2; __asm volatile("udf #1"); fault("udf");
    skip = 4; __asm volatile("udf.w #1"); fault("udf.w");
    CCR |= 16; skip = 4; __asm volatile("movs r0, #0\n udiv %0, r0, r0" : "=r"(value) :: "r0"); fault("division"); CCR &= ~16;
    __asm volatile("movs r0, #5\n movs r1, #0\n udiv %0, r0, r1" : "=r"(value) :: "r0", "r1"); tell(" untrapped", value);
    skip = 4; __asm volatile("ldr.w %0, [%1]" : "=r"(value) : "r"(0x70000000)); fault("read of nothing");
    skip = 4; __asm volatile("str.w %0, [%1]" : : "r"(value), "r"(0x70000010)); fault("write to nothing");
    skip = 4; __asm volatile("ldrex r1, [%0]" : : "r"((uint32_t)word + 2) : "r1"); fault("unaligned exclusive");
    CPACR = 0; skip = 4; __asm volatile("dsb\n isb\n vmov s0, r0"); fault("no coprocessor");
    skip = 4; __asm volatile(".inst.w 0xee000500"); fault("coprocessor 5");
    /* In an IT block: the state that is stacked says where. */
    skip = 2; __asm volatile("cmp r0, r0\n itt eq\n moveq r0, r0\n .inst.n 0xde00" ::: "cc"); fault("udf in an IT block");
    /* To an address without the Thumb bit; the handler returns behind it. */
    skip = 0;
    __asm volatile("adr r0, 1f\n bx r0\n .balign 4\n1: nop\n nop" ::: "r0"); fault("bx to ARM state");
  }
  put("bkpt is not tried: a debugger would take it\n");
}

static void it_block(void) {
  uint32_t a = 1, b = 2, c = 3;
  svc_action = 0;
  __asm volatile("cmp r0, r0\n ittte eq\n moveq %0, #7\n svceq 5\n moveq %1, #8\n movne %2, #9" : "+r"(a), "+r"(b), "+r"(c) :: "cc", "memory");
  put("svc in an IT block\n"); tell(" xpsr", frame[7]); tell(" a", a); tell(" b", b); tell(" c", c);
}

static void floats(void) {
  CPACR = 0xf00000; __asm volatile("dsb\n isb");
  uint32_t control, fpscr, value, sp;
  put("floats\n");
  tell(" fpccr", FPCCR & 0xc0000001);
  __asm volatile("mrs %0, control" : "=r"(control)); tell(" control before", control);
  __asm volatile("vmov s0, %1\n vmov s15, %1\n vmov s16, %1\n mrs %0, control" : "=r"(control) : "r"(0x3f800000)); tell(" control after", control);
  extern void lazy(void); svc_action = lazy;
  __asm volatile("mov %0, sp\n svc 9" : "=r"(sp) :: "memory");
  svc_action = 0;
  tell(" return", seen_return); tell(" distance", sp - (uint32_t)seen_frame);
  __asm volatile("vmov %0, s0" : "=r"(value)); tell(" s0", value);
  __asm volatile("vmov %0, s15" : "=r"(value)); tell(" s15", value);
  __asm volatile("vmov %0, s16" : "=r"(value)); tell(" s16, the handler's", value);
  __asm volatile("vmrs %0, fpscr" : "=r"(fpscr)); tell(" fpscr", fpscr);
  svc_action = 0; __asm volatile("mov %0, sp\n svc 9" : "=r"(sp) :: "memory");
  tell(" lspact without floats in the handler", FPCCR & 1);
  __asm volatile("vmov %0, s0" : "=r"(value)); tell(" s0", value);
  FPCCR &= ~0x40000000; svc_action = lazy;
  __asm volatile("mov %0, sp\n svc 9" : "=r"(sp) :: "memory"); svc_action = 0;
  tell(" stacked at once", seen_frame[8]); FPCCR |= 0x40000000;
  __asm volatile("mrs %0, control\n bic %0, #4\n msr control, %0\n isb\n mrs %0, control" : "=r"(control)); tell(" fpca cleared", control);
  __asm volatile("svc 9" ::: "memory"); tell(" return", seen_return);
}
void lazy(void) {
  uint32_t control;
  tell("  lspact", FPCCR & 1); tell("  fpcar", FPCAR - (uint32_t)seen_frame);
  __asm volatile("mrs %0, control" : "=r"(control)); tell("  control", control);
  __asm volatile("vmov s0, %0\n vmov s16, %0" :: "r"(0x40000000)); tell("  lspact after a float", FPCCR & 1);
  tell("  stacked s0", seen_frame[8]); tell("  stacked s15", seen_frame[8 + 15]);
  __asm volatile("mrs %0, control" : "=r"(control)); tell("  control", control);
}

static uint8_t guarded[64] __attribute__((aligned(64))) = {1, 2, 3};
static void mpu(void) {
  uint32_t value = 0;
  SHCSR = 0x70000;
  put("mpu\n");
  MPU_RBAR = (uint32_t)guarded | 0x10 | 0; MPU_RASR = 0x00000000 | (5 << 1) | 1;
  MPU_CTRL = 5; __asm volatile("dsb\n isb");
  skip = 4; __asm volatile("ldr.w %0, [%1, #4]" : "=r"(value) : "r"(guarded)); fault("read without right");
  skip = 4; __asm volatile("str.w %0, [%1, #8]" : : "r"(value), "r"(guarded)); fault("write without right");
  MPU_RBAR = (uint32_t)guarded | 0x10 | 0; MPU_RASR = 0x06000000 | (5 << 1) | 1; __asm volatile("dsb\n isb");
  __asm volatile("ldr.w %0, [%1]" : "=r"(value) : "r"(guarded)); tell(" read only", value);
  skip = 4; __asm volatile("str.w %0, [%1, #8]" : : "r"(value), "r"(guarded)); fault("write to what is read only");
  MPU_RBAR = (uint32_t)guarded | 0x10 | 0; MPU_RASR = 0x13000000 | (5 << 1) | 1; __asm volatile("dsb\n isb");
  guarded[0] = 0x70; guarded[1] = 0x47;
  extern void go(uint32_t); go((uint32_t)guarded | 1); fault("execution without right");
  MPU_CTRL = 0; __asm volatile("dsb\n isb");
}
NAKED void go(uint32_t target) {
  __asm volatile("push {r4, lr}\n ldr r1, =resume_at\n adr r2, 1f\n str r2, [r1]\n bx r0\n .balign 4\n1: pop {r4, pc}\n .ltorg");
}

static void exclusive(void) {
  uint32_t failed, value;
  put("exclusive\n");
  __asm volatile("ldrex %1, [%2]\n strex %0, %1, [%2]" : "=&r"(failed), "=&r"(value) : "r"(word) : "memory"); tell(" store", failed);
  __asm volatile("strex %0, %1, [%2]" : "=&r"(failed) : "r"(value), "r"(word) : "memory"); tell(" again", failed);
  __asm volatile("ldrex %1, [%2]\n clrex\n strex %0, %1, [%2]" : "=&r"(failed), "=&r"(value) : "r"(word) : "memory"); tell(" cleared", failed);
  __asm volatile("ldrexb %1, [%2]\n strexb %0, %1, [%2]" : "=&r"(failed), "=&r"(value) : "r"(word) : "memory"); tell(" byte", failed);
}

void reset(void) {
  VTOR = 0x00100000;
  svc_frame(); process(); priorities(); SHPR2 = 0; it_block(); faults(); floats(); exclusive();
  mpu();
  out[length] = 0;
  __asm volatile("movs r0, #4\n mov r1, %0\n bkpt 0xab\n movs r0, #0x18\n movw r1, #0x0026\n movt r1, #2\n bkpt 0xab" :: "r"(out) : "r0", "r1");
  for (;;) ;
}
