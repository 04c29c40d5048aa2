// A sign that outlives the process: before a request that may end in an abort of the
// core, a thread names a byte of a file; if the core aborts in that request, the byte
// becomes 1. Whatever else ends the process leaves it alone.
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "core.h"

static _Thread_local int mark_fd = -1;
static _Thread_local int64_t mark_at;

// Rust ends a process by abort(), and by an illegal instruction where that is shorter.
static const int fatal[] = {SIGABRT, SIGILL};
static struct sigaction before[sizeof fatal / sizeof *fatal];
static pthread_once_t installed = PTHREAD_ONCE_INIT;

// on_fatal does only what a signal handler may (POSIX.1-2017, 2.4.3), then lets the
// handler that was there before, Go's, have the signal.
static void on_fatal(int sig, siginfo_t *info, void *context) {
	if (mark_fd >= 0) {
		char one = 1;
		ssize_t n = pwrite(mark_fd, &one, 1, mark_at);
		(void)n; // there is nobody left to tell
		mark_fd = -1;
	}
	for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) {
		if (fatal[i] != sig) {
			continue;
		}
		if (before[i].sa_flags & SA_SIGINFO) {
			before[i].sa_sigaction(sig, info, context);
		} else if (before[i].sa_handler != SIG_DFL && before[i].sa_handler != SIG_IGN) {
			before[i].sa_handler(sig);
		} else {
			signal(sig, SIG_DFL);
			raise(sig);
		}
	}
}

static void install(void) {
	for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) {
		struct sigaction a = {0};
		a.sa_sigaction = on_fatal;
		// On the thread's own signal stack, as the Go runtime demands of
		// handlers that are not its own (package os/signal).
		a.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
		sigfillset(&a.sa_mask);
		sigaction(fatal[i], &a, &before[i]);
	}
}

int pipes_apply_marked(pipes_doc *d, const uint8_t *chunks, const uint64_t *lens, size_t n, int fd, int64_t at) {
	pthread_once(&installed, install);
	mark_at = at;
	mark_fd = fd;
	int got = pipes_apply(d, chunks, lens, n);
	mark_fd = -1;
	return got;
}
