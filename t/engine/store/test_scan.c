/*
 * Which files below a folder are databases, and what tells that they changed. engine/store/scan.c,
 * engine/store/notify.c
 */
#include "engine/store/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "t/support/dbkit.h"
#include "t/support/tempdir.h"

typedef struct fixture {
    char *dir;  /* of the test */
    char *root; /* in it */
    int notify;
    ls_scan *scan;
    ls_scan_result result;
    char found[1024];
} fixture;

/* ---- Verbs ---- */

static char *below(const fixture *f, const char *rel) { return ls_path_join(f->root, rel); }

static void put(const fixture *f, const char *rel, const char *text, size_t len) {
    char *path = below(f, rel);
    put_file(path, text, len);
    free(path);
}

static void put_db(const fixture *f, const char *rel) {
    static const char header[100] = "SQLite format 3";
    put(f, rel, header, sizeof(header));
}

static void folder(const fixture *f, const char *rel) {
    char *path = below(f, rel);
    assert_int_equal(mkdir(path, 0755), 0);
    free(path);
}

static void move(const fixture *f, const char *from, const char *to) {
    char *a = below(f, from), *b = below(f, to);
    assert_int_equal(rename(a, b), 0);
    free(a);
    free(b);
}

static void drop(const fixture *f, const char *rel) {
    char *path = below(f, rel);
    assert_int_equal(remove(path), 0);
    free(path);
}

static void scan_new(fixture *f, const char *pattern, bool recursive) {
    ls_err err = LS_ERR_INIT;
    must(ls_scan_new(f->root, pattern, recursive, f->notify, &f->scan, &err), &err);
}

static void add_found(void *arg, const char *rel, ls_scan_file *file) {
    fixture *f = arg;
    size_t len = strlen(f->found);
    (void)file;
    (void)snprintf(f->found + len, sizeof(f->found) - len, "%s%s", len == 0 ? "" : " ", rel);
}

/* Looks, and what there is then. */
static void look_(fixture *f, const ls_notes *notes, const char *want, int line) {
    ls_err err = LS_ERR_INIT;
    f->found[0] = '\0';
    must(ls_scan_look(f->scan, notes, &f->result, &err), &err);
    ls_scan_each(f->scan, add_found, f);
    if (strcmp(f->found, want) != 0) {
        fail_msg("line %d: got \"%s\", want \"%s\"", line, f->found, want);
    }
}
#define look(f, want) look_(f, NULL, want, __LINE__)

/* Waits until something is told, and looks there alone. */
static void look_where_told_(fixture *f, const char *want, int line) {
    struct pollfd p = {.fd = f->notify, .events = POLLIN};
    ls_notes notes = {.n = 0};
    assert_int_equal(poll(&p, 1, 10000), 1);
    ls_notify_read(f->notify, &notes);
    assert_false(notes.all);
    look_(f, &notes, want, line);
}
#define look_where_told(f, want) look_where_told_(f, want, __LINE__)

static bool is_told(const fixture *f) {
    struct pollfd p = {.fd = f->notify, .events = POLLIN};
    ls_notes notes = {.n = 0};
    if (poll(&p, 1, 0) == 1) {
        ls_notify_read(f->notify, &notes);
    }
    return notes.n > 0 || notes.all;
}

static int setup(void **state) {
    fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    if (tempdir_setup((void **)&f->dir) != 0) {
        return -1;
    }
    f->root = ls_path_join(f->dir, "root");
    f->notify = ls_notify_open();
    *state = f;
    return mkdir(f->root, 0755);
}

static int teardown(void **state) {
    fixture *f = *state;
    ls_scan_free(f->scan);
    if (f->notify >= 0) {
        close(f->notify);
    }
    free(f->root);
    int rc = tempdir_teardown((void **)&f->dir);
    free(f);
    return rc;
}

/* ---- What counts ---- */

static void databases_are_told_by_name_and_header(void **state) {
    fixture *f = *state;
    put_db(f, "a.db");
    put_db(f, "b.db");
    put_db(f, "c.sqlite");
    put_db(f, "a.db-wal");
    put(f, "text.db", "SQLite format 2 and more", 24);
    put(f, "short.db", "SQLite format ", 14);
    put(f, "empty.db", "", 0);
    folder(f, "d.db");
    scan_new(f, "*.db", false);
    look(f, "a.db b.db");
    assert_true(f->result.changed);
    assert_int_equal(f->result.dbs, 2);
    look(f, "a.db b.db");
    assert_false(f->result.changed);
}

