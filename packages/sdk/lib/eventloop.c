#include <applibs/eventloop.h>

#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "host.h"

#define ALLOWED_EVENTS (EventLoop_Input | EventLoop_Output | EventLoop_Error)
#define MS_PER_SECOND 1000
#define NS_PER_MS 1000000

struct EventRegistration {
    EventRegistration *next;
    EventLoop *loop;
    int fd;
    EventLoopIoCallback *callback;
    void *context;
    bool isEnded;
};

struct EventLoop {
    int epollFd;
    EventRegistration *registrations;
    /* Ended by a callback while the loop runs: freed when no callback can hold them any more. */
    EventRegistration *ended;
    bool isRunning;
    bool isStopped;
    bool isClosed;
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * MS_PER_SECOND + now.tv_nsec / NS_PER_MS;
}

static void free_list(EventRegistration *list)
{
    while (list != NULL) {
        EventRegistration *next = list->next;
        free(list);
        list = next;
    }
}

static void free_loop(EventLoop *el)
{
    close(el->epollFd);
    free_list(el->registrations);
    free_list(el->ended);
    free(el);
}

EventLoop *EventLoop_Create(void)
{
    EventLoop *el = calloc(1, sizeof *el);
    if (el == NULL) {
        return NULL;
    }
    el->epollFd = epoll_create1(0);
    if (el->epollFd == -1) {
        free(el);
        return NULL;
    }
    return el;
}

void EventLoop_Close(EventLoop *el)
{
    if (el == NULL) {
        return;
    }
    if (el->isRunning) {
        el->isStopped = true;
        el->isClosed = true;
        return;
    }
    free_loop(el);
}

/* Waits once and calls back at most one registration; what else is ready is still ready the next time.
 * Returns the number of callbacks, or -1. */
static int run_once(EventLoop *el, int timeout)
{
    struct epoll_event event;
    int count = epoll_wait(el->epollFd, &event, 1, timeout);
    if (count <= 0) {
        return count;
    }
    EventRegistration *reg = event.data.ptr;
    reg->callback(el, reg->fd, event.events & ALLOWED_EVENTS, reg->context);
    return 1;
}

EventLoop_Run_Result EventLoop_Run(EventLoop *el, int duration_in_milliseconds, bool process_one_event)
{
    if (el == NULL) {
        errno = EFAULT;
        return EventLoop_Run_Failed;
    }
    if (el->isRunning) {
        errno = EBUSY;
        return EventLoop_Run_Failed;
    }
    el->isRunning = true;
    el->isStopped = false;
    int64_t deadline = now_ms() + (duration_in_milliseconds > 0 ? duration_in_milliseconds : 0);
    int handled = 0;
    int count = 0;
    while (!el->isStopped) {
        int timeout = duration_in_milliseconds;
        if (duration_in_milliseconds > 0) {
            int64_t left = deadline - now_ms();
            if (left <= 0) {
                break;
            }
            timeout = (int)left;
        }
        count = run_once(el, timeout);
        if (count == -1) {
            break;
        }
        handled += count;
        if (process_one_event && count > 0) {
            break;
        }
        if (duration_in_milliseconds == 0 && (count == 0 || process_one_event)) {
            break;
        }
    }
    el->isRunning = false;
    free_list(el->ended);
    el->ended = NULL;
    if (el->isClosed) {
        free_loop(el);
    }
    if (count == -1) {
        return EventLoop_Run_Failed;
    }
    return handled > 0 ? EventLoop_Run_Finished : EventLoop_Run_FinishedEmpty;
}

int EventLoop_GetWaitDescriptor(EventLoop *el)
{
    if (el == NULL) {
        errno = EFAULT;
        return -1;
    }
    return el->epollFd;
}

int EventLoop_Stop(EventLoop *el)
{
    if (el == NULL) {
        errno = EFAULT;
        return -1;
    }
    el->isStopped = true;
    return 0;
}

EventRegistration *EventLoop_RegisterIo(EventLoop *el, int fd, EventLoop_IoEvents eventBitmask,
                                        EventLoopIoCallback *callback, void *context)
{
    if (el == NULL || callback == NULL) {
        errno = EFAULT;
        return NULL;
    }
    if ((eventBitmask & ~(EventLoop_IoEvents)ALLOWED_EVENTS) != 0) {
        errno = EINVAL;
        return NULL;
    }
    EventRegistration *reg = calloc(1, sizeof *reg);
    if (reg == NULL) {
        return NULL;
    }
    struct epoll_event event = {.events = eventBitmask, .data.ptr = reg};
    if (epoll_ctl(el->epollFd, EPOLL_CTL_ADD, fd, &event) == -1) {
        free(reg);
        return NULL;
    }
    reg->loop = el;
    reg->fd = fd;
    reg->callback = callback;
    reg->context = context;
    reg->next = el->registrations;
    el->registrations = reg;
    return reg;
}

int EventLoop_ModifyIoEvents(EventLoop *el, EventRegistration *reg, EventLoop_IoEvents eventBitmask)
{
    if (el == NULL || reg == NULL) {
        errno = EFAULT;
        return -1;
    }
    if (reg->loop != el || reg->isEnded || (eventBitmask & ~(EventLoop_IoEvents)ALLOWED_EVENTS) != 0) {
        errno = EINVAL;
        return -1;
    }
    struct epoll_event event = {.events = eventBitmask, .data.ptr = reg};
    return epoll_ctl(el->epollFd, EPOLL_CTL_MOD, reg->fd, &event);
}

int EventLoop_UnregisterIo(EventLoop *el, EventRegistration *reg)
{
    if (el == NULL) {
        errno = EFAULT;
        return -1;
    }
    if (reg == NULL || reg->isEnded) {
        return 0;
    }
    /* The descriptor may be closed already, which has removed it: no error then. */
    epoll_ctl(el->epollFd, EPOLL_CTL_DEL, reg->fd, NULL);
    for (EventRegistration **link = &el->registrations; *link != NULL; link = &(*link)->next) {
        if (*link == reg) {
            *link = reg->next;
            break;
        }
    }
    reg->isEnded = true;
    if (el->isRunning) {
        reg->next = el->ended;
        el->ended = reg;
    } else {
        free(reg);
    }
    return 0;
}
