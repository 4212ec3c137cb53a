/*
 * XML that services answer with, as a sequence of elements: the callback gets each element at its
 * end, with the names that lead to it. Nothing but names and text counts: no attributes, no
 * prefixes, no entities but the five of XML; document types are refused. For the stores alone.
 */
#ifndef LS_BACKENDS_XML_H
#define LS_BACKENDS_XML_H

#include "engine/base/error.h"

#define LS_XML_DEPTH_MAX 16
#define LS_XML_NAME_MAX 64
#define LS_XML_TEXT_MAX 65536 /* of one element; a session token has some thousand bytes */

/* path: "ListBucketResult/Contents/Key"; text: what the element holds, "" if that is elements.
 * Anything but LS_OK ends the reading and is what it returns. */
typedef ls_code (*ls_xml_fn)(void *arg, const char *path, const char *text, ls_err *err);

/* LS_EREMOTE for what is no XML, or beyond the limits. */
LS_MUST ls_code ls_xml_read(const char *data, size_t len, ls_xml_fn fn, void *arg, ls_err *err);

#endif
