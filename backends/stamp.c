/* Timestamps in metadata; see stamp.h. */
#include "backends/stamp.h"

#include "engine/base/text.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

char *ls_stamp_format(int64_t ms, char buf[LS_STAMP_SIZE]) {
    (void)ls_time_format(ms, true, buf, LS_STAMP_SIZE);
    char *end = buf + strlen(buf) - 1; /* the Z */
    char *last = end;
    while (last > buf && last[-1] == '0' && strchr(buf, '.') != NULL &&
           last - 1 > strchr(buf, '.')) {
        last--;
    }
    if (last > buf && last[-1] == '.') {
        last--;
    }
    memmove(last, end, 2);
    return buf;
}

bool ls_stamp_describes(const ls_http_answer *a, const char *stamp, const char *date,
                        ls_ltx_info *file) {
    ls_err ignored = LS_ERR_INIT;
    const char *size = ls_http_header_of(a->headers, a->n_headers, "Content-Length");
    const char *ours = ls_http_header_of(a->headers, a->n_headers, stamp);
    const char *theirs = ls_http_header_of(a->headers, a->n_headers, date);
    char *end = NULL;
    file->size = size != NULL ? strtoull(size, &end, 10) : 0;
    if (ours == NULL || ls_time_parse(ours, &file->created_ms, &ignored) != LS_OK) {
        time_t t = theirs != NULL ? curl_getdate(theirs, NULL) : -1;
        file->created_ms = t != -1 ? (int64_t)t * 1000 : 0;
    }
    return size != NULL && end != size && *end == '\0';
}
