/* Signals, as far as an app gets any: SIGTERM before the OS ends it, and what it raises itself. Handlers run in the
 * app's own thread, when a call that waits (or any call of this header) finds that a signal came; that call fails with
 * EINTR. */
#pragma once

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#include <__typedef_sigset_t.h>
#define sigset_t __sevenfold_sigset_t
/* Bit n stands for signal n. */
typedef uint64_t __sevenfold_sigset_t;
typedef int sig_atomic_t;

#define SIGHUP 1
#define SIGINT 2
#define SIGQUIT 3
#define SIGILL 4
#define SIGTRAP 5
#define SIGABRT 6
#define SIGBUS 7
#define SIGFPE 8
#define SIGKILL 9
#define SIGUSR1 10
#define SIGSEGV 11
#define SIGUSR2 12
#define SIGPIPE 13
#define SIGALRM 14
#define SIGTERM 15
#define SIGCHLD 17
#define SIGCONT 18
#define SIGSTOP 19
#define SIGTSTP 20
#define NSIG 32
#define _NSIG NSIG

typedef union sigval {
    int sival_int;
    void *sival_ptr;
} sigval_t;

typedef struct {
    int si_signo;
    int si_errno;
    int si_code;
    pid_t si_pid;
    uid_t si_uid;
    union sigval si_value;
} siginfo_t;

typedef void (*sighandler_t)(int);
#define SIG_DFL ((sighandler_t)0)
/* Functions are numbered from 1 here: no number that a function may have. */
#define SIG_IGN ((sighandler_t)-2)
#define SIG_ERR ((sighandler_t)-1)

#define SA_NOCLDSTOP 1
#define SA_SIGINFO 4
#define SA_RESTART 0x10000000
#define SA_NODEFER 0x40000000
#define SA_RESETHAND 0x80000000

#define SIG_BLOCK 0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2

#define SI_USER 0

struct sigaction {
    union {
        void (*sa_handler)(int);
        void (*sa_sigaction)(int, siginfo_t *, void *);
    } __sa_handler;
    sigset_t sa_mask;
    int sa_flags;
    void (*sa_restorer)(void);
};
#define sa_handler __sa_handler.sa_handler
#define sa_sigaction __sa_handler.sa_sigaction

/* What becomes of a signal. -1 with errno EINVAL (no such signal, or SIGKILL or SIGSTOP). */
int sigaction(int signum, const struct sigaction *act, struct sigaction *oldact);
sighandler_t signal(int signum, sighandler_t handler);
/* Handles a signal at once, as if it had come. */
int raise(int sig);

int sigemptyset(sigset_t *set);
int sigfillset(sigset_t *set);
int sigaddset(sigset_t *set, int signum);
int sigdelset(sigset_t *set, int signum);
int sigismember(const sigset_t *set, int signum);

/* Signals that wait until they are let through again, or are taken by sigtimedwait. */
int sigprocmask(int how, const sigset_t *set, sigset_t *oldset);
int sigpending(sigset_t *set);

/* Takes a signal of the set: its number, or -1 with errno EAGAIN (none came in time) or EINTR. */
int sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout);
int sigwaitinfo(const sigset_t *set, siginfo_t *info);
int sigwait(const sigset_t *set, int *sig);

#ifdef __cplusplus
}
#endif