static void files_beside_databases_never_count(void **state) {
    fixture *f = *state;
    put_db(f, "a");
    put_db(f, "a-wal");
    put_db(f, "a-shm");
    put_db(f, "a-journal");
    put_db(f, "-wal");
    folder(f, ".a-litestream");
    put_db(f, ".a-litestream/x");
    folder(f, "a-litestream");
    put_db(f, "a-litestream/x");
    scan_new(f, "*", true);
    look(f, "-wal a");
}

static void folders_below_count_if_asked_for(void **state) {
    fixture *f = *state;
    folder(f, "x");
    folder(f, "x/y");
    folder(f, ".hidden");
    put_db(f, "a.db");
    put_db(f, "x/b.db");
    put_db(f, "x/y/c.db");
    put_db(f, ".hidden/d.db");
    scan_new(f, "*.db", false);
    look(f, "a.db");
    ls_scan_free(f->scan);
    scan_new(f, "*.db", true);
    look(f, "a.db .hidden/d.db x/b.db x/y/c.db");
}

static void links_to_files_count_and_to_folders_do_not(void **state) {
    fixture *f = *state;
    char *outside = ls_path_join(f->dir, "outside"), *file = ls_path_join(outside, "o.db");
    char *link = below(f, "link.db"), *folder_link = below(f, "folder"),
         *lost = below(f, "lost.db");
    assert_int_equal(mkdir(outside, 0755), 0);
    put_file(file, "SQLite format 3\0 and more", 25);
    assert_int_equal(symlink(file, link), 0);
    assert_int_equal(symlink(outside, folder_link), 0);
    assert_int_equal(symlink("/nowhere/x.db", lost), 0);
    scan_new(f, "*.db", true);
    look(f, "link.db");
    assert_false(is_told(f));
    char *more = ls_path_join(outside, "more.db");
    put_file(more, "SQLite format 3", 16);
    assert_false(is_told(f)); /* nothing outside is watched */
    free(more);
    free(lost);
    free(folder_link);
    free(link);
    free(file);
    free(outside);
}

static void the_root_may_be_a_link(void **state) {
    fixture *f = *state;
    char *real = ls_path_join(f->dir, "real");
    assert_int_equal(rename(f->root, real), 0);
    assert_int_equal(symlink(real, f->root), 0);
    put_db(f, "a.db");
    scan_new(f, "*.db", true);
    look(f, "a.db");
    put_db(f, "b.db");
    look_where_told(f, "a.db b.db");
    free(real);
}

/* ---- What changes ---- */

static void what_comes_and_goes_is_told(void **state) {
    fixture *f = *state;
    scan_new(f, "*.db", true);
    look(f, "");
    put_db(f, "a.db");
    look_where_told(f, "a.db");
    assert_true(f->result.changed);
    folder(f, "x");
    look_where_told(f, "a.db");
    put_db(f, "x/b.db");
    look_where_told(f, "a.db x/b.db");
    move(f, "a.db", "x/c.db");
    look_where_told(f, "x/b.db x/c.db");
    drop(f, "x/b.db");
    look_where_told(f, "x/c.db");
    drop(f, "x/c.db");
    drop(f, "x");
    look_where_told(f, "");
    assert_true(f->result.changed);
}

static void writes_and_logs_tell_nothing(void **state) {
    fixture *f = *state;
    put_db(f, "a.db");
    scan_new(f, "*.db", false);
    look(f, "a.db");
    char *path = below(f, "a.db");
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "x", 1, 50), 1);
    put(f, "a.db-wal", "x", 1);
    drop(f, "a.db-wal");
    assert_false(is_told(f));
    close(fd); /* that much is told: a copy may be complete now */
    look_where_told(f, "a.db");
    free(path);
}

static void a_half_written_file_is_looked_at_again(void **state) {
    fixture *f = *state;
    scan_new(f, "*.db", false);
    put(f, "a.db", "", 0);
    look(f, "");
    assert_int_equal(f->result.young, 1);
    put(f, "a.db", "SQLite for", 10);
    look(f, "");
    assert_int_equal(f->result.young, 1);
    char page[4096] = "SQLite format 3\0\x10\0"; /* of two pages, by its header */
    page[31] = 2;
    put(f, "a.db", page, sizeof(page));
    look(f, "");
    assert_int_equal(f->result.young, 1);
    put_db(f, "a.db");
    look(f, "a.db");
    assert_int_equal(f->result.young, 0);
    assert_true(f->result.changed);
}

