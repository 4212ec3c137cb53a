/*
 * Listings of WebDAV: the multistatus that a PROPFIND is answered with, read as it comes, so that a
 * folder may be of any size.
 *
 * Elements are known by their namespace, whatever prefix a server gives it. A response counts as a
 * file unless it says that it is a collection. What is in no propstat of status 200 has no value.
 */
#include "backends/webdav.h"

#include <ctype.h>
#include <curl/curl.h>
#include <expat.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK (32 * 1024)
#define TEXT_MAX 4096
#define DEPTH_MAX 32
#define DAV "DAV:|"

typedef struct listing {
    XML_Parser parser;
    ls_window *w;
    ls_err *err;
    ls_code code;
    int depth;
    char text[TEXT_MAX]; /* of the element at hand */
    size_t len;
    bool too_long;
    char href[TEXT_MAX]; /* of the response at hand */
    bool is_collection;
    uint64_t size;
    int64_t created_ms;
} listing;

static void stop(listing *l, ls_code code) {
    l->code = code;
    (void)XML_StopParser(l->parser, XML_FALSE);
}

/* ---- one response ---- */

static int hex(char c) {
    static const char digits[] = "0123456789abcdef";
    const char *at = c != '\0' ? strchr(digits, tolower((unsigned char)c)) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

/* The last part of a URL or path, decoded; "" if there is none. */
static void last_name(const char *href, char *out, size_t size) {
    size_t end = strcspn(href, "?#");
    size_t start = end;
    while (start > 0 && href[start - 1] != '/') {
        start--;
    }
    size_t n = 0;
    for (size_t i = start; i < end && n + 1 < size; i++) {
        int high = href[i] == '%' ? hex(href[i + 1]) : -1;
        int low = high >= 0 ? hex(href[i + 2]) : -1;
        out[n++] = (char)(low >= 0 ? high << 4 | low : href[i]);
        i += low >= 0 ? 2 : 0;
    }
    out[n] = '\0';
}

static void end_response(listing *l) {
    char name[LS_LTX_NAME_SIZE + 8];
    last_name(l->href, name, sizeof name);
    if (!l->is_collection) {
        ls_code code = ls_window_add(l->w, name, l->size, l->created_ms, l->err);
        if (code != LS_OK) {
            stop(l, code);
        }
    }
}

/* ---- what expat calls ---- */

static void XMLCALL on_start(void *arg, const char *name, const char **attributes) {
    listing *l = arg;
    (void)attributes;
    l->len = 0;
    l->too_long = false;
    if (++l->depth > DEPTH_MAX) {
        stop(l, ls_fail(l->err, LS_EREMOTE, "a listing of too many levels"));
    } else if (strcmp(name, DAV "response") == 0) {
        l->href[0] = '\0';
        l->is_collection = false;
        l->size = 0;
        l->created_ms = 0;
    } else if (strcmp(name, DAV "collection") == 0) {
        l->is_collection = true;
    }
}

static void XMLCALL on_text(void *arg, const char *text, int n) {
    listing *l = arg;
    if (l->len + (size_t)n >= TEXT_MAX) {
        l->too_long = true; /* no value that is asked for is so long */
        return;
    }
    memcpy(l->text + l->len, text, (size_t)n);
    l->len += (size_t)n;
}

static void XMLCALL on_end(void *arg, const char *name) {
    listing *l = arg;
    l->depth--;
    l->text[l->too_long ? 0 : l->len] = '\0';
    if (strcmp(name, DAV "response") == 0) {
        end_response(l);
    } else if (strcmp(name, DAV "href") == 0 && l->href[0] == '\0') {
        memcpy(l->href, l->text, strlen(l->text) + 1);
    } else if (strcmp(name, DAV "getcontentlength") == 0 && l->text[0] != '\0') {
        l->size = strtoull(l->text, NULL, 10);
    } else if (strcmp(name, DAV "getlastmodified") == 0 && l->text[0] != '\0') {
        time_t seconds = curl_getdate(l->text, NULL);
        l->created_ms = seconds > 0 ? (int64_t)seconds * 1000 : 0;
    }
    l->len = 0;
}

/* A document type could define entities without end. */
static void XMLCALL on_doctype(void *arg, const char *name, const char *system, const char *public,
                               int internal) {
    listing *l = arg;
    (void)name, (void)system, (void)public, (void)internal;
    stop(l, ls_fail(l->err, LS_EREMOTE, "a listing with a document type"));
}

static ls_code parse(listing *l, const char *data, size_t n, ls_err *err) {
    if (XML_Parse(l->parser, data, (int)n, n == 0) == XML_STATUS_OK) {
        return LS_OK;
    }
    return l->code != LS_OK ? l->code
                            : ls_fail(err, LS_EREMOTE, "a listing that is no XML: line %lu: %s",
                                      (unsigned long)XML_GetCurrentLineNumber(l->parser),
                                      XML_ErrorString(XML_GetErrorCode(l->parser)));
}

ls_code ls_dav_read_listing(ls_reader *body, ls_window *w, ls_err *err) {
    listing *l = calloc(1, sizeof *l);
    char *buf = malloc(CHUNK);
    XML_Parser parser = XML_ParserCreateNS("UTF-8", '|');
    ls_code code = LS_OK;
    if (l == NULL || buf == NULL || parser == NULL) {
        code = ls_fail(err, LS_ENOMEM, "no memory to read a listing");
    } else {
        l->parser = parser;
        l->w = w;
        l->err = err;
        XML_SetUserData(parser, l);
        XML_SetElementHandler(parser, on_start, on_end);
        XML_SetCharacterDataHandler(parser, on_text);
        XML_SetStartDoctypeDeclHandler(parser, on_doctype);
    }
    size_t got = 1;
    while (code == LS_OK && got > 0) {
        code = ls_read_full(body, buf, CHUNK, &got, err);
        if (code == LS_OK) {
            code = parse(l, buf, got, err);
        }
    }
    if (parser != NULL) {
        XML_ParserFree(parser);
    }
    free(buf);
    free(l);
    return code;
}
