/*
 * Replica URLs as text.
 */
#ifndef LS_BACKENDS_URL_H
#define LS_BACKENDS_URL_H

#include "engine/base/error.h"

/* The path that a file: URL names, as the reference reads it: everything behind "file:" and its
 * slashes, so that file://a/b is /a/b; query dropped; percent-encoding kept, and applied to
 * characters that a URL may not hold; cleaned, not yet absolute. malloc'd. LS_EINVALID for what is
 * no URL. */
LS_MUST ls_code ls_url_file_path(const char *url, char **path, ls_err *err);

#endif
