/* An app has one thread. Mutexes and their like are there, for code that is shared with other systems; threads are not. */
#pragma once

#include_next <pthread.h>

#undef pthread_create
#define pthread_create(...)                                                                                            \
    ({                                                                                                                 \
        _Static_assert(0, "an app has one thread: wait with an EventLoop (applibs/eventloop.h) instead");              \
        0;                                                                                                             \
    })
