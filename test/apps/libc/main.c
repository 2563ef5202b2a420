/* What libc and Applibs promise, checked from the inside; each line of the log is `ok …` or `not ok …`. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <applibs/application.h>
#include <applibs/eventloop.h>
#include <applibs/gpio.h>
#include <applibs/log.h>
#include <applibs/storage.h>
#include <eventloop_timer_utilities.h>

static int failures;

static void Check(int isTrue, const char *what)
{
    Log_Debug("%s %s\n", isTrue ? "ok" : "not ok", what);
    failures += isTrue ? 0 : 1;
}

static int64_t NowMs(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void CheckArguments(int argc, char *argv[])
{
    Check(argc == 3 && strcmp(argv[0], "/bin/app") == 0 && strcmp(argv[1], "first") == 0 &&
              strcmp(argv[2], "zweites ß") == 0,
          "arguments");
    Check(getenv("PATH") == NULL, "no environment");
}

static void CheckFiles(void)
{
    char text[64];
    FILE *file = fopen("/data/text.txt", "r");
    Check(file != NULL && fgets(text, sizeof text, file) != NULL && strcmp(text, "Hello from the image\n") == 0,
          "stdio reads a file of the image");
    Check(fseek(file, -5, SEEK_END) == 0 && fgets(text, sizeof text, file) != NULL && strcmp(text, "line\n") == 0,
          "stdio seeks");
    fclose(file);
    int fd = Storage_OpenFileInImagePackage("data/text.txt");
    struct stat facts;
    Check(fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_size == 33, "stat tells type and size");
    Check(pread(fd, text, 5, 6) == 5 && memcmp(text, "from ", 5) == 0, "pread");
    Check(write(fd, "x", 1) == -1 && errno == EBADF, "an image file cannot be written");
    close(fd);
    Check(read(fd, text, 1) == -1 && errno == EBADF, "a closed descriptor is gone");
    Check(Storage_OpenFileInImagePackage("../x") == -1 && errno == EINVAL, "Storage refuses ..");
    Check(Storage_OpenFileInImagePackage("/data") == -1 && errno == EINVAL, "Storage refuses absolute paths");
    Check(Storage_OpenFileInImagePackage(NULL) == -1 && errno == EFAULT, "Storage refuses NULL");
    Check(Storage_OpenFileInImagePackage("none") == -1 && errno == ENOENT, "Storage finds nothing");
    Check(open("/data/text.txt", O_RDWR) == -1 && errno == EROFS, "no image file opens for writing");
    Check(mkdir("/new", 0777) == -1 && unlink("/data/text.txt") == -1, "the image cannot be changed");
    DIR *directory = opendir("/");
    int entries = 0;
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        entries += strcmp(entry->d_name, "data") == 0 || strcmp(entry->d_name, "bin") == 0 ||
                   strcmp(entry->d_name, "app_manifest.json") == 0;
    }
    closedir(directory);
    Check(entries == 3, "readdir lists the image");
    struct pollfd ready = {.fd = STDOUT_FILENO, .events = POLLOUT};
    Check(poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT) != 0, "stdout is ready for writing");
}

static void CheckStorage(void)
{
    char text[16] = {0};
    int fd = Storage_OpenMutableFile();
    Check(fd >= 0, "the mutable file opens");
    Check(Storage_DeleteMutableFile() == -1 && errno == EBUSY, "an open mutable file is not deleted");
    Check(write(fd, "remember", 8) == 8 && lseek(fd, 2, SEEK_SET) == 2 && read(fd, text, 6) == 6 &&
              memcmp(text, "member", 6) == 0,
          "what is written can be read");
    Check(lseek(fd, 4095, SEEK_SET) == 4095 && write(fd, "xy", 2) == -1 && errno == EDQUOT, "the quota holds");
    Check(ftruncate(fd, 4) == 0 && lseek(fd, 0, SEEK_END) == 4, "ftruncate");
    close(fd);
}

static void CheckClocks(void)
{
    int64_t before = NowMs(CLOCK_MONOTONIC);
    struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
    Check(nanosleep(&pause, NULL) == 0 && NowMs(CLOCK_MONOTONIC) - before == 50, "nanosleep takes its time");
    time_t now = time(NULL);
    struct tm date;
    Check(gmtime_r(&now, &date) != NULL && date.tm_year == 127, "the wall clock");
    uint8_t first[16], second[16];
    Check(getentropy(first, sizeof first) == 0 && getentropy(second, sizeof second) == 0 &&
              memcmp(first, second, sizeof first) != 0,
          "entropy differs");
}

static void CheckTimers(void)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct itimerspec times = {.it_value = {.tv_nsec = 10000000}, .it_interval = {.tv_nsec = 10000000}};
    uint64_t count = 0;
    Check(read(fd, &count, sizeof count) == -1 && errno == EAGAIN, "a disarmed timer says EAGAIN");
    Check(timerfd_settime(fd, 0, &times, NULL) == 0, "timerfd_settime");
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    Check(poll(&wait, 1, 5) == 0, "poll times out");
    Check(poll(&wait, 1, 100) == 1, "poll wakes for a timer");
    usleep(25000);
    Check(read(fd, &count, sizeof count) == sizeof count && count == 3, "expirations are counted");
    struct itimerspec left;
    Check(timerfd_gettime(fd, &left) == 0 && left.it_interval.tv_nsec == 10000000 && left.it_value.tv_nsec == 5000000,
          "timerfd_gettime");
    times.it_value.tv_nsec = -1;
    Check(timerfd_settime(fd, 0, &times, NULL) == -1 && errno == EINVAL, "a negative time is EINVAL");
    struct itimerspec absolute = {.it_value = {.tv_sec = time(NULL) + 2}};
    int wall = timerfd_create(CLOCK_REALTIME, 0);
    int64_t before = NowMs(CLOCK_REALTIME);
    Check(timerfd_settime(wall, TFD_TIMER_ABSTIME, &absolute, NULL) == 0 &&
              read(wall, &count, sizeof count) == sizeof count && NowMs(CLOCK_REALTIME) >= before + 1000,
          "a blocking read waits for a time of the wall clock");
    close(wall);
    int outer = epoll_create1(0), inner = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = UINT64_C(0x123456789abcdef0)};
    struct epoll_event got;
    Check(epoll_ctl(inner, EPOLL_CTL_ADD, fd, &event) == 0 && epoll_ctl(outer, EPOLL_CTL_ADD, inner, &event) == 0,
          "an epoll watches an epoll");
    Check(epoll_wait(outer, &got, 1, 100) == 1 && got.data.u64 == event.data.u64, "and wakes for what is in it");
    close(fd);
    Check(epoll_wait(outer, &got, 1, 20) == 0, "a closed descriptor is not waited for");
    close(inner);
    close(outer);
}

static unsigned fast, slow;

static void Fast(EventLoopTimer *timer)
{
    ConsumeEventLoopTimerEvent(timer);
    fast += 1;
}

static void Slow(EventLoopTimer *timer)
{
    ConsumeEventLoopTimerEvent(timer);
    slow += 1;
    DisposeEventLoopTimer(timer);
}

static void Always(EventLoop *loop, int fd, EventLoop_IoEvents events, void *context)
{
    (void)fd;
    (void)events;
    unsigned *calls = context;
    *calls += 1;
    if (*calls == 1000) {
        EventLoop_Stop(loop);
    }
}

static void CheckEventLoop(void)
{
    EventLoop *loop = EventLoop_Create();
    struct timespec ten = {.tv_nsec = 10000000}, fifty = {.tv_nsec = 50000000};
    EventLoopTimer *timer = CreateEventLoopPeriodicTimer(loop, Fast, &ten);
    EventLoopTimer *once = CreateEventLoopDisarmedTimer(loop, Slow);
    Check(SetEventLoopTimerOneShot(once, &fifty) == 0, "a one-shot timer");
    Check(EventLoop_Run(loop, 0, false) == EventLoop_Run_FinishedEmpty, "nothing is ready yet");
    Check(EventLoop_Run(loop, 105, false) == EventLoop_Run_Finished && fast == 10 && slow == 1, "timers fire in their time");
    Check(EventLoop_Run(loop, -1, true) == EventLoop_Run_Finished && fast == 11, "one event at a time");
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec soon = {.it_value = {.tv_nsec = 1}};
    timerfd_settime(fd, 0, &soon, NULL);
    unsigned calls = 0;
    EventRegistration *always = EventLoop_RegisterIo(loop, fd, EventLoop_Input, Always, &calls);
    Check(EventLoop_RegisterIo(loop, fd, EventLoop_Input, Always, &calls) == NULL && errno == EEXIST, "registered once");
    Check(EventLoop_RegisterIo(loop, 60, EventLoop_Input, Always, &calls) == NULL && errno == EBADF, "EBADF");
    Check(EventLoop_Run(loop, -1, false) == EventLoop_Run_Finished && calls == 1000, "EventLoop_Stop stops");
    Check(EventLoop_UnregisterIo(loop, always) == 0, "EventLoop_UnregisterIo");
    close(fd);
    DisposeEventLoopTimer(timer);
    EventLoop_Close(loop);
}

static void CheckPins(void)
{
    GPIO_Value_Type value = GPIO_Value_High;
    int fd = GPIO_OpenAsInput(12);
    Check(fd >= 0 && GPIO_GetValue(fd, &value) == 0 && value == GPIO_Value_Low, "an input is read");
    Check(GPIO_GetValue(fd, NULL) == -1 && errno == EFAULT, "NULL is EFAULT");
    Check(GPIO_OpenAsInput(12) == -1 && errno == EBUSY, "EBUSY");
    Check(GPIO_OpenAsInput(13) == -1 && errno == EACCES, "EACCES");
    close(fd);
    bool ready = true;
    Check(Application_IsDeviceAuthReady(&ready) == 0 && !ready, "no device authentication");
}

static void CheckMemory(void)
{
    size_t got = 0;
    void *last = NULL;
    for (void *part = malloc(4096); part != NULL; part = malloc(4096)) {
        last = part;
        got += 4096;
    }
    Check(got > 128 * 1024 && got < 256 * 1024, "memory ends at the quota");
    Check(last != NULL && errno == ENOMEM, "with ENOMEM");
}

int main(int argc, char *argv[])
{
    CheckArguments(argc, argv);
    CheckFiles();
    CheckStorage();
    CheckClocks();
    CheckTimers();
    CheckEventLoop();
    CheckPins();
    CheckMemory();
    printf("%d failures", failures);
    return failures > 255 ? 255 : failures;
}
