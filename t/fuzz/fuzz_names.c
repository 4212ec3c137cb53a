/*
 * Fuzz target: a text as file name, TXID, checksum and position. What is accepted is what the
 * formatting functions make of the result.
 */
#include "t/fuzz/fuzz.h"

#include "engine/ltx/ltx.h"

#include <strings.h>

static void check_name(const char *text) {
    ls_txid min;
    ls_txid max;
    char again[LS_LTX_NAME_SIZE];
    if (ls_ltx_name_parse(text, &min, &max))
        EXPECT(strcmp(ls_ltx_name_format(min, max, again), text) == 0);
}

static void check_txid(const char *text) {
    ls_txid txid = 0;
    char again[LS_TXID_SIZE];
    ls_err err = LS_ERR_INIT;
    ls_code rc = ls_txid_parse(text, &txid, &err);
    EXPECT((rc == LS_OK) == (err.msg[0] == '\0'));
    if (rc == LS_OK)
        EXPECT(strcasecmp(ls_txid_format(txid, again), text) == 0);
    uint64_t sum = 0;
    ls_err sum_err = LS_ERR_INIT;
    EXPECT(ls_ltx_checksum_parse(text, &sum, &sum_err) == rc && sum == txid);
}

static void check_position(const char *text) {
    ls_txid txid = 0;
    uint64_t sum = 0;
    ls_err err = LS_ERR_INIT;
    if (ls_ltx_pos_parse(text, &txid, &sum, &err) != LS_OK)
        return;
    char again[LS_TXID_SIZE];
    EXPECT(strlen(text) == 33);
    EXPECT(strncasecmp(ls_txid_format(txid, again), text, 16) == 0);
    EXPECT(strcasecmp(ls_txid_format(sum, again), text + 17) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = malloc(size + 1);
    EXPECT(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    check_name(text);
    check_txid(text);
    check_position(text);
    free(text);
    return 0;
}