static void renamed_folders_take_their_databases_along(void **state) {
    fixture *f = *state;
    folder(f, "x");
    folder(f, "x/y");
    folder(f, "z");
    put_db(f, "x/y/a.db");
    scan_new(f, "*.db", true);
    look(f, "x/y/a.db");
    move(f, "x", "w");
    look_where_told(f, "w/y/a.db");
    put_db(f, "w/y/b.db");
    look_where_told(f, "w/y/a.db w/y/b.db");
    move(f, "w/y", "z/y"); /* from one folder into another */
    look_where_told(f, "z/y/a.db z/y/b.db");
    drop(f, "z/y/b.db");
    look_where_told(f, "z/y/a.db");
    folder(f, "w/y"); /* another folder with the name of one that was moved */
    put_db(f, "w/y/c.db");
    look_where_told(f, "w/y/c.db z/y/a.db");
}

static void a_folder_that_is_moved_away_is_not_watched_any_more(void **state) {
    fixture *f = *state;
    char *away = ls_path_join(f->dir, "away"), *x = below(f, "x");
    folder(f, "x");
    folder(f, "x/y");
    put_db(f, "x/y/a.db");
    scan_new(f, "*.db", true);
    look(f, "x/y/a.db");
    assert_int_equal(rename(x, away), 0);
    look_where_told(f, "");
    char *new = ls_path_join(away, "y/new.db");
    put_file(new, "x", 1);
    assert_false(is_told(f));
    free(new);
    free(x);
    free(away);
}

static void a_root_that_goes_and_comes_back(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    char *away = ls_path_join(f->dir, "away");
    put_db(f, "a.db");
    scan_new(f, "*.db", true);
    look(f, "a.db");
    assert_int_equal(rename(f->root, away), 0);
    assert_int_equal(ls_scan_look(f->scan, NULL, &f->result, &err), LS_ENOTFOUND);
    assert_true(f->result.changed);
    assert_non_null(strstr(err.msg, f->root));
    assert_int_equal(mkdir(f->root, 0755), 0);
    put_db(f, "b.db");
    look(f, "b.db");
    put_db(f, "c.db");
    look_where_told(f, "b.db c.db");
    free(away);
}

static void without_watches_a_look_finds_all(void **state) {
    fixture *f = *state;
    close(f->notify);
    f->notify = -ENOSYS;
    folder(f, "x");
    put_db(f, "x/a.db");
    scan_new(f, "*.db", true);
    look(f, "x/a.db");
    assert_int_equal(f->result.unwatched, 2);
    assert_int_equal(f->result.why, ENOSYS);
    put_db(f, "x/b.db");
    const ls_notes nothing = {.n = 0};
    look_(f, &nothing, "x/a.db x/b.db", __LINE__);
    drop(f, "x/a.db");
    look_(f, &nothing, "x/b.db", __LINE__);
}

static void what_cannot_be_read_keeps_what_it_had(void **state) {
    fixture *f = *state;
    struct rlimit before, none;
    ls_err err = LS_ERR_INIT;
    folder(f, "x");
    put_db(f, "x/a.db");
    scan_new(f, "*.db", true);
    look(f, "x/a.db");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    ls_code rc = ls_scan_look(f->scan, NULL, &f->result, &err);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_not_equal(rc, LS_OK);
    assert_false(f->result.changed);
    look(f, "x/a.db");
}

/* ---- Notes ---- */

static void many_notes_mean_everything(void **state) {
    ls_notes notes = {.n = 0};
    (void)state;
    for (int i = 0; i < LS_NOTES_MAX; i++) {
        ls_notes_add(&notes, i);
        ls_notes_add(&notes, i);
    }
    assert_int_equal(notes.n, LS_NOTES_MAX);
    assert_false(notes.all);
    ls_notes_add(&notes, LS_NOTES_MAX);
    assert_true(notes.all);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(databases_are_told_by_name_and_header),
        TEST(files_beside_databases_never_count),
        TEST(folders_below_count_if_asked_for),
        TEST(links_to_files_count_and_to_folders_do_not),
        TEST(the_root_may_be_a_link),
        TEST(what_comes_and_goes_is_told),
        TEST(writes_and_logs_tell_nothing),
        TEST(a_half_written_file_is_looked_at_again),
        TEST(renamed_folders_take_their_databases_along),
        TEST(a_folder_that_is_moved_away_is_not_watched_any_more),
        TEST(a_root_that_goes_and_comes_back),
        TEST(without_watches_a_look_finds_all),
        TEST(what_cannot_be_read_keeps_what_it_had),
        TEST(many_notes_mean_everything),
    };
    return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
