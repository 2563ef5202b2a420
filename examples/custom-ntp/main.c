/* Takes the time from the servers of its arguments, and tells who gave it (networking.h, getopt_long):
 * --server NAME, once or twice; --fallback: the built-in server where none of them answers. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include <applibs/eventloop.h>
#include <applibs/log.h>
#include <applibs/networking.h>
#include <eventloop_timer_utilities.h>

#define MOST_SERVERS 2
#define LONGEST_NAME 256

typedef enum { ExitCode_Success = 0, ExitCode_Usage = 1, ExitCode_TimeSync = 2, ExitCode_EventLoop = 3 } ExitCode;

static volatile sig_atomic_t isTerminated;
static ExitCode exitCode;

static void OnTerminate(int signal)
{
    (void)signal;
    isTerminated = 1;
}

static void TellTime(const char *what, const struct tm *time)
{
    char text[32];
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", time);
    Log_Debug("%s %s\n", what, text);
}

/* Once a second: whether the time has been synchronised since. */
static void OnTimer(EventLoopTimer *timer)
{
    char server[LONGEST_NAME];
    size_t length = sizeof server;
    struct tm before, adjusted;
    if (ConsumeEventLoopTimerEvent(timer) == -1) {
        exitCode = ExitCode_EventLoop;
        isTerminated = 1;
        return;
    }
    if (Networking_TimeSync_GetLastNtpSyncInfo(server, &length, &before, &adjusted) == -1) {
        /* ENOENT: nobody has answered yet. */
        Log_Debug("not synchronised: %s\n", strerror(errno));
        return;
    }
    Log_Debug("server %s\n", server);
    TellTime("before", &before);
    TellTime("adjusted", &adjusted);
    DisarmEventLoopTimer(timer);
}

static int Configure(int argc, char *argv[])
{
    static const struct option options[] = {
        {"server", required_argument, NULL, 's'}, {"fallback", no_argument, NULL, 'f'}, {NULL, 0, NULL, 0}};
    const char *servers[MOST_SERVERS] = {NULL, NULL};
    int count = 0;
    Networking_NtpOption fallback = Networking_NtpOption_FallbackServerDisabled;
    for (int option = getopt_long(argc, argv, "s:f", options, NULL); option != -1;
         option = getopt_long(argc, argv, "s:f", options, NULL)) {
        if (option == 's' && count < MOST_SERVERS) {
            servers[count++] = optarg;
        } else if (option == 'f') {
            fallback = Networking_NtpOption_FallbackServerEnabled;
        } else {
            return -1;
        }
    }
    if (count == 0) {
        return -1;
    }
    if (Networking_TimeSync_EnableCustomNtp(servers[0], servers[1], fallback) == -1) {
        Log_Debug("time servers: %s\n", strerror(errno));
        return -1;
    }
    return 0;
}

int main(int argc, char *argv[])
{
    struct sigaction action = {.sa_handler = OnTerminate};
    struct timespec second = {.tv_sec = 1};
    sigaction(SIGTERM, &action, NULL);
    bool isEnabled = false;
    if (Networking_TimeSync_GetEnabled(&isEnabled) == -1 || !isEnabled) {
        return ExitCode_TimeSync;
    }
    if (Configure(argc, argv) == -1) {
        return ExitCode_Usage;
    }
    EventLoop *eventLoop = EventLoop_Create();
    EventLoopTimer *timer = CreateEventLoopPeriodicTimer(eventLoop, OnTimer, &second);
    if (eventLoop == NULL || timer == NULL) {
        return ExitCode_EventLoop;
    }
    while (!isTerminated) {
        if (EventLoop_Run(eventLoop, -1, true) == EventLoop_Run_Failed && errno != EINTR) {
            return ExitCode_EventLoop;
        }
    }
    DisposeEventLoopTimer(timer);
    EventLoop_Close(eventLoop);
    return exitCode;
}
