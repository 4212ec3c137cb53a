/*
 * A lease as JSON, which the reference's leaser writes and reads too: it knows generation,
 * expires_at and owner, and passes over the rest.
 */
#include "engine/replica/lease_text.h"

#include "engine/base/text.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Stores tell ages in whole seconds, of two moments. */
#define ROUNDING_MS 2000
/* How far clocks may be apart where only they tell; more is told by litestream check. */
#define SKEW_MS 5000
#define TTL_MAX_MS ((int64_t)24 * 3600 * 1000)

ls_code ls_lease_text_write(const ls_lease_text *lease, ls_mark *mark, ls_err *err) {
    char expires[64];
    (void)ls_time_format(lease->expires_ms, true, expires, sizeof expires);
    json_t *json = json_pack("{s:I, s:s, s:s, s:s, s:I}", "generation",
                             (json_int_t)lease->generation, "expires_at", expires, "owner",
                             lease->owner, "id", lease->id, "ttl_ms", (json_int_t)lease->ttl_ms);
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (text == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for a lease");
    }
    mark->len = strlen(text);
    ls_code rc = LS_OK;
    if (mark->len > LS_MARK_MAX) {
        rc = ls_fail(err, LS_ELIMIT, "a lease of %zu bytes is too long", mark->len);
    } else {
        memcpy(mark->text, text, mark->len + 1);
    }
    free(text);
    return rc;
}

static void copy_text(const json_t *json, const char *key, char *to, size_t size) {
    const char *text = json_string_value(json_object_get(json, key));
    (void)snprintf(to, size, "%s", text != NULL ? text : "");
}

static ls_code read_fields(const json_t *json, ls_lease_text *lease) {
    const json_t *generation = json_object_get(json, "generation");
    const json_t *ttl = json_object_get(json, "ttl_ms");
    const char *expires = json_string_value(json_object_get(json, "expires_at"));
    ls_err ignored = LS_ERR_INIT;
    if (!json_is_integer(generation) || json_integer_value(generation) < 0 ||
        json_integer_value(generation) == INT64_MAX || expires == NULL ||
        ls_time_parse(expires, &lease->expires_ms, &ignored) != LS_OK) {
        return LS_ECORRUPT;
    }
    lease->generation = json_integer_value(generation);
    lease->ttl_ms = json_is_integer(ttl) ? json_integer_value(ttl) : LS_LEASE_TTL_DEFAULT_MS;
    copy_text(json, "owner", lease->owner, sizeof lease->owner);
    copy_text(json, "id", lease->id, sizeof lease->id);
    return lease->ttl_ms < 0 || lease->ttl_ms > TTL_MAX_MS ? LS_ECORRUPT : LS_OK;
}

ls_code ls_lease_text_read(const ls_mark *mark, ls_lease_text *lease, ls_err *err) {
    *lease = (ls_lease_text){.ttl_ms = LS_LEASE_TTL_DEFAULT_MS};
    json_t *json = json_loadb(mark->text, mark->len, JSON_REJECT_DUPLICATES, NULL);
    ls_code rc = json != NULL ? read_fields(json, lease) : LS_ECORRUPT;
    json_decref(json);
    return rc == LS_OK ? LS_OK : ls_fail(err, LS_ECORRUPT, LS_LEASE_KEY " is no lease");
}

/* ---- Whose it is ---- */

void ls_lease_owner(char *owner, size_t size) {
    char host[256] = "";
    if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0') {
        (void)snprintf(owner, size, "pid-%ld", (long)getpid());
    } else {
        (void)snprintf(owner, size, "%s:%ld", host, (long)getpid());
    }
}

/* Owners "HOST:PID" of one host. */
static bool same_host(const char *a, const char *b) {
    const char *end_a = strrchr(a, ':'), *end_b = strrchr(b, ':');
    return end_a != NULL && end_b != NULL && end_a - a == end_b - b &&
           strncmp(a, b, (size_t)(end_a - a)) == 0;
}

bool ls_lease_text_over(const ls_lease_text *lease, const ls_mark *mark, const char *owner,
                        int64_t wall_ms) {
    if (lease->ttl_ms == 0) {
        return true;
    }
    if (mark->writer == LS_MARK_ALIVE) {
        return false;
    }
    if (mark->writer == LS_MARK_GONE && same_host(lease->owner, owner)) {
        return true;
    }
    if (mark->age_ms >= 0 && lease->id[0] != '\0') {
        return mark->age_ms >= lease->ttl_ms + ROUNDING_MS;
    }
    bool old = mark->age_ms < 0 || mark->age_ms >= lease->ttl_ms + ROUNDING_MS;
    return old && wall_ms >= lease->expires_ms + SKEW_MS;
}
