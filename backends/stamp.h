/* The timestamp of a file as stores keep it in an object's metadata. For the stores alone. */
#ifndef LS_BACKENDS_STAMP_H
#define LS_BACKENDS_STAMP_H

#include "backends/http.h"

/* RFC 3339 in UTC, with a fraction of as many digits as it needs: "2026-11-21T09:14:09.38Z", as the
 * reference writes it. Returns buf. */
#define LS_STAMP_SIZE 40
char *ls_stamp_format(int64_t ms, char buf[LS_STAMP_SIZE]);

/* What an answer's headers say of an object: the timestamp that we gave it, in header stamp, else
 * the service's own date in header date; 0 without either. Its size is the Content-Length, 0
 * without; false: there is no whole Content-Length. */
bool ls_stamp_describes(const ls_http_answer *a, const char *stamp, const char *date,
                        ls_ltx_info *file);

#endif
