# How CMake builds a program for a real-time core: arm-none-eabi-gcc, the core's flags, the project's own linker script,
# and the commands that projects for the original call. `app build` names this file; ARM_GNU_PATH is the compiler's
# folder where it is not on the path.

set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
# There is no program that would run where it is built.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES ARM_GNU_PATH SEVENFOLD_FLAGS SEVENFOLD_MAP)

set(SEVENFOLD_GNU arm-none-eabi-)
if(ARM_GNU_PATH)
  set(SEVENFOLD_GNU ${ARM_GNU_PATH}/arm-none-eabi-)
endif()
set(CMAKE_C_COMPILER ${SEVENFOLD_GNU}gcc)
set(CMAKE_CXX_COMPILER ${SEVENFOLD_GNU}g++)
set(CMAKE_ASM_COMPILER ${SEVENFOLD_GNU}gcc)

set(SEVENFOLD_CORE "-mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16")
set(CMAKE_C_FLAGS_INIT "${SEVENFOLD_CORE} -ffunction-sections -fdata-sections -fdiagnostics-plain-output ${SEVENFOLD_FLAGS}")
set(CMAKE_CXX_FLAGS_INIT "${CMAKE_C_FLAGS_INIT} -fno-exceptions -fno-rtti -fno-threadsafe-statics")
set(CMAKE_ASM_FLAGS_INIT "${SEVENFOLD_CORE}")
set(CMAKE_C_FLAGS_RELEASE_INIT "-O2 -g")
set(CMAKE_CXX_FLAGS_RELEASE_INIT "-O2 -g")
set(CMAKE_EXE_LINKER_FLAGS_INIT
    "${SEVENFOLD_CORE} -nostartfiles -Wl,--no-undefined -Wl,--gc-sections -Wl,-z,max-page-size=32 -Wl,--build-id=none -Wl,--no-warn-rwx-segments -Wl,-n -Wl,-Map=${SEVENFOLD_MAP} -T \"${CMAKE_SOURCE_DIR}/linker.ld\"")

# Compiler and flags are this file's; which of the original's they ask for does not matter.
function(azsphere_configure_tools)
endfunction()

function(azsphere_configure_api)
endfunction()

# Names of pins are `app build`'s business: hardware.json, or --hardware.
function(azsphere_target_hardware_definition target)
endfunction()

# What is packed is this program; where it is, the builder reads in a file of that name.
function(azsphere_target_add_image_package target)
  file(GENERATE OUTPUT "${CMAKE_BINARY_DIR}/sevenfold-program" CONTENT "$<TARGET_FILE:${target}>")
endfunction()
