/*
 * The conformance suite over any store of this build, against a server that stores.t has started.
 *
 * usage: conform [WORD...] -- TYPE [KEY=VALUE...]
 *
 * TYPE and pairs are the settings, without path: each test has a path of its own. Words say what
 * store and server can do, and what the test has prepared:
 *   time=MS     listings give the header's timestamp, cut to MS; without: the time of the upload
 *   exact       ... and a request for each file gives it to the millisecond
 *   copy        files are copied inside of the store
 *   loose       ... over what is there, even if that is forbidden
 *   objects     objects of other formats can be read
 *   bare        a store without a path can be used
 *   wipe        there is no path: a store is emptied before each test
 *   many=N      files that make several pages of a listing; 0: no long listings
 *   big=N       bytes that make several parts
 *   foreign=P   below path P lies what stores.t puts there for the two tests of names
 *   root=P      paths of tests begin with P ("suite")
 *   faults      only the one test that works through a proxy with faults
 * The status is 77 if the build has no such store.
 */
#include "backends/resume.h"
#include "backends/settings.h"
#include "t/backends/conformance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define T0 1700000000123

static struct {
    bool keeps_time, copies, objects, bare, wipe, faults, loose, exact;
    int64_t time_step;
    size_t many, big;
    const char *foreign, *root;
    const char *type;
    char **pairs; /* KEY=VALUE */
    int n_pairs;
} given = {.many = 1100, .big = 6u << 20, .root = "suite"};

/* ---- opening ---- */

static void set_pair(ls_settings *settings, const char *pair) {
    const char *equals = strchr(pair, '=');
    assert_non_null(equals);
    char *key = strndup(pair, (size_t)(equals - pair));
    assert_non_null(key);
    ls_err err = LS_ERR_INIT;
    conformance_ok(ls_settings_set(settings, key, equals + 1, &err), &err);
    free(key);
}

/* path NULL: none is set. */
static ls_storage *open_store(const char *path) {
    ls_settings *settings = ls_settings_new(given.type);
    assert_non_null(settings);
    for (int i = 0; i < given.n_pairs; i++) {
        set_pair(settings, given.pairs[i]);
    }
    ls_err err = LS_ERR_INIT;
    if (path != NULL) {
        conformance_ok(ls_settings_set(settings, "path", path, &err), &err);
    }
    ls_storage *s;
    conformance_ok(ls_storage_open(settings, NULL, &s, &err), &err);
    ls_settings_free(settings);
    return s;
}

/* Deletes every LTX file of the store, some at a time. */
static void empty(ls_storage *s) {
    ls_err err = LS_ERR_INIT;
    for (int level = 0; level <= LS_LTX_LEVEL_MAX; level++) {
        for (size_t n = 1; n > 0;) {
            ls_ltx_info files[500];
            bool end = false;
            ls_storage_iter *it;
            conformance_ok(ls_storage_list(s, level, 0, &it, &err), &err);
            for (n = 0; n < 500; n++) {
                conformance_ok(ls_storage_iter_next(it, &files[n], &end, &err), &err);
                if (end) {
                    break;
                }
            }
            ls_storage_iter_free(it);
            conformance_ok(ls_storage_remove(s, files, n, &err), &err);
        }
    }
}

static int setup(void **state) {
    static int number;
    conformance *c = calloc(1, sizeof *c);
    assert_non_null(c);
    char path[64];
    (void)snprintf(path, sizeof path, "%s/t%d", given.root, ++number);
    c->s = open_store(given.wipe ? NULL : path);
    c->keeps_time = given.keeps_time;
    c->time_step = given.time_step;
    c->exact = given.exact;
    c->copies = given.copies;
    c->copies_over = given.loose;
    c->many = given.many;
    c->big = given.big;
    if (given.wipe) {
        empty(c->s);
    }
    *state = c;
    return 0;
}

static int teardown(void **state) {
    conformance *c = *state;
    ls_storage_free(c->s);
    free(c);
    return 0;
}

/* ---- names ---- */

/* stores.t has put 1-1 and 3-3 there, names that are nearly right, and neighbours of the path. */
static void names_that_do_not_belong(void **state) {
    (void)state;
    if (given.foreign == NULL) {
        skip();
    }
    ls_storage *s = open_store(given.wipe ? NULL : given.foreign);
    conformance_list(s, 0, 0, "1-1 3-3");
    conformance_list(s, 0, 2, "3-3");
    conformance_list(s, 1, 0, "");
    ls_storage_free(s);
}

