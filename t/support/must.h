/*
 * A call of the library that has to succeed.
 */
#ifndef LS_T_MUST_H
#define LS_T_MUST_H

#include "engine/base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Fails the test with the error's text and hint if rc is one. */
static inline void must(ls_code rc, const ls_err *err) {
    if (rc != LS_OK) {
        fail_msg("%s: %s (%s)", ls_code_name(rc), err->msg, ls_err_hint(err));
    }
}

#endif
