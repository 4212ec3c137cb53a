/*
 * Fuzz target: headers of LTX files and of databases. What decodes encodes again to the same bytes,
 * and the encoder takes exactly the headers that are valid.
 */
#include "t/fuzz/fuzz.h"

#include "engine/ltx/dbfile.h"
#include "engine/ltx/encoder.h"

static ls_code swallow(ls_writer *w, const void *buf, size_t len, ls_err *err) {
    (void)w;
    (void)buf;
    (void)len;
    (void)err;
    return LS_OK;
}

static void check_encoder(const ls_ltx_header *h, ls_code valid) {
    ls_writer out = {.write = swallow};
    ls_ltx_encoder *enc = NULL;
    ls_err err = LS_ERR_INIT;
    ls_code rc = ls_ltx_encoder_new(&out, h, NULL, &enc, &err);
    EXPECT((rc == LS_OK) == (valid == LS_OK) && (enc != NULL) == (rc == LS_OK));
    if (rc == LS_OK && h->commit == 0)
        EXPECT((ls_ltx_encoder_close(enc, LS_LTX_CHECKSUM_FLAG, NULL, &err) == LS_OK) ==
               ((h->flags & LS_LTX_FLAG_NO_CHECKSUM) == 0));
    ls_ltx_encoder_free(enc);
}

static void check_ltx(const uint8_t *bytes) {
    ls_err err = LS_ERR_INIT;
    ls_ltx_header h;
    uint8_t again[LS_LTX_HEADER_SIZE];
    ls_code rc = ls_ltx_header_decode(bytes, &h, &err);
    EXPECT((rc == LS_OK) == (memcmp(bytes, "LTX1", 4) == 0));
    if (rc != LS_OK)
        return;
    ls_ltx_header_encode(&h, again);
    EXPECT(memcmp(again, bytes, 80) == 0);
    check_encoder(&h, ls_ltx_header_validate(&h, &err));
}

static void check_db(const uint8_t *bytes) {
    ls_err err = LS_ERR_INIT;
    uint32_t page_size = 0;
    uint32_t pages = 0;
    if (ls_db_header_parse(bytes, &page_size, &pages, &err) == LS_OK)
        EXPECT(ls_ltx_page_size_valid(page_size) && memcmp(bytes, "SQLite format 3", 16) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t bytes[LS_LTX_HEADER_SIZE] = {0};
    if (size > 0)
        memcpy(bytes, data, size < sizeof bytes ? size : sizeof bytes);
    check_ltx(bytes);
    check_db(bytes);
    return 0;
}
