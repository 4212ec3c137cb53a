/*
 * inotify: see notify.h. The kernel gives one number for one folder and descriptor, however often
 * it is added, and says "overflow" when it has lost notices.
 */
#include "engine/store/notify.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void ls_notes_add(ls_notes *notes, int folder) {
    for (size_t i = 0; i < notes->n; i++) {
        if (notes->folders[i] == folder) {
            return;
        }
    }
    if (notes->n == LS_NOTES_MAX) {
        notes->all = true;
    } else {
        notes->folders[notes->n++] = folder;
    }
}

bool ls_is_side_file(const char *name) {
    static const char *const ends[] = {"-wal", "-shm", "-journal"};
    size_t len = strlen(name);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        size_t n = strlen(ends[i]);
        if (len > n && strcmp(name + len - n, ends[i]) == 0) {
            return true;
        }
    }
    return false;
}

#ifdef __linux__

#include <sys/inotify.h>

#define NOTICES                                                                                    \
    (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE_SELF |       \
     IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK)

int ls_notify_open(void) {
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int ls_notify_add(int fd, const char *path, bool follow) {
    int folder = inotify_add_watch(fd, path, follow ? NOTICES : NOTICES | IN_DONT_FOLLOW);
    return folder < 0 ? -errno : folder;
}

void ls_notify_remove(int fd, int folder) { (void)inotify_rm_watch(fd, folder); }

static void take(const struct inotify_event *e, ls_notes *notes) {
    if ((e->mask & IN_Q_OVERFLOW) != 0) {
        notes->all = true;
    } else if ((e->mask & IN_IGNORED) == 0 && (e->len == 0 || !ls_is_side_file(e->name))) {
        ls_notes_add(notes, e->wd);
    }
}

void ls_notify_read(int fd, ls_notes *notes) {
    _Alignas(struct inotify_event) char buf[8192];
    for (;;) {
        ssize_t got = read(fd, buf, sizeof(buf));
        if (got <= 0) {
            return; /* EAGAIN; after EINTR the descriptor stays readable */
        }
        for (const char *at = buf; at < buf + got;) {
            const struct inotify_event *e = (const void *)at;
            take(e, notes);
            at += sizeof(*e) + e->len;
        }
    }
}

#else

int ls_notify_open(void) { return -ENOSYS; }

int ls_notify_add(int fd, const char *path, bool follow) {
    (void)fd;
    (void)path;
    (void)follow;
    return -ENOSYS;
}

void ls_notify_remove(int fd, int folder) {
    (void)fd;
    (void)folder;
}

void ls_notify_read(int fd, ls_notes *notes) {
    (void)fd;
    (void)notes;
}

#endif
