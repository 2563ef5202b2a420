#include <signal.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include "host.h"
#include "signals.h"

#define BIT(number) ((sigset_t)1 << (number))
/* The exit code of an app that a signal ended, as a shell has it. */
#define EXIT_BY_SIGNAL 128
#define NS_PER_SECOND INT64_C(1000000000)
#define LONGEST_NAP_NS (50 * INT64_C(1000000))

static struct sigaction actions[NSIG];
static sigset_t blocked;
static sigset_t pending;

static bool is_signal(int number)
{
    return number > 0 && number < NSIG;
}

static bool is_ignored_by_default(int number)
{
    return number == SIGCHLD || number == SIGCONT;
}

static void handle(int number)
{
    struct sigaction action = actions[number];
    if (action.sa_handler == SIG_IGN || (action.sa_handler == SIG_DFL && is_ignored_by_default(number))) {
        return;
    }
    if (action.sa_handler == SIG_DFL) {
        _Exit(EXIT_BY_SIGNAL + number);
    }
    if ((action.sa_flags & (int)SA_RESETHAND) != 0) {
        actions[number].sa_handler = SIG_DFL;
    }
    sigset_t before = blocked;
    blocked |= action.sa_mask | ((action.sa_flags & SA_NODEFER) != 0 ? 0 : BIT(number));
    if ((action.sa_flags & SA_SIGINFO) != 0) {
        siginfo_t info = {.si_signo = number, .si_code = SI_USER};
        action.sa_sigaction(number, &info, NULL);
    } else {
        action.sa_handler(number);
    }
    blocked = before;
}

static void handle_pending(void)
{
    for (int number = 1; number < NSIG; number++) {
        if ((pending & ~blocked & BIT(number)) != 0) {
            pending &= ~BIT(number);
            handle(number);
        }
    }
}

/* Fetches what the OS has for this app. */
static void fetch(void)
{
    int number = 0;
    while (host_signal_next(&number) == 0 && is_signal(number)) {
        pending |= BIT(number);
    }
}

void sevenfold_deliver_signals(void)
{
    int error = errno;
    fetch();
    handle_pending();
    errno = error;
}

static int watch(void)
{
    /* Only what an app handles, or waits for, keeps the OS from ending it at once. */
    sigset_t mask = 0;
    for (int number = 1; number < NSIG; number++) {
        if (actions[number].sa_handler != SIG_DFL || (blocked & BIT(number)) != 0) {
            mask |= BIT(number);
        }
    }
    return host_result(host_signal_watch(mask), 0);
}

int sigaction(int signum, const struct sigaction *act, struct sigaction *oldact)
{
    if (!is_signal(signum) || (act != NULL && (signum == SIGKILL || signum == SIGSTOP))) {
        errno = EINVAL;
        return -1;
    }
    if (oldact != NULL) {
        *oldact = actions[signum];
    }
    if (act == NULL) {
        return 0;
    }
    actions[signum] = *act;
    return watch();
}

sighandler_t signal(int signum, sighandler_t handler)
{
    struct sigaction action = {.sa_flags = SA_RESTART};
    struct sigaction before;
    action.sa_handler = handler;
    return sigaction(signum, &action, &before) == -1 ? SIG_ERR : before.sa_handler;
}

int raise(int sig)
{
    if (!is_signal(sig)) {
        errno = EINVAL;
        return -1;
    }
    pending |= BIT(sig);
    handle_pending();
    return 0;
}

int sigemptyset(sigset_t *set)
{
    *set = 0;
    return 0;
}

int sigfillset(sigset_t *set)
{
    *set = BIT(NSIG) - 2;
    return 0;
}

static int change(sigset_t *set, int signum, bool isMember)
{
    if (!is_signal(signum)) {
        errno = EINVAL;
        return -1;
    }
    *set = isMember ? *set | BIT(signum) : *set & ~BIT(signum);
    return 0;
}

int sigaddset(sigset_t *set, int signum)
{
    return change(set, signum, true);
}

int sigdelset(sigset_t *set, int signum)
{
    return change(set, signum, false);
}

int sigismember(const sigset_t *set, int signum)
{
    if (!is_signal(signum)) {
        errno = EINVAL;
        return -1;
    }
    return (*set & BIT(signum)) != 0;
}

int sigprocmask(int how, const sigset_t *set, sigset_t *oldset)
{
    if (oldset != NULL) {
        *oldset = blocked;
    }
    if (set == NULL) {
        return 0;
    }
    switch (how) {
    case SIG_BLOCK:
        blocked |= *set;
        break;
    case SIG_UNBLOCK:
        blocked &= ~*set;
        break;
    case SIG_SETMASK:
        blocked = *set;
        break;
    default:
        errno = EINVAL;
        return -1;
    }
    blocked &= ~(BIT(SIGKILL) | BIT(SIGSTOP));
    if (watch() == -1) {
        return -1;
    }
    fetch();
    handle_pending();
    return 0;
}

int sigpending(sigset_t *set)
{
    fetch();
    *set = pending & blocked;
    return 0;
}

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

int sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout)
{
    int64_t deadline =
        timeout == NULL ? INT64_MAX : now_ns() + (int64_t)timeout->tv_sec * NS_PER_SECOND + timeout->tv_nsec;
    for (;;) {
        fetch();
        for (int number = 1; number < NSIG; number++) {
            if ((pending & *set & BIT(number)) != 0) {
                pending &= ~BIT(number);
                if (info != NULL) {
                    *info = (siginfo_t){.si_signo = number, .si_code = SI_USER};
                }
                return number;
            }
        }
        int64_t left = deadline - now_ns();
        if (left <= 0) {
            errno = EAGAIN;
            return -1;
        }
        if ((pending & ~blocked) != 0) {
            handle_pending();
            errno = EINTR;
            return -1;
        }
        struct timespec nap = {.tv_nsec = (long)(left < LONGEST_NAP_NS ? left : LONGEST_NAP_NS)};
        nanosleep(&nap, NULL);
    }
}

int sigwaitinfo(const sigset_t *set, siginfo_t *info)
{
    return sigtimedwait(set, info, NULL);
}

int sigwait(const sigset_t *set, int *sig)
{
    int number = -1;
    do {
        number = sigtimedwait(set, NULL, NULL);
    } while (number == -1 && errno == EINTR);
    if (number == -1) {
        return errno;
    }
    *sig = number;
    return 0;
}
