/*
 * Fuzz target: a text as litestream.yml, and the same text through the expansion of variables. A
 * refusal says why; what is accepted is within the bounds that others rely on.
 */
#include "t/fuzz/fuzz.h"

#include "engine/config/config.h"

static void check_db(const ls_db_config *db) {
    EXPECT((db->path == NULL) != (db->dir == NULL));
    EXPECT(db->path == NULL || db->path[0] == '/');
    EXPECT(db->dir == NULL || db->dir[0] == '/');
    EXPECT(db->meta_path == NULL || db->meta_path[0] == '/');
    EXPECT(db->monitor_interval > 0 && db->checkpoint_interval >= 0 && db->busy_timeout >= 0);
    EXPECT(db->min_checkpoint_page_n > 0 && db->max_sync_wal_bytes >= 0);
    EXPECT(db->replica.sync_interval > 0);
}

static void check_config(const ls_config *c) {
    EXPECT(c->shutdown_sync_timeout >= 0 && c->shutdown_sync_interval > 0);
    for (size_t i = 0; i < c->n_dbs; i++)
        check_db(&c->dbs[i]);
}

static void check_warnings(const ls_config_warnings *w) {
    EXPECT(w->n <= LS_CONFIG_WARNINGS_MAX && (w->more == 0 || w->n == LS_CONFIG_WARNINGS_MAX));
    for (size_t i = 0; i < w->n; i++)
        EXPECT(w->items[i].text[0] != '\0' && w->items[i].hint[0] != '\0');
}

/* True if it was accepted. */
static bool parse(const char *text, size_t len, unsigned flags) {
    ls_err err = LS_ERR_INIT;
    ls_config config;
    ls_code rc = ls_config_parse(text, len, "fuzz", flags, &config, &err);

    EXPECT((rc == LS_OK) == (err.msg[0] == '\0'));
    EXPECT(rc == LS_OK || config.n_dbs == 0);
    EXPECT((flags & LS_CONFIG_ALLOW_UNKNOWN) != 0 || config.warnings.n == 0);
    check_warnings(&config.warnings);
    check_config(&config);
    ls_config_done(&config);
    return rc == LS_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    /* A copy of the exact size: what reads past it is found out. */
    char *text = malloc(size + (size == 0));

    EXPECT(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    bool good = parse(text, size, 0);
    /* What is right stays right where more is allowed. */
    EXPECT(parse(text, size, LS_CONFIG_ALLOW_UNKNOWN) || !good);
    (void)parse(text, size, LS_CONFIG_EXPAND_ENV);
    free(text);
    return 0;
}
