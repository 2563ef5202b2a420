/* Puts the first update off by ten minutes, and lets the next one come (sysevent.h). */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include <applibs/eventloop.h>
#include <applibs/log.h>
#include <applibs/sysevent.h>

#define DEFERRAL_MINUTES 10

typedef enum { ExitCode_Success = 0, ExitCode_EventLoop = 1, ExitCode_Register = 2 } ExitCode;

static volatile sig_atomic_t isTerminated;
static unsigned deferrals;

static void OnTerminate(int signal)
{
    (void)signal;
    isTerminated = 1;
}

static const char *NameOf(SysEvent_Status status)
{
    static const char *const names[] = {"invalid", "pending", "final", "deferred", "complete"};
    return status < sizeof names / sizeof names[0] ? names[status] : "unknown";
}

static void OnEvent(SysEvent_Events event, SysEvent_Status status, const SysEvent_Info *info, void *context)
{
    (void)context;
    if (event != SysEvent_Events_UpdateReadyForInstall) {
        Log_Debug("%s\n", event == SysEvent_Events_UpdateStarted ? "an update is being downloaded" : "no update");
        return;
    }
    SysEvent_Info_UpdateData data;
    if (SysEvent_Info_GetUpdateData(info, &data) == -1) {
        return;
    }
    Log_Debug("%s update %s\n", data.update_type == SysEvent_UpdateType_App ? "app" : "system", NameOf(status));
    if (status == SysEvent_Status_Pending && deferrals == 0) {
        deferrals += 1;
        if (SysEvent_DeferEvent(SysEvent_Events_UpdateReadyForInstall, DEFERRAL_MINUTES) == -1) {
            Log_Debug("not put off: %s\n", strerror(errno));
        }
    }
}

int main(void)
{
    struct sigaction action = {0};
    action.sa_handler = OnTerminate;
    sigaction(SIGTERM, &action, NULL);
    EventLoop *eventLoop = EventLoop_Create();
    if (eventLoop == NULL) {
        return ExitCode_EventLoop;
    }
    if (SysEvent_RegisterForEventNotifications(eventLoop, SysEvent_Events_Mask, OnEvent, NULL) == NULL) {
        Log_Debug("registration: %s\n", strerror(errno));
        return ExitCode_Register;
    }
    Log_Debug("waiting for updates\n");
    while (!isTerminated) {
        if (EventLoop_Run(eventLoop, -1, true) == EventLoop_Run_Failed && errno != EINTR) {
            return ExitCode_EventLoop;
        }
    }
    Log_Debug("told to end\n");
    return ExitCode_Success;
}
