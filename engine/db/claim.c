/*
 * One open object for each database file in this process.
 *
 * SQLite keeps one index and one set of locks for each file (by device and inode), whatever the
 * names it was opened by; and closing any descriptor of a file drops every lock that the process
 * has on it. A file that was renamed while it was open, and is opened again by its new name, would
 * go on with the index of the old name, which the application does not use any more: both would
 * write into one log. So the second one waits until the first has noticed and closed.
 */
#include "engine/db/internal.h"

#include <errno.h>
#include <stdlib.h>

#define BUCKETS 1024

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static ls_db *claims[BUCKETS]; /* of open files, by inode; linked by claim.next */

static ls_db **bucket_of(ino_t ino) { return &claims[(uint64_t)ino % BUCKETS]; }

static const ls_db *holder_of(const struct stat *st) {
    const ls_db *other = *bucket_of(st->st_ino);
    while (other != NULL && (other->claim.ino != st->st_ino || other->claim.dev != st->st_dev)) {
        other = other->claim.next;
    }
    return other;
}

static ls_code refuse(const ls_db *db, const ls_db *other, ls_err *err) {
    (void)ls_fail(err, LS_EBUSY, "%s is open as %s", db->path, other->path);
    return ls_hint(err, "a database that was renamed is let go in a moment; one file under two "
                        "names can only be replicated under one");
}

ls_code ls_db_claim(ls_db *db, bool *missing, ls_err *err) {
    struct stat st;
    *missing = false;
    if (stat(db->path, &st) != 0) {
        *missing = errno == ENOENT || errno == ENOTDIR;
        return *missing ? LS_OK : ls_fail_errno(err, errno, "stat %s", db->path);
    }
    (void)pthread_mutex_lock(&lock);
    const ls_db *other = holder_of(&st);
    ls_code code = other == NULL ? LS_OK : refuse(db, other, err);
    if (other == NULL) {
        ls_db **bucket = bucket_of(st.st_ino);
        db->claim.held = true;
        db->claim.dev = st.st_dev;
        db->claim.ino = st.st_ino;
        db->claim.next = *bucket;
        *bucket = db;
    }
    (void)pthread_mutex_unlock(&lock);
    return code;
}

void ls_db_unclaim(ls_db *db) {
    if (!db->claim.held) {
        return;
    }
    (void)pthread_mutex_lock(&lock);
    ls_db **at = bucket_of(db->claim.ino);
    while (*at != db) {
        at = &(*at)->claim.next;
    }
    *at = db->claim.next;
    (void)pthread_mutex_unlock(&lock);
    db->claim.held = false;
}
