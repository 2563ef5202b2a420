#include <applibs/sysevent.h>

#include <stdlib.h>
#include <unistd.h>

#include "host.h"

struct SysEvent_Info {
    SysEvent_Events event;
    SysEvent_Status status;
    SysEvent_UpdateType updateType;
    uint32_t minutes;
};

/* One registration a process, as the OS allows. */
static struct {
    EventLoop *loop;
    EventRegistration *registration;
    int fd;
    SysEvent_EventsCallback callback;
    void *context;
} current = {.fd = -1};

static void on_event(EventLoop *el, int fd, EventLoop_IoEvents events, void *context)
{
    (void)el;
    (void)events;
    (void)context;
    SysEvent_Info info;
    if (read(fd, &info, sizeof info) == (ssize_t)sizeof info) {
        current.callback(info.event, info.status, &info, current.context);
    }
}

EventRegistration *SysEvent_RegisterForEventNotifications(EventLoop *el, SysEvent_Events eventCallbackBitmask,
                                                          SysEvent_EventsCallback callback, void *context)
{
    if (el == NULL || callback == NULL) {
        errno = EFAULT;
        return NULL;
    }
    int fd = -1;
    if (host_result(host_system_event_open(eventCallbackBitmask, &fd), 0) == -1) {
        return NULL;
    }
    EventRegistration *registration = EventLoop_RegisterIo(el, fd, EventLoop_Input, on_event, NULL);
    if (registration == NULL) {
        int error = errno;
        close(fd);
        errno = error;
        return NULL;
    }
    current.loop = el;
    current.registration = registration;
    current.fd = fd;
    current.callback = callback;
    current.context = context;
    return registration;
}

int SysEvent_UnregisterForEventNotifications(EventRegistration *reg)
{
    if (reg == NULL || reg != current.registration) {
        errno = EFAULT;
        return -1;
    }
    EventLoop_UnregisterIo(current.loop, reg);
    close(current.fd);
    current.registration = NULL;
    current.fd = -1;
    return 0;
}

int SysEvent_Info_GetUpdateData(const SysEvent_Info *info, SysEvent_Info_UpdateData *update_info)
{
    if (info == NULL || update_info == NULL) {
        errno = EFAULT;
        return -1;
    }
    if (info->event != SysEvent_Events_UpdateReadyForInstall) {
        errno = EINVAL;
        return -1;
    }
    update_info->max_deferral_time_in_minutes = info->minutes;
    update_info->update_type = info->updateType;
    return 0;
}

int SysEvent_DeferEvent(SysEvent_Events event, uint32_t requested_defer_time_in_minutes)
{
    return host_result(host_system_event_defer(event, requested_defer_time_in_minutes), 0);
}

int SysEvent_ResumeEvent(SysEvent_Events event)
{
    return host_result(host_system_event_resume(event), 0);
}
