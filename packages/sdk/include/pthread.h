/* An app has one thread. Mutexes and their like are there, for code that is shared with other systems; threads are not. */
#pragma once

#define SEVENFOLD_ONE_THREAD "an app has one thread: wait with an EventLoop (applibs/eventloop.h) instead"

#ifdef __cplusplus
/* Refused where a call of it is compiled: the standard library has one that nobody makes. Declared before the C library
 * does, since a later declaration may not say so. */
#define __NEED_pthread_t
#define __NEED_pthread_attr_t
#include <bits/alltypes.h>
extern "C" int pthread_create(pthread_t *__restrict, const pthread_attr_t *__restrict, void *(*)(void *),
                              void *__restrict) __attribute__((error(SEVENFOLD_ONE_THREAD)));
#endif

#include_next <pthread.h>

#ifndef __cplusplus
#undef pthread_create
#define pthread_create(...)                                                                                            \
    ({                                                                                                                 \
        _Static_assert(0, SEVENFOLD_ONE_THREAD);                                                                       \
        0;                                                                                                             \
    })
#endif