typedef struct seen {
    size_t n;
    uint64_t bytes;
} seen;

static ls_code see(void *arg, const ls_object *object, ls_err *err) {
    seen *s = arg;
    (void)err;
    assert_true(ls_object_key_valid(object->key));
    assert_memory_equal(object->key, "generations/", strlen("generations/"));
    assert_true(object->modified_ms > T0);
    s->n++;
    s->bytes += object->size;
    return LS_OK;
}

static ls_code stop_at_once(void *arg, const ls_object *object, ls_err *err) {
    (void)arg;
    return ls_fail(err, LS_ECANCELED, "%s is enough", object->key);
}

static void assert_object(ls_storage *s, const char *key, uint64_t off, uint64_t len,
                          const char *expected) {
    ls_err err = LS_ERR_INIT;
    ls_reader *r;
    conformance_ok(ls_storage_open_object(s, key, off, len, &r, &err), &err);
    char text[64] = "";
    size_t got;
    conformance_ok(ls_read_full(r, text, sizeof text - 1, &got, &err), &err);
    ls_reader_close(r);
    assert_string_equal(text, expected);
}

/* Two objects below generations/ with these bytes, and others that are not meant. */
static void objects_of_other_formats(void **state) {
    (void)state;
    if (given.foreign == NULL) {
        skip();
    }
    ls_storage *s = open_store(given.wipe ? NULL : given.foreign);
    ls_err err = LS_ERR_INIT;
    seen found = {0};
    ls_code code = ls_storage_each_object(s, "generations", see, &found, &err);
    if (!given.objects) {
        assert_int_equal(code, LS_EUNSUPPORTED);
        ls_storage_free(s);
        return;
    }
    conformance_ok(code, &err);
    assert_int_equal(found.n, 2);
    assert_int_equal(found.bytes, strlen("a snapshot") + strlen("a part of a log"));
    found = (seen){0};
    conformance_ok(ls_storage_each_object(s, "generations/none", see, &found, &err), &err);
    assert_int_equal(found.n, 0);
    code = ls_storage_each_object(s, "generations", stop_at_once, NULL, &err);
    assert_int_equal(code, LS_ECANCELED);
    const char *key = "generations/0123456789abcdef/snapshots/00000000.snapshot.lz4";
    assert_object(s, key, 0, 0, "a snapshot");
    assert_object(s, key, 2, 4, "snap");
    assert_object(s, key, 2, 400, "snapshot");
    assert_object(s, key, 400, 0, "");
    ls_reader *r;
    code = ls_storage_open_object(s, "generations/none", 0, 0, &r, &err);
    assert_int_equal(code, LS_ENOTFOUND);
    ls_storage_free(s);
}

static void without_a_path(void **state) {
    (void)state;
    if (!given.bare) {
        skip();
    }
    ls_storage *s = open_store(NULL);
    conformance_put(s, 2, 5, 6, T0, 300);
    conformance_list(s, 2, 0, "5-6");
    const ls_ltx_info file = {.level = 2, .min_txid = 5, .max_txid = 6};
    size_t got;
    free(conformance_read(s, &file, 100, 50, &got));
    assert_int_equal(got, 50);
    ls_err err = LS_ERR_INIT;
    conformance_ok(ls_storage_remove(s, &file, 1, &err), &err);
    conformance_list(s, 2, 0, "");
    ls_storage_free(s);
}

/* ---- faults ---- */

#define FILES 30

static size_t size_of(ls_txid txid, size_t big) {
    return txid == FILES ? big : (size_t)(200 + txid * txid * 400);
}

/* Reads a file as a restore does, going on where it breaks, and compares. */
static void assert_file(ls_storage *s, int level, ls_txid txid, size_t big) {
    const size_t size = size_of(txid, big);
    const ls_ltx_info file = {.level = level, .min_txid = txid, .max_txid = txid, .size = size};
    uint8_t *data = conformance_bytes(txid, txid, T0, size);
    uint8_t *read = malloc(size + 1);
    assert_non_null(read);
    ls_err err = LS_ERR_INIT;
    ls_reader *r;
    size_t got;
    conformance_ok(ls_resume_open(s, &file, 0, 0, NULL, &r, &err), &err);
    conformance_ok(ls_read_full(r, read, size + 1, &got, &err), &err);
    ls_reader_close(r);
    assert_int_equal(got, size);
    assert_memory_equal(read, data, size);
    free(read);
    free(data);
}

