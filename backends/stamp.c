/* Timestamps in metadata; see stamp.h. */
#include "backends/stamp.h"

#include "engine/base/text.h"

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
