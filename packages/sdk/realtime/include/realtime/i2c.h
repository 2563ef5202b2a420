/* I2C master of an ISU. */
#pragma once

#include "core.h"

enum i2c_result { I2C_OK = 0, I2C_NO_ANSWER = 1, I2C_BUSY = 2, I2C_ARBITRATION_LOST = 3, I2C_INVALID = 4 };

/* `hertz` is 100000, 400000 or 1000000. */
void i2c_open(unsigned isu, uint32_t hertz);
/* A write of `out_count` bytes, then, with a repeated start, a read of `in_count`; either may be 0, not both. */
enum i2c_result i2c_transfer(unsigned isu, uint8_t address, const void *out, size_t out_count, void *in,
                             size_t in_count);