/* An exclusive put that is sent twice may find its own file. */
static void put_or_find(ls_storage *s, ls_txid txid, size_t big) {
    const size_t size = size_of(txid, big);
    const ls_ltx_info file = {.level = 1, .min_txid = txid, .max_txid = txid};
    uint8_t *data = conformance_bytes(txid, txid, T0, size);
    ls_reader *in = ls_mem_reader_new(data, size);
    ls_err err = LS_ERR_INIT;
    ls_code code = ls_storage_put(s, &file, in, txid % 2 == 0, NULL, &err);
    if (code != LS_EEXISTS) {
        conformance_ok(code, &err);
    }
    ls_reader_close(in);
    free(data);
}

static void works_through_faults(void **state) {
    const conformance *c = *state;
    ls_err err = LS_ERR_INIT;
    ls_ltx_info files[FILES];
    for (ls_txid t = 1; t <= FILES; t++) {
        put_or_find(c->s, t, c->big);
        files[t - 1] = (ls_ltx_info){.level = 1, .min_txid = t, .max_txid = t};
    }
    ls_txid max;
    ls_ltx_info newest;
    conformance_ok(ls_storage_newest(c->s, &max, &newest, &err), &err);
    assert_int_equal(max, FILES);
    for (ls_txid t = 1; t <= FILES; t++) {
        assert_file(c->s, 1, t, c->big);
    }
    const ls_ltx_info to = {.level = 2, .min_txid = 7, .max_txid = 7};
    if (c->copies) {
        conformance_ok(ls_storage_copy(c->s, &files[6], &to, false, NULL, &err), &err);
        assert_file(c->s, 2, 7, c->big);
    }
    conformance_ok(ls_storage_remove(c->s, files, FILES / 2, &err), &err);
    conformance_list(c->s, 1, 0,
                     "10-10 11-11 12-12 13-13 14-14 15-15 16-16 17-17 18-18 19-19 1a-1a "
                     "1b-1b 1c-1c 1d-1d 1e-1e");
}

/* ---- arguments ---- */

static bool word(const char *arg) {
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {{"copy", &given.copies},  {"objects", &given.objects}, {"bare", &given.bare},
                 {"wipe", &given.wipe},    {"loose", &given.loose},     {"exact", &given.exact},
                 {"faults", &given.faults}};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (strcmp(arg, flags[i].name) == 0) {
            *flags[i].flag = true;
            return true;
        }
    }
    if (strncmp(arg, "time=", 5) == 0) {
        given.keeps_time = true;
        given.time_step = strtol(arg + 5, NULL, 10);
    } else if (strncmp(arg, "many=", 5) == 0) {
        given.many = strtoul(arg + 5, NULL, 10);
    } else if (strncmp(arg, "big=", 4) == 0) {
        given.big = strtoul(arg + 4, NULL, 10);
    } else if (strncmp(arg, "root=", 5) == 0) {
        given.root = arg + 5;
    } else if (strncmp(arg, "foreign=", 8) == 0) {
        given.foreign = arg + 8;
    } else {
        return false;
    }
    return true;
}

/* Returns where TYPE is, 0 if the arguments are wrong. */
static int read_words(int argc, char **argv) {
    for (int i = 1; i < argc - 1; i++) {
        if (strcmp(argv[i], "--") == 0) {
            return i + 1;
        }
        if (!word(argv[i])) {
            (void)fprintf(stderr, "conform: no such word: %s\n", argv[i]);
            return 0;
        }
    }
    return 0;
}

static int run_faults(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(works_through_faults, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

static int run_suite(void) {
    struct CMUnitTest tests[CONFORMANCE_MAX + CONFORMANCE_LARGE_MAX + 3] = {
        cmocka_unit_test(names_that_do_not_belong), cmocka_unit_test(objects_of_other_formats),
        cmocka_unit_test(without_a_path)};
    size_t n = 3;
    n += conformance_tests(tests + n, setup, teardown);
    n += conformance_large_tests(tests + n, setup, teardown);
    return _cmocka_run_group_tests(given.type, tests, n, NULL, NULL);
}

int main(int argc, char **argv) {
    int at = read_words(argc, argv);
    if (at == 0) {
        (void)fprintf(stderr, "usage: conform [WORD...] -- TYPE [KEY=VALUE...]\n");
        return 2;
    }
    given.type = argv[at];
    if (ls_store_scheme_of(given.type) == NULL) {
        (void)fprintf(stderr, "conform: no %s stores in this build\n", given.type);
        return 77;
    }
    given.pairs = argv + at + 1;
    given.n_pairs = argc - at - 1;
    return given.faults ? run_faults() : run_suite();
}
