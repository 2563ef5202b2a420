/*
 * Registers of a real-time core's peripherals, by block: base addresses, offsets and bits, named as in
 * docs/real-time-sdk.md. `REG(block, offset)` is a register; all are words.
 */
#pragma once

#include <stdint.h>

#define REG(block, offset) (*(volatile uint32_t *)((block) + (offset)))

/* Core-local blocks: each core has its own. */
#define EINT 0x21000000u
#define CLOCK 0x21010000u
#define WATCHDOG 0x21020000u
#define GPT 0x21030000u
#define UART_DEBUG 0x21040000u
#define MAILBOX_A7 0x21050000u
#define MAILBOX_M4 0x21060000u
#define DMA 0x21080000u

/* Blocks behind the firewall: only those that the manifest names answer. */
#define ADC 0x38000000u
#define GPIO_GROUP(n) (0x38010000u + 0x10000u * (n))
#define PWM_GROUP(n) (0x38011000u + 0x10000u * (n))
#define ISU(n) (0x38070000u + 0x10000u * (n))
#define ISU_I2C(n) (ISU(n) + 0x200u)
#define ISU_SPI(n) (ISU(n) + 0x300u)
#define ISU_UART(n) (ISU(n) + 0x500u)
#define I2S(n) (0x380D0000u + 0x10000u * (n))

/* External interrupt lines. */
enum interrupt_line {
  LINE_GPT01 = 1,
  LINE_GPT3 = 2,
  LINE_WATCHDOG = 3,
  LINE_UART_DEBUG = 4,
  LINE_MAILBOX_A7_RD = 6,
  LINE_MAILBOX_A7_NF = 7,
  LINE_MAILBOX_A7_WR = 8,
  LINE_MAILBOX_A7_NE = 9,
  LINE_MAILBOX_A7_FIFO = 10,
  LINE_MAILBOX_A7_SW = 11,
  LINE_MAILBOX_M4_SW = 17,
  LINE_EINT0 = 20,
  LINE_I2C0 = 44,
  LINE_SPI0 = 45,
  LINE_UART0 = 47,
  LINE_ADC = 70,
  LINE_DMA = 77,
  LINES = 100
};

/* UART: 16550-like. */
#define UART_RBR 0x00u
#define UART_THR 0x00u
#define UART_DLL 0x00u
#define UART_IER 0x04u
#define UART_DLM 0x04u
#define UART_IIR 0x08u
#define UART_FCR 0x08u
#define UART_LCR 0x0Cu
#define UART_MCR 0x10u
#define UART_LSR 0x14u
#define UART_HIGHSPEED 0x24u
#define UART_SAMPLE_COUNT 0x28u
#define UART_SAMPLE_POINT 0x2Cu
#define UART_VFIFO_EN 0x4Cu
#define UART_FRACDIV_L 0x54u
#define UART_FRACDIV_M 0x58u
#define UART_IER_RX (1u << 0)
#define UART_IER_THRE (1u << 1)
#define UART_FCR_ENABLE (1u << 0)
#define UART_FCR_CLEAR (3u << 1)
#define UART_LCR_DLAB (1u << 7)
#define UART_LSR_DR (1u << 0)
#define UART_LSR_OE (1u << 1)
#define UART_LSR_THRE (1u << 5)
#define UART_LSR_TEMT (1u << 6)

/* General-purpose timers. */
#define GPT_ISR 0x00u
#define GPT_IER 0x04u
#define GPT_CTRL(n) ((n) == 0 ? 0x10u : 0x20u)
#define GPT_ICNT(n) ((n) == 0 ? 0x14u : 0x24u)
#define GPT_CNT(n) ((n) == 0 ? 0x40u : 0x44u)
#define GPT2_CTRL 0x30u
#define GPT2_CNT 0x34u
#define GPT3_CTRL 0x50u
#define GPT3_INIT 0x54u
#define GPT3_CNT 0x58u
#define GPT3_EXPIRE 0x5Cu
#define GPT4_CTRL 0x60u
#define GPT4_INIT 0x64u
#define GPT4_CNT 0x68u
#define GPT_CTRL_ENABLE (1u << 0)
#define GPT_CTRL_REPEAT (1u << 1)
#define GPT_CTRL_FAST (1u << 2)
#define GPT2_CTRL_FAST (1u << 1)
#define GPT3_CTRL_ICLR (1u << 15)
#define GPT3_CTRL_1MHZ (0x19u << 16)

/* Pins; DIN has another place in each kind of block. */
#define GPIO_DIN_GROUP 0x04u
#define GPIO_DIN_ISU 0x0Cu
#define GPIO_DIN_I2S 0x00u
#define GPIO_DOUT 0x10u
#define GPIO_DOUT_SET 0x14u
#define GPIO_DOUT_CLR 0x18u
#define GPIO_OE_SET 0x24u
#define GPIO_OE_CLR 0x28u
#define GPIO_PU_SET 0x34u
#define GPIO_PU_CLR 0x38u
#define GPIO_PD_SET 0x44u
#define GPIO_PD_CLR 0x48u
#define GPIO_IES_SET 0x64u

/* External interrupts: a word each. */
#define EINT_CONTROL(n) (4u * (n))
#define EINT_DEBOUNCE(n) ((n) & 0xFu)
#define EINT_PRESCALER(n) (((n) & 7u) << 4)
#define EINT_DUAL (1u << 7)
#define EINT_POLARITY (1u << 8)
#define EINT_ENABLE (1u << 9)

