/* What becomes of updates: told to apps that register, and put off by those that may. */
#pragma once

#include <stdint.h>

#include <applibs/eventloop.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A mask; a callback gets exactly one of them. */
typedef uint32_t SysEvent_Events;
enum {
    SysEvent_Events_None = 0,
    /* An update was downloaded and is about to be installed. */
    SysEvent_Events_UpdateReadyForInstall = 1,
    /* A download began. */
    SysEvent_Events_UpdateStarted = 2,
    SysEvent_Events_NoUpdateAvailable = 4,
    SysEvent_Events_Mask = 7
};

typedef uint32_t SysEvent_Status;
enum {
    SysEvent_Status_Invalid = 0,
    /* It comes soon, and may be put off now. */
    SysEvent_Status_Pending = 1,
    /* It comes at once. */
    SysEvent_Status_Final = 2,
    SysEvent_Status_Deferred = 3,
    SysEvent_Status_Complete = 4
};

typedef uint32_t SysEvent_UpdateType;
enum { SysEvent_UpdateType_Invalid = 0, SysEvent_UpdateType_App = 1, SysEvent_UpdateType_System = 2 };

typedef struct {
    /* For how long the update may be put off; defined while the status is Pending. */
    unsigned int max_deferral_time_in_minutes;
    SysEvent_UpdateType update_type;
} SysEvent_Info_UpdateData;

/* What came with an event: good until the callback returns. */
typedef struct SysEvent_Info SysEvent_Info;

typedef void (*SysEvent_EventsCallback)(SysEvent_Events event, SysEvent_Status state, const SysEvent_Info *info,
                                        void *context);

/* Registers for the events of a mask: one registration at a time. NULL with errno EACCES (the manifest does not name
 * SystemEventNotifications), EFAULT, or EINVAL (mask, or there is a registration already). */
EventRegistration *SysEvent_RegisterForEventNotifications(EventLoop *el, SysEvent_Events eventCallbackBitmask,
                                                          SysEvent_EventsCallback callback, void *context);

/* Ends the registration. -1 with errno EFAULT. */
int SysEvent_UnregisterForEventNotifications(EventRegistration *reg);

/* Only for UpdateReadyForInstall. -1 with errno EFAULT or EINVAL. */
int SysEvent_Info_GetUpdateData(const SysEvent_Info *info, SysEvent_Info_UpdateData *update_info);

/* Puts a pending update off; longer than allowed is cut. -1 with errno EACCES (the manifest does not name
 * SoftwareUpdateDeferral) or EINVAL (nothing is pending). */
int SysEvent_DeferEvent(SysEvent_Events event, uint32_t requested_defer_time_in_minutes);

/* Ends a deferral early. -1 with errno EACCES or EINVAL. */
int SysEvent_ResumeEvent(SysEvent_Events event);

#ifdef __cplusplus
}
#endif
