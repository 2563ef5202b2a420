/* Says something to the app on a real-time core every second, and hears what it answers: see the folder realtime.
 *
 * Argument: what it says. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <applibs/application.h>
#include <applibs/eventloop.h>
#include <applibs/log.h>
#include <eventloop_timer_utilities.h>

#define PARTNER "{{PARTNER_ID}}"
/* What every device takes. */
#define LONGEST_MESSAGE 1024

typedef enum {
    ExitCode_Success = 0,
    ExitCode_Usage = 1,
    ExitCode_Connect = 2,
    ExitCode_EventLoop = 3,
    ExitCode_Loop = 4
} ExitCode;

static int partnerFd = -1;
static const char *words;

static void Say(EventLoopTimer *timer)
{
    ConsumeEventLoopTimerEvent(timer);
    if (send(partnerFd, words, strlen(words), 0) == -1) {
        /* It comes back, and so does this socket. */
        Log_Debug("not said: %s\n", strerror(errno));
        return;
    }
    Log_Debug("said %s\n", words);
}

static void Hear(EventLoop *loop, int fd, EventLoop_IoEvents events, void *context)
{
    (void)loop;
    (void)events;
    (void)context;
    char message[LONGEST_MESSAGE];
    ssize_t length = recv(fd, message, sizeof message, 0);
    if (length == -1) {
        Log_Debug("the other core is lost: %s\n", strerror(errno));
        return;
    }
    Log_Debug("heard %.*s\n", (int)length, message);
}

int main(int argc, char *argv[])
{
    if (argc != 2 || strlen(argv[1]) > LONGEST_MESSAGE) {
        return ExitCode_Usage;
    }
    words = argv[1];
    partnerFd = Application_Connect(PARTNER);
    if (partnerFd == -1) {
        Log_Debug("cannot connect: %s\n", strerror(errno));
        return ExitCode_Connect;
    }
    EventLoop *loop = EventLoop_Create();
    if (loop == NULL || EventLoop_RegisterIo(loop, partnerFd, EventLoop_Input, Hear, NULL) == NULL ||
        CreateEventLoopPeriodicTimer(loop, Say, &(struct timespec){.tv_sec = 1}) == NULL) {
        return ExitCode_EventLoop;
    }
    while (EventLoop_Run(loop, -1, true) != EventLoop_Run_Failed || errno == EINTR) {
    }
    return ExitCode_Loop;
}
