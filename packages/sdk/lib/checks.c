// What the compiler's checks call when one fails (-fsanitize-minimal-runtime). The report of the app's end says what
// was wrong, and begins with the frame that called here.
#include "host.h"

#define FAILS(name, kind) \
    __attribute__((noinline, noreturn)) void __ubsan_handle_##name(void) { host_check_failed(kind); }

FAILS(type_mismatch_minimal_abort, 0)
FAILS(out_of_bounds_minimal_abort, 1)
FAILS(missing_return_minimal, 2)
FAILS(builtin_unreachable_minimal, 3)
FAILS(vla_bound_not_positive_minimal_abort, 4)
