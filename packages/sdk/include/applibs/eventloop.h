/* One loop that waits for file descriptors and calls back; belongs to one thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct EventLoop EventLoop;
typedef struct EventRegistration EventRegistration;

typedef enum {
    EventLoop_Run_Failed = -1,
    EventLoop_Run_FinishedEmpty = 0,
    EventLoop_Run_Finished = 1
} EventLoop_Run_Result;

/* A mask; the values are epoll's. Error is reported whether asked for or not. */
typedef uint32_t EventLoop_IoEvents;
enum {
    EventLoop_None = 0x00,
    EventLoop_Input = 0x01,
    EventLoop_Output = 0x04,
    EventLoop_Error = 0x08
};

typedef void EventLoopIoCallback(EventLoop *el, int fd, EventLoop_IoEvents events, void *context);

/* A new loop, or NULL with errno. */
EventLoop *EventLoop_Create(void);

/* Ends a loop and its registrations; the file descriptors stay open. */
void EventLoop_Close(EventLoop *el);

/* Waits and calls back: 0 handles what is ready, a positive number waits that long, a negative one
 * until EventLoop_Stop. With process_one_event it returns after one event.
 * Failed comes with errno EFAULT, EBUSY (called from a callback) or EINTR. */
EventLoop_Run_Result EventLoop_Run(EventLoop *el, int duration_in_milliseconds, bool process_one_event);

/* A file descriptor that is readable while the loop has work, for nesting; -1 with errno EFAULT. */
int EventLoop_GetWaitDescriptor(EventLoop *el);

/* Makes the running EventLoop_Run return after the present callback. -1 with errno EFAULT. */
int EventLoop_Stop(EventLoop *el);

/* Registers a callback: one a file descriptor and loop. NULL with errno EFAULT, EINVAL, EBADF or EEXIST. */
EventRegistration *EventLoop_RegisterIo(EventLoop *el, int fd, EventLoop_IoEvents eventBitmask,
                                        EventLoopIoCallback *callback, void *context);

/* Changes what is waited for. -1 with errno EFAULT or EINVAL. */
int EventLoop_ModifyIoEvents(EventLoop *el, EventRegistration *reg, EventLoop_IoEvents eventBitmask);

/* Ends a registration; NULL is none. May be called from its own callback. -1 with errno EFAULT. */
int EventLoop_UnregisterIo(EventLoop *el, EventRegistration *reg);

#ifdef __cplusplus
}
#endif
