/*
 * The forms in which `ltx dump` shows a file: for people, as tab-separated lines, as JSON lines.
 * A form is a table of functions that are called as the file is read, so nothing is held back.
 */
#ifndef LS_CMD_LTX_DUMP_VIEW_H
#define LS_CMD_LTX_DUMP_VIEW_H

#include "engine/ltx/decoder.h"

#include <stdio.h>

typedef struct ls_dump_view ls_dump_view;

typedef struct ls_dump_form {
    void (*start)(const ls_dump_view *v);                          /* once, before any file */
    void (*header)(const ls_dump_view *v, const ls_ltx_header *h); /* also of a bad header */
    void (*pages)(const ls_dump_view *v);                          /* before the first page */
    void (*page)(const ls_dump_view *v, uint32_t frame, const ls_ltx_page *page);
    void (*trailer)(const ls_dump_view *v, const ls_ltx_trailer *t);
} ls_dump_form;

struct ls_dump_view {
    const ls_dump_form *form;
    FILE *out;
    const char *path;   /* of the file being shown */
    bool hex;           /* page contents too */
    bool many;          /* more than one file: each is introduced by its name */
    uint32_t page_size; /* of the file being shown */
};

extern const ls_dump_form ls_dump_text;
extern const ls_dump_form ls_dump_tsv;
extern const ls_dump_form ls_dump_json;

/* 16 bytes a line with offset and characters, as hexdump -C has it; runs of equal lines become one
 * "***", and the last line is always there. len is a multiple of 16. */
void ls_hexdump(const uint8_t *data, size_t len, FILE *out);

#endif
