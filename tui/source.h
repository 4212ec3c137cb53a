/*
 * Where the inspector looks: one interface, a small table of operations for each kind of place. A
 * replica (a URL or folder) and LTX files (one, or a folder of them) have files; a running daemon
 * and a configuration have databases, each with a replica that is a source of its own.
 *
 * A source is opened anew by each job that reads, so that one that hangs holds nothing of another.
 */
#ifndef LS_TUI_SOURCE_H
#define LS_TUI_SOURCE_H

#include "tui/fleet.h"
#include "tui/snapshot.h"

#define SOURCE_MAX_PAGES (1u << 24)

typedef struct source source;

/* Who is told what happens. event takes over nothing; NULL: the numbers begin anew. False: enough.
 */
typedef struct source_follower {
    bool (*event)(void *arg, happening *h);
    void *arg;
    uint64_t last; /* number of the newest that was told; the source's to keep */
} source_follower;

typedef struct source_ops {
    const char *kind;
    bool replica; /* can be restored from: it has levels, restore points, a plan */
    /* Of places with databases; NULL in the others, as list and open are here. */
    ls_code (*databases)(source *s, fleet *f, ls_err *err);
    /* Tells what happens, from behind the last on, until that is enough, cancel is set or the place
     * is gone. NULL: it tells nothing. */
    ls_code (*follow)(source *s, const ls_cancel *cancel, source_follower *to, ls_err *err);
    /* Lists into an empty snapshot; asks cancel between entries. */
    ls_code (*list)(source *s, const ls_cancel *cancel, snapshot *snap, ls_err *err);
    /* len bytes of a file of a snapshot from off; len 0: to the end. */
    ls_code (*open)(source *s, const snapshot *snap, size_t file, uint64_t off, uint64_t len,
                    ls_reader **r, ls_err *err);
    void (*done)(source *s);
} source_ops;

struct source {
    const source_ops *ops;
    char *name;              /* as given; owned */
    ls_storage *storage;     /* of a replica */
    ls_client *client;       /* of a daemon */
    int64_t began_ms;        /* the daemon that was followed last; 0: none yet */
    const ls_config *config; /* of a configuration; not owned */
};

/* Finds out what kind of place it is; what cannot be there at all is an error. */
LS_MUST ls_code source_open(source *s, const char *name, ls_err *err);
/* A replica as a configuration opens it, with its keys. */
LS_MUST ls_code source_open_replica(source *s, const ls_db_config *db, ls_err *err);
/* A daemon by its control socket: nothing is sent yet. */
LS_MUST ls_code source_open_daemon(source *s, const char *socket, ls_err *err);
/* The databases of a configuration, which must outlive the source, and their local files. */
LS_MUST ls_code source_open_config(source *s, const ls_config *config, ls_err *err);
void source_done(source *s);

/* All databases as one fleet. Blocks for as long as the place may take to answer. */
LS_MUST ls_code source_databases(source *s, fleet **out, ls_err *err);

/* The listing as a snapshot, with restore points where the source has such. */
LS_MUST ls_code source_list(source *s, const ls_cancel *cancel, snapshot **snap, ls_err *err);

typedef struct page_row {
    uint32_t pgno, size;
    uint64_t offset;
    uint8_t kind; /* btree_kind; PAGE_KIND_UNREAD */
} page_row;
#define PAGE_KIND_UNREAD 255

/* One file. */
typedef struct file_detail {
    ls_ltx_header header;
    ls_ltx_trailer trailer;
    page_row *pages; /* owned */
    size_t n, cap;
    bool verified; /* read to its end; else only header and page index are known */
    ls_err err;    /* what is wrong with the file */
} file_detail;

LS_MUST ls_code source_header(source *s, const snapshot *snap, size_t file, ls_ltx_header *h,
                              ls_err *err);

/* Header, page index and trailer, which a few short reads give. Damage ends up in detail->err. */
LS_MUST ls_code source_index(source *s, const snapshot *snap, size_t file, file_detail *detail,
                             ls_err *err);

/* Reads and verifies a whole file, and learns the kind of each page; the pages before damage are
 * kept. */
LS_MUST ls_code source_verify(source *s, const snapshot *snap, size_t file, const ls_cancel *cancel,
                              file_detail *detail, ls_err *err);
void detail_done(file_detail *detail);

/* One page of a file, decoded into page (page_size bytes). */
LS_MUST ls_code source_page(source *s, const snapshot *snap, size_t file, const page_row *row,
                            uint32_t page_size, uint8_t *page, ls_err *err);

#endif
