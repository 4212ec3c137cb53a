/* XML as a sequence of elements, by expat; see xml.h. */
#include "backends/xml.h"

#include "engine/base/buf.h"

#include <expat.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct reading {
    XML_Parser parser;
    char path[LS_XML_DEPTH_MAX * (LS_XML_NAME_MAX + 1) + 1];
    int depth;
    ls_buf text;
    ls_xml_fn fn;
    void *arg;
    ls_code code;
    ls_err *err;
} reading;

/* Of an empty element expat tells the end even if it was stopped at its start. */
static void stop(reading *r, ls_code code) {
    r->code = code;
    (void)XML_StopParser(r->parser, XML_FALSE);
}

static void on_start(void *arg, const XML_Char *name, const XML_Char **attributes) {
    reading *r = arg;
    (void)attributes;
    const char *colon = strrchr(name, ':');
    const char *local = colon != NULL && colon[1] != '\0' ? colon + 1 : name;
    if (r->depth == LS_XML_DEPTH_MAX || strnlen(local, LS_XML_NAME_MAX + 1) > LS_XML_NAME_MAX) {
        stop(r, ls_fail(r->err, LS_EREMOTE, "answer has names or depths that no service uses"));
        return;
    }
    size_t len = strlen(r->path);
    (void)snprintf(r->path + len, sizeof r->path - len, "%s%s", len > 0 ? "/" : "", local);
    r->depth++;
    ls_buf_clear(&r->text);
}

static void on_end(void *arg, const XML_Char *name) {
    reading *r = arg;
    (void)name;
    if (r->code != LS_OK) {
        return;
    }
    ls_code code = r->fn(r->arg, r->path, ls_buf_str(&r->text), r->err);
    char *slash = strrchr(r->path, '/');
    *(slash != NULL ? slash : r->path) = '\0';
    r->depth--;
    ls_buf_clear(&r->text);
    if (code != LS_OK) {
        stop(r, code);
    }
}

static void on_text(void *arg, const XML_Char *text, int len) {
    reading *r = arg;
    ls_code code = ls_buf_add(&r->text, text, (size_t)len, r->err);
    if (code == LS_ELIMIT) {
        code = ls_fail(r->err, LS_EREMOTE, "answer has an element of more than %d bytes",
                       LS_XML_TEXT_MAX);
    }
    if (code != LS_OK) {
        stop(r, code);
    }
}

static void on_doctype(void *arg, const XML_Char *name, const XML_Char *system,
                       const XML_Char *public, int internal) {
    reading *r = arg;
    (void)name;
    (void)system;
    (void)public;
    (void)internal;
    stop(r, ls_fail(r->err, LS_EREMOTE, "answer has a document type, which no service sends"));
}

static ls_code parse(reading *r, const char *data, size_t len) {
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
    enum XML_Status status = XML_Parse(r->parser, data, (int)len, XML_TRUE);
    if (r->code != LS_OK || status == XML_STATUS_OK) {
        return r->code;
    }
    enum XML_Error error = XML_GetErrorCode(r->parser);
    return error == XML_ERROR_NO_MEMORY
               ? ls_fail(r->err, LS_ENOMEM, "no memory to read an answer")
               : ls_fail(r->err, LS_EREMOTE, "answer is no XML: %s", XML_ErrorString(error));
}

ls_code ls_xml_read(const char *data, size_t len, ls_xml_fn fn, void *arg, ls_err *err) {
    if (len > INT_MAX) {
        return ls_fail(err, LS_EREMOTE, "answer of %zu bytes", len);
    }
    reading r = {.fn = fn, .arg = arg, .err = err, .parser = XML_ParserCreate(NULL)};
    if (r.parser == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to read an answer");
    }
    ls_buf_init(&r.text, LS_XML_TEXT_MAX);
    ls_code code = parse(&r, data != NULL ? data : "", data != NULL ? len : 0);
    ls_buf_done(&r.text);
    XML_ParserFree(r.parser);
    return code;
}
