#include <applibs/gpio.h>
#include <applibs/log.h>
#include <applibs/storage.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

// What most apps do of all that they may: memory, text, time, files, descriptors, and being refused.

static int failures;

static void Check(bool holds, const char *what)
{
    if (holds)
        return;
    failures++;
    Log_Debug("failed: %s\n", what);
}

static void CheckStorage(void)
{
    int fd = Storage_OpenMutableFile();
    Check(fd >= 0, "the mutable file opens");
    char text[16] = {0};
    ssize_t length = read(fd, text, sizeof text - 1);
    int runs = length > 0 ? atoi(text) : 0;
    snprintf(text, sizeof text, "%d", runs + 1);
    Check(pwrite(fd, text, strlen(text), 0) == (ssize_t)strlen(text), "it is written");
    Check(lseek(fd, 9000, SEEK_SET) == 9000 && write(fd, "x", 1) == -1 && errno == EDQUOT, "it has a quota");
    close(fd);
    Log_Debug("run %d\n", runs + 1);
}

static void CheckTimers(void)
{
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    int epoll = epoll_create1(0);
    struct itimerspec once = {.it_value = {.tv_nsec = 50 * 1000 * 1000}};
    struct epoll_event event = {.events = EPOLLIN, .data = {.u32 = 7}};
    uint64_t count = 0;
    Check(timerfd_settime(timer, 0, &once, NULL) == 0, "a timer is set");
    Check(read(timer, &count, sizeof count) == -1 && errno == EAGAIN, "it has not expired");
    Check(epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event) == 0, "it is waited for");
    memset(&event, 0, sizeof event);
    Check(epoll_wait(epoll, &event, 1, 1000) == 1 && event.data.u32 == 7, "it expires");
    Check(read(timer, &count, sizeof count) == sizeof count && count == 1, "once");
    close(timer);
    close(epoll);
}

int main(void)
{
    char *memory = malloc(50000);
    Check(memory != NULL, "there is memory");
    memset(memory, 'a', 49999);
    memory[49999] = '\0';
    Check(strlen(memory) == 49999, "all of it");
    free(memory);
    struct timespec before, after, pause = {.tv_nsec = 20 * 1000 * 1000};
    clock_gettime(CLOCK_MONOTONIC, &before);
    Check(nanosleep(&pause, NULL) == 0, "it sleeps");
    clock_gettime(CLOCK_MONOTONIC, &after);
    Check((after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec - before.tv_nsec >= 20000000, "long enough");
    Check(time(NULL) > 1700000000, "it knows the time");
    Check(GPIO_OpenAsInput(3) == -1 && errno == EACCES, "a pin of nobody is refused");
    int manifest = Storage_OpenFileInImagePackage("app_manifest.json");
    char head[2];
    Check(manifest >= 0 && read(manifest, head, 1) == 1 && head[0] == '{', "the image is read");
    CheckTimers();
    CheckStorage();
    Log_Debug("%d failures\n", failures);
    return failures;
}
