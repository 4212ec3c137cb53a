/*
 * The stores of this build, each defined in its own file; a store that is left out at configure
 * time has no entry. For schemes.c and the stores alone.
 */
#ifndef LS_BACKENDS_SCHEMES_H
#define LS_BACKENDS_SCHEMES_H

#include "backends/settings.h"

extern const ls_store_scheme ls_file_scheme;
extern const ls_store_scheme ls_s3_scheme;
extern const ls_store_scheme ls_gs_scheme;
extern const ls_store_scheme ls_abs_scheme;
extern const ls_store_scheme ls_oss_scheme;
extern const ls_store_scheme ls_sftp_scheme;
extern const ls_store_scheme ls_webdav_scheme;
extern const ls_store_scheme ls_nats_scheme;

/* Is word, of len bytes and in any case, one of the words of list, which '|' sets apart? list may
 * be NULL. */
bool ls_word_in(const char *list, const char *word, size_t len);

#endif
