/*
 * For t/bench/levels.py: makes level-0 files as a busy database leaves them, and compacts them.
 *
 *   compact_bench make FOLDER MB FILES   files of MB of pages in all below FOLDER/replica, and the
 *                                        same pages, uncompressed, in FOLDER/pages
 *   compact_bench run FOLDER             level 0 to level 1; prints sources, bytes of the new file
 */
#include "engine/base/file.h"
#include "engine/ltx/encoder.h"
#include "engine/replica/compact.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE_SIZE 4096
#define T0 1700000000000

static void must(ls_code rc, const ls_err *err) {
    if (rc != LS_OK) {
        (void)fprintf(stderr, "%s: %s\n", ls_code_name(rc), err->msg);
        exit(1);
    }
}

static uint64_t draw(uint64_t *state) {
    uint64_t x = *state += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* Half text, half random bytes, in cells as rows are; as measure.make_db has them. */
static void fill(uint8_t *page, uint64_t seed) {
    for (size_t at = 0; at < PAGE_SIZE;) {
        char word[9];
        uint64_t text = at / 512 % 2;
        uint64_t x = draw(&seed);
        (void)snprintf(word, sizeof word, "w%06" PRIx64 " ",
                       (x % 4096 * 0x9e3779b97f4a7c15u) >> 40);
        memcpy(page + at, text != 0 ? (const void *)word : &x, 8);
        at += 8;
    }
}

/* One file: of pages 1..commit every page with a chance of n / commit. */
static void make_file(const char *dir, FILE *pages, ls_txid t, uint32_t commit, uint32_t n) {
    ls_err err = LS_ERR_INIT;
    char name[LS_LTX_NAME_SIZE];
    char *path = ls_asprintf("%s/%s", dir, ls_ltx_name_format(t, t, name));
    const ls_ltx_header h = {.flags = LS_LTX_FLAG_NO_CHECKSUM,
                             .page_size = PAGE_SIZE,
                             .commit = commit,
                             .min_txid = t,
                             .max_txid = t,
                             .timestamp = T0 + (int64_t)t};
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ls_fd_writer out;
    ls_ltx_encoder *enc;
    uint8_t page[PAGE_SIZE];
    uint64_t seed = t;
    ls_fd_writer_init(&out, fd, path);
    must(ls_ltx_encoder_new(&out.base, &h, NULL, &enc, &err), &err);
    for (uint32_t pgno = 1; pgno <= commit; pgno++) {
        if (t > 1 && draw(&seed) % commit >= n) {
            continue;
        }
        fill(page, t << 32 | pgno);
        must(ls_ltx_encoder_page(enc, pgno, page, PAGE_SIZE, &err), &err);
        if (fwrite(page, PAGE_SIZE, 1, pages) != 1) {
            perror("pages");
            exit(1);
        }
    }
    must(ls_ltx_encoder_close(enc, 0, NULL, &err), &err);
    ls_ltx_encoder_free(enc);
    (void)close(fd);
    free(path);
}

/* The first file is full and half of all; the others change every page once, on average. */
static void make(const char *folder, uint64_t mb, uint32_t files) {
    ls_err err = LS_ERR_INIT;
    uint64_t total = mb * 1000000 / PAGE_SIZE;
    uint32_t commit = (uint32_t)(total / 2);
    char *dir = ls_asprintf("%s/replica/ltx/0", folder);
    char *path = ls_asprintf("%s/pages", folder);
    must(ls_mkdirs(dir, &LS_PERM_PRIVATE, &err), &err);
    FILE *pages = fopen(path, "we");
    if (pages == NULL) {
        perror(path);
        exit(1);
    }
    for (uint32_t t = 1; t <= files; t++) {
        make_file(dir, pages, t, commit, (uint32_t)(total - commit) / (files - 1));
    }
    if (fclose(pages) != 0) {
        perror(path);
        exit(1);
    }
    free(dir);
    free(path);
}

static void compact(const char *folder) {
    ls_err err = LS_ERR_INIT;
    ls_storage *s;
    ls_compact_result res;
    const ls_compact_opts opts = {.level = 1, .spill_dir = folder};
    char *root = ls_asprintf("%s/replica", folder);
    must(ls_storage_open_file(root, NULL, &s, &err), &err);
    must(ls_compact(s, &opts, &res, &err), &err);
    (void)printf("%zu %" PRIu64 "\n", res.sources, res.file.size);
    ls_storage_free(s);
    free(root);
}

int main(int argc, char **argv) {
    if (argc == 5 && strcmp(argv[1], "make") == 0) {
        uint32_t files = (uint32_t)strtoul(argv[4], NULL, 10);
        make(argv[2], strtoull(argv[3], NULL, 10), files < 2 ? 2 : files);
    } else if (argc == 3 && strcmp(argv[1], "run") == 0) {
        compact(argv[2]);
    } else {
        (void)fprintf(stderr, "usage: compact_bench make FOLDER MB FILES | run FOLDER\n");
        return 2;
    }
    return 0;
}
