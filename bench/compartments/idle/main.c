#include <applibs/eventloop.h>
#include <applibs/log.h>

// Says that it runs, then waits for what never comes.
int main(void)
{
    Log_Debug("main\n");
    EventLoop *loop = EventLoop_Create();
    return EventLoop_Run(loop, -1, false) == EventLoop_Run_Failed;
}
