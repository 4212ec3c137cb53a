/* All files of a replica; see listing.h. */
#include "engine/restore/listing.h"

#include <stdlib.h>

static ls_code add_file(ls_listing *listing, int level, size_t *cap, const ls_ltx_info *file,
                        ls_err *err) {
    size_t n = listing->counts[level];
    if (listing->n == LS_LISTING_FILES_MAX) {
        return ls_fail(err, LS_ELIMIT, "more than %u files", LS_LISTING_FILES_MAX);
    }
    if (n == *cap) {
        size_t more = *cap == 0 ? 64 : 2 * *cap;
        ls_ltx_info *files = realloc(listing->levels[level], more * sizeof *files);
        if (files == NULL) {
            return ls_fail(err, LS_ENOMEM, "no memory for a listing of %zu files", listing->n);
        }
        listing->levels[level] = files;
        *cap = more;
    }
    listing->levels[level][n] = *file;
    listing->counts[level]++;
    listing->n++;
    return LS_OK;
}

static ls_code read_level(ls_storage *s, ls_listing *listing, int level, ls_err *err) {
    size_t cap = 0;
    ls_storage_iter *it;
    ls_code code = ls_storage_list(s, level, 0, &it, err);
    for (bool end = false; code == LS_OK && !end;) {
        ls_ltx_info file;
        code = ls_storage_iter_next(it, &file, &end, err);
        if (code == LS_OK && !end) {
            code = add_file(listing, level, &cap, &file, err);
        }
    }
    ls_storage_iter_free(it);
    return code == LS_OK ? LS_OK : ls_wrap(err, "list level %d", level);
}

ls_code ls_listing_names(ls_storage *s, ls_listing *listing, ls_err *err) {
    *listing = (ls_listing){0};
    ls_code code = LS_OK;
    for (int level = 0; level < LS_LISTING_LEVELS && code == LS_OK; level++) {
        code = read_level(s, listing, level, err);
    }
    if (code != LS_OK) {
        ls_listing_done(listing);
    }
    return code;
}

ls_code ls_listing_read(ls_storage *s, ls_listing *listing, ls_err *err) {
    ls_code code = ls_listing_names(s, listing, err);
    for (int level = 0; level < LS_LISTING_LEVELS && code == LS_OK; level++) {
        code = ls_storage_exact(s, listing->levels[level], listing->counts[level], err);
        if (code != LS_OK) {
            (void)ls_wrap(err, "list level %d", level);
        }
    }
    if (code != LS_OK) {
        ls_listing_done(listing);
    }
    return code;
}

void ls_listing_done(ls_listing *listing) {
    for (int level = 0; level < LS_LISTING_LEVELS; level++) {
        free(listing->levels[level]);
    }
    *listing = (ls_listing){0};
}
