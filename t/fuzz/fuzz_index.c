/*
 * Fuzz target: page indexes. Bytes that begin as an LTX file are one, of which the index is read
 * from the end and every frame it names is decoded; others are
 *   u8 page size (512 << n & 7), bit 7: snapshot; u32 Commit; u32 where the index begins; the index
 *
 * What is accepted is exactly what a writer makes of these entries.
 */
#include "t/fuzz/fuzz.h"

#include "engine/ltx/bytes.h"
#include "engine/ltx/index.h"
#include "engine/ltx/page.h"

static uint8_t page[LS_LTX_MAX_PAGE_SIZE];

/* The bytes of the index that the entry must be, which end at p. */
static void check_entry(const ls_ltx_entry *e, const uint8_t **at, const uint8_t *end) {
    uint8_t bytes[3 * LS_VARINT_MAX];
    size_t n = put_varint(bytes, e->pgno);
    n += put_varint(bytes + n, e->offset);
    n += put_varint(bytes + n, e->size);
    EXPECT((size_t)(end - *at) >= n && memcmp(*at, bytes, n) == 0);
    *at += n;
}

/* file is NULL where there are no frames. */
static void walk(const ls_ltx_header *h, const ls_ltx_tail *tail, const uint8_t *index,
                 const uint8_t *file) {
    ls_err err = LS_ERR_INIT;
    fuzz_reader in = fuzz_reader_of(index, (size_t)tail->index_size, 5);
    ls_ltx_index_iter *it = NULL;
    const uint8_t *at = index;
    const uint8_t *index_end = index + tail->index_size;
    uint64_t expected = LS_LTX_HEADER_SIZE;
    bool end = false;
    if (ls_ltx_index_iter_new(&in.base, h, tail, &it, &err) != LS_OK)
        return;
    ls_code rc = LS_OK;
    while (rc == LS_OK && !end) {
        ls_ltx_entry e;
        rc = ls_ltx_index_iter_next(it, &e, &end, &err);
        if (rc != LS_OK || end)
            break;
        check_entry(&e, &at, index_end);
        EXPECT(e.offset == expected && e.pgno <= h->commit);
        expected += e.size;
        EXPECT(expected + LS_LTX_PAGE_HEADER_SIZE <= tail->index_offset);
        uint32_t pgno = 0;
        uint16_t flags = 0;
        ls_err none = LS_ERR_INIT;
        if (file != NULL)
            (void)!ls_ltx_page_decode(NULL, file + e.offset, e.size, page, h->page_size, &pgno,
                                      &flags, &none);
    }
    EXPECT(rc != LS_OK || (at + 1 == index_end && *at == 0 &&
                           expected + LS_LTX_PAGE_HEADER_SIZE == tail->index_offset));
    ls_ltx_index_iter_free(it);
}

static void walk_file(const uint8_t *data, size_t size) {
    ls_err err = LS_ERR_INIT;
    ls_ltx_header h;
    ls_ltx_tail tail;
    if (size < LS_LTX_HEADER_SIZE || ls_ltx_header_decode(data, &h, &err) != LS_OK ||
        ls_ltx_tail_decode(data + size - 24, size, &tail, &err) != LS_OK)
        return;
    walk(&h, &tail, data + tail.index_offset, data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size >= 4 && memcmp(data, "LTX1", 4) == 0) {
        walk_file(data, size);
        return 0;
    }
    if (size < 9)
        return 0;
    ls_ltx_header h = {.flags = LS_LTX_FLAG_NO_CHECKSUM,
                       .page_size = 512u << (data[0] & 7),
                       .commit = get_be32(data + 1),
                       .min_txid = (data[0] & 0x80) != 0 ? 1 : 2,
                       .max_txid = 2};
    ls_ltx_tail tail = {.index_offset = get_be32(data + 5), .index_size = size - 9};
    walk(&h, &tail, data + 9, NULL);
    return 0;
}
