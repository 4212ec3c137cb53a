/*
 * What the level-0 files of chaos_capture.c hold together, and is it the database? Compared byte by
 * byte with a copy that SQLite made. Left out is what may differ in such a copy: leaves of the free
 * list (SQLite need not write what is in them), and in the file's header the change counter and
 * what goes with it, which the copying changes.
 */
#include "t/engine/db/chaos.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void chaos_die(const char *what, const ls_err *err) {
    printf("not ok 1 - %s%s%s\n", what, err != NULL ? ": " : "", err != NULL ? err->msg : "");
    (void)fflush(stdout);
    exit(1);
}

/* ---- applying ---- */

static void resize(chaos_image *im, const ls_ltx_header *h) {
    size_t size = (size_t)h->commit * h->page_size;
    if (size > im->cap) {
        im->cap = size * 2;
        im->data = realloc(im->data, im->cap);
        if (im->data == NULL) {
            chaos_die("no memory for the image", NULL);
        }
    }
    if (im->page_size != h->page_size) {
        im->size = 0;
    }
    /* A new page that no file brings must not pass for one that was there. */
    if (size > im->size) {
        memset(im->data + im->size, 0xEE, size - im->size);
    }
    im->size = size;
    im->page_size = h->page_size;
}

static void apply(chaos_image *im, const char *file) {
    ls_err err = LS_ERR_INIT;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ls_reader *in = ls_fd_reader_new(fd, true, file);
    ls_ltx_header h;
    ls_ltx_decoder *dec;
    if (ls_ltx_decoder_new(in, &h, &dec, &err) != LS_OK) {
        chaos_die(file, &err);
    }
    resize(im, &h);
    for (;;) {
        ls_ltx_page p;
        bool end;
        if (ls_ltx_decoder_next(dec, &p, &end, &err) != LS_OK) {
            chaos_die(file, &err);
        }
        if (end) {
            break;
        }
        memcpy(im->data + (size_t)(p.pgno - 1) * h.page_size, p.data, h.page_size);
    }
    im->files++;
    im->fulls += ls_ltx_decoder_pages(dec) == h.commit;
    if (ls_ltx_decoder_close(dec, NULL, &err) != LS_OK) {
        chaos_die(file, &err);
    }
    ls_ltx_decoder_free(dec);
    ls_reader_close(in);
}

void chaos_image_catch_up(chaos_image *im, ls_db *db) {
    while (im->txid < ls_db_txid(db)) {
        im->txid++;
        char *file = ls_db_ltx_path(db, 0, im->txid, im->txid);
        apply(im, file);
        free(file);
        if (im->txid > 1) { /* the newest stays: the chain goes on from it */
            file = ls_db_ltx_path(db, 0, im->txid - 1, im->txid - 1);
            (void)unlink(file);
            free(file);
        }
    }
}

/* ---- comparing ---- */

static uint32_t be32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool *free_leaves(const uint8_t *data, size_t pages, size_t page_size) {
    bool *leaf = calloc(pages + 1, sizeof(*leaf));
    if (leaf == NULL) {
        chaos_die("no memory to compare", NULL);
    }
    uint32_t trunk = be32(data + 32);
    for (size_t guard = 0; trunk != 0 && trunk <= pages && guard <= pages; guard++) {
        const uint8_t *page = data + (size_t)(trunk - 1) * page_size;
        uint32_t count = be32(page + 4);
        for (uint32_t i = 0; i < count && 8 + 4 * (size_t)i + 4 <= page_size; i++) {
            uint32_t pgno = be32(page + 8 + 4 * (size_t)i);
            if (pgno <= pages) {
                leaf[pgno] = true;
            }
        }
        trunk = be32(page);
    }
    return leaf;
}

/* Bytes 24 to 27 (change counter), 28 to 31 (size, which is compared), 40 to 43 (schema cookie,
 * which is compared with what SQLite says) and 92 to 99 (go with the counter). */
static bool same_first_page(const uint8_t *a, const uint8_t *b, size_t page_size, uint32_t cookie) {
    return memcmp(a, b, 24) == 0 && memcmp(a + 32, b + 32, 8) == 0 && be32(a + 40) == cookie &&
           memcmp(a + 44, b + 44, 92 - 44) == 0 && memcmp(a + 100, b + 100, page_size - 100) == 0;
}

static bool compare(const chaos_image *im, const uint8_t *data, size_t size, uint32_t cookie) {
    if (size != im->size || size < im->page_size) {
        printf("# TXID %" PRIu64 ": the database has %zu bytes, the image %zu\n", im->txid, size,
               im->size);
        return false;
    }
    size_t pages = size / im->page_size;
    bool *leaf = free_leaves(data, pages, im->page_size);
    int different = 0;
    for (size_t pgno = 1; pgno <= pages; pgno++) {
        size_t off = (pgno - 1) * im->page_size;
        bool same = pgno == 1
                        ? same_first_page(im->data, data, im->page_size, cookie)
                        : leaf[pgno] || memcmp(im->data + off, data + off, im->page_size) == 0;
        if (!same && different++ < 10) {
            printf("# TXID %" PRIu64 ": page %zu of %zu differs\n", im->txid, pgno, pages);
        }
    }
    free(leaf);
    return different == 0;
}

bool chaos_image_is(const chaos_image *im, const char *copy, uint32_t schema_cookie) {
    ls_err err = LS_ERR_INIT;
    char *data = NULL;
    size_t size = 0;
    if (ls_read_file(copy, 1 << 30, &data, &size, &err) != LS_OK) {
        chaos_die("read the copy", &err);
    }
    bool same = compare(im, (const uint8_t *)data, size, schema_cookie);
    free(data);
    return same;
}
