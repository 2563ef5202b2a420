#!/bin/sh
# Builds echo.elf anew, with gcc-arm-none-eabi of Debian 12: run in this folder.
arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16 -O1 -g -Wall -Wextra -ffreestanding \
  -fomit-frame-pointer -nostdlib -fdebug-prefix-map="$PWD"=. -Wl,-T,echo.ld -o "${1:-echo.elf}" echo.c