/* PWM. */
#define PWM_GLO_CTRL 0x00u
#define PWM_CTRL(c) (0x100u + 0x10u * (c))
#define PWM_PARAM_S0(c) (0x104u + 0x10u * (c))
#define PWM_PARAM_S1(c) (0x108u + 0x10u * (c))
#define PWM_GLO_CTRL_2MHZ (1u << 1)
#define PWM_GLO_CTRL_XTAL (2u << 1)
#define PWM_CTRL_KICK (1u << 0)
#define PWM_CTRL_CLOCK (1u << 4)

/* I2C master. */
#define I2C_INT_CTRL 0x00u
#define I2C_PAD_CON0 0x40u
#define I2C_PHASE0 0x44u
#define I2C_PHASE1 0x48u
#define I2C_COUNT(packet) (0x54u + 4u * (packet))
#define I2C_SLAVE_ID 0x60u
#define I2C_PACK_CON0 0x68u
#define I2C_ACK_VAL 0x6Cu
#define I2C_CON0 0x70u
#define I2C_STATUS 0x74u
#define I2C_FIFO_CLEAR 0x78u
#define I2C_FIFO_STATUS 0x80u
#define I2C_FIFO_DATA 0x90u
#define I2C_INT_CTRL_STATUS (1u << 0)
#define I2C_CON0_START (1u << 0)
#define I2C_CON0_GMODE (1u << 14)
#define I2C_CON0_MASTER (1u << 15)
#define I2C_STATUS_BUSY (1u << 0)
#define I2C_STATUS_LOST (1u << 1)
#define I2C_STATUS_READY (1u << 2)
#define I2C_FIFO_STATUS_RX_EMPTY (1u << 0)
#define I2C_FIFO_STATUS_TX_FULL (1u << 5)

/* SPI master. */
#define SPI_STCSR 0x00u
#define SPI_SOAR 0x04u
#define SPI_SDOR(word) (0x08u + 4u * (word))
#define SPI_SMMR 0x28u
#define SPI_SMBCR 0x2Cu
#define SPI_SCSR 0x34u
#define SPI_CSPOL 0x38u
#define SPI_SDIR(word) (0x48u + 4u * (word))
#define SPI_STCSR_START (1u << 8)
#define SPI_STCSR_BUSY (1u << 16)
#define SPI_SMMR_MORE_BUF (1u << 2)
#define SPI_SMMR_CPOL (1u << 4)
#define SPI_SMMR_CPHA (1u << 5)
#define SPI_SMMR_FULL_DUPLEX (1u << 10)
#define SPI_SMMR_DIVIDER(n) (((n) & 0xFFFu) << 16)
#define SPI_SMMR_SELECT(n) ((uint32_t)(n) << 29)

/* ADC. */
#define ADC_GLOBAL 0x000u
#define ADC_CTL0 0x100u
#define ADC_FIFO 0x200u
#define ADC_LSR 0x214u
#define ADC_CTL0_RUN (1u << 0)
#define ADC_CTL0_CHANNELS(map) ((uint32_t)(map) << 16)

/* Watchdog. */
#define WDT_MODE 0x30u
#define WDT_LENGTH 0x34u
#define WDT_RESTART 0x38u
#define WDT_STATUS 0x3Cu
#define WDT_SWRST 0x44u
#define WDT_MODE_KEY 0x2200u
#define WDT_MODE_ENABLE (1u << 0)
#define WDT_MODE_IRQ (1u << 3)
#define WDT_LENGTH_KEY 8u
#define WDT_RESTART_KEY 0x1971u
#define WDT_SWRST_KEY 0x1209u
#define WDT_STATUS_HARDWARE (1u << 15)
#define WDT_STATUS_SOFTWARE (1u << 14)

/* DMA: a block for each of 30 channels, and the globals. */
#define DMA_CHANNEL(n) (DMA + 0x100u * (n))
#define DMA_SRC 0x00u
#define DMA_DST 0x04u
#define DMA_COUNT 0x10u
#define DMA_CON 0x14u
#define DMA_START 0x18u
#define DMA_INTSTA 0x1Cu
#define DMA_ACKINT 0x20u
#define DMA_RLCT 0x24u
#define DMA_PGMADDR 0x2Cu
#define DMA_FFCNT 0x38u
#define DMA_FIXADDR 0x60u
#define DMA_GLOBAL (DMA + 0x4000u)
#define DMA_GLBSTA0 0x00u
#define DMA_GLBSTA1 0x04u
#define DMA_CH_RST 0x08u
#define DMA_EN_SET 0x24u
#define DMA_EN_CLR 0x28u
#define DMA_CON_WORD 2u
#define DMA_CON_SINC (1u << 2)
#define DMA_CON_DINC (1u << 3)
#define DMA_CON_DREQ (1u << 4)
#define DMA_CON_INT (1u << 15)
#define DMA_CON_FROM_PERIPHERAL (1u << 18)
#define DMA_START_BIT (1u << 15)

/* Mailbox. */
#define MBOX_GEN_CTRL 0x04u
#define MBOX_SW_TX_INT_PORT 0x14u
#define MBOX_SW_RX_INT_EN 0x18u
#define MBOX_SW_RX_INT_STS 0x1Cu
#define MBOX_CMD_POST 0x40u
#define MBOX_DATA_POST 0x44u
#define MBOX_POST_CNT 0x48u
#define MBOX_CMD_POP 0x50u
#define MBOX_DATA_POP 0x54u
#define MBOX_POP_CNT 0x58u
#define MBOX_SEMAPHORE 0x60u
#define MBOX_DEPTH 15u

/* Clock of the core: bits 9:8 of CLOCK + 0C. */
#define CLOCK_SELECT 0x0Cu
#define CLOCK_CRYSTAL (0u << 8)
#define CLOCK_SLOW (1u << 8)
#define CLOCK_PLL (2u << 8)
