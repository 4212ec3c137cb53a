/*
 * Linked into a program, it lets disks be full for it: the file that LS_FULL_DISKS names lists
 * folders, a line each, in which nothing finds room. The file is read anew at each call, so that a
 * test fills a disk and makes room again while the program runs.
 */
#include "t/support/faults.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool takes_room(fault_kind kind) {
    return kind == FAULT_WRITE || kind == FAULT_CREATE || kind == FAULT_MKDIR ||
           kind == FAULT_TRUNCATE || kind == FAULT_COPY;
}

/* Past the shim, which would ask again. */
static bool read_list(char *list, size_t size) {
    const char *path = getenv("LS_FULL_DISKS");
    int fd = path != NULL ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        return false;
    }
    long n = syscall(SYS_read, fd, list, size - 1);
    close(fd);
    list[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static bool is_below(const char *path, const char *folder, size_t len) {
    return len > 0 && strncmp(path, folder, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static int judge(fault_kind kind, int fd, const char *path) {
    char list[4096], link[64], target[PATH_MAX];
    if (!takes_room(kind) || !read_list(list, sizeof list)) {
        return 0;
    }
    if (path == NULL) {
        (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, target, sizeof target - 1);
        target[n > 0 ? n : 0] = '\0';
        path = target;
    }
    for (const char *folder = list; *folder != '\0';) {
        size_t len = strcspn(folder, "\n");
        if (is_below(path, folder, len)) {
            return ENOSPC;
        }
        folder += len + (folder[len] == '\n');
    }
    return 0;
}

static void __attribute__((constructor)) begin(void) {
    faults_init();
    faults_judge = judge;
}
