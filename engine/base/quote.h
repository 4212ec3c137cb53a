/*
 * Text made safe for one line of a log or of JSON. Bytes that are no UTF-8 become escapes, so that
 * a name from a disk or a store cannot forge a record.
 */
#ifndef LS_BASE_QUOTE_H
#define LS_BASE_QUOTE_H

#include "engine/base/buf.h"

#include <stdint.h>

/* First character of text[0..len), len > 0; returns its bytes (1..4). What is no UTF-8 (also
 * surrogates and overlong forms) is one byte and gives *rune 0xFFFD. */
size_t ls_utf8_decode(const char *text, size_t len, uint32_t *rune);

/* Would a terminal show this character as itself? False for controls, formats, private use, blanks
 * other than the space, and what is no character. */
bool ls_rune_printable(uint32_t rune);

/* Must text be quoted in a text log: empty, a blank, '=', '"', a control or not printable. */
bool ls_quote_needed(const char *text, size_t len);

/* Appends text in double quotes with Go's escapes (\n \x1b \u00a0). */
LS_MUST ls_code ls_quote_go(ls_buf *buf, const char *text, size_t len, ls_err *err);

/* Appends text as a JSON string, quotes included; < > & are left as they are. */
LS_MUST ls_code ls_quote_json(ls_buf *buf, const char *text, size_t len, ls_err *err);

#endif
