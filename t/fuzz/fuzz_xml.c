/*
 * Fuzz target: some bytes as what a service answers in XML: any, and a listing of S3. What comes of
 * a listing are names, sizes and a token within their limits.
 */
#include "t/fuzz/fuzz.h"

#include "backends/xml.h"
#ifdef HAVE_S3
#include "backends/s3_store.h"
#endif

static ls_code see_element(void *arg, const char *path, const char *text, ls_err *err) {
    (void)arg;
    (void)err;
    EXPECT(path[0] != '\0' && strlen(path) <= LS_XML_DEPTH_MAX * (LS_XML_NAME_MAX + 1));
    EXPECT(strlen(text) <= LS_XML_TEXT_MAX);
    return LS_OK;
}

#ifdef HAVE_S3
static ls_code see_object(void *arg, const char *name, uint64_t size, int64_t modified_ms,
                          ls_err *err) {
    (void)arg;
    (void)size;
    (void)modified_ms;
    (void)err;
    EXPECT(name[0] != '\0' && strlen(name) <= LS_S3_KEY_MAX);
    return LS_OK;
}

static void check_listing(const char *data, size_t size) {
    ls_s3_listing *l = calloc(1, sizeof *l);
    ls_err err = LS_ERR_INIT;
    EXPECT(l != NULL);
    l->prefix = "db/0000/";
    l->fn = see_object;
    if (ls_s3_read_listing(data, size, l, &err) == LS_OK)
        EXPECT(l->truncated == (l->token[0] != '\0'));
    free(l);
}
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ls_err err = LS_ERR_INIT;
    ls_code rc = ls_xml_read((const char *)data, size, see_element, NULL, &err);
    EXPECT((rc == LS_OK) == (err.msg[0] == '\0'));
#ifdef HAVE_S3
    check_listing((const char *)data, size);
#endif
    return 0;
}
