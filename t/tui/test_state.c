/* The state file and the themes: what is kept is kept, what is damaged is ignored and told. */
#include "tui/state.h"

#include "engine/base/file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/ls-state-XXXXXX";
static char path[200];

static int make_folder(void **state) {
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof(path), "%s/new/litestream-tui/state", folder);
    return 0;
}

static int remove_folder(void **state) {
    ls_err err = LS_ERR_INIT;
    (void)state;
    return ls_remove_tree(folder, &err) == LS_OK ? 0 : -1;
}

static void write_raw(const char *text, size_t len) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), (ssize_t)len);
    (void)close(fd);
}

static void keeps_what_was(void **arg) {
    (void)arg;
    ls_err err = LS_ERR_INIT;
    tui_state s = state_new(), got;
    s.view = VIEW_TIMELINE;
    s.theme = THEME_LIGHT;
    s.by_time = true;
    s.order[VIEW_FILES].column = 4;
    s.order[VIEW_FILES].reverse = true;
    s.order[VIEW_PAGES].column = 2;
    assert_int_equal(state_write(path, &s, &err), LS_OK);
    assert_int_equal(state_read(path, &got, &err), LS_OK);
    assert_memory_equal(&got, &s, sizeof(s));
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    char tmp[220];
    (void)snprintf(tmp, sizeof(tmp), "%s.tmp", path);
    assert_int_not_equal(access(tmp, F_OK), 0);
}

static void no_file_is_no_error(void **arg) {
    (void)arg;
    ls_err err = LS_ERR_INIT;
    tui_state s;
    assert_int_equal(state_read("/nonexistent/state", &s, &err), LS_OK);
    assert_int_equal(err.code, LS_OK);
    assert_int_equal(s.view, VIEW_COUNT);
    assert_int_equal(s.theme, THEME_COUNT);
}

/* None of it may be taken, all of it must be said. */
static void damage_is_ignored_and_told(void **arg) {
    static const char *const texts[] = {"view nosuch\n",
                                        "view pages\n", /* no tab */
                                        "view levels",  /* cut */
                                        "theme\n",
                                        "theme blue\n",
                                        "view levels\nnonsense here\n",
                                        "order files\n",
                                        "order files -1\n",
                                        "order files 1 upside\n",
                                        "order nosuch 1\n",
                                        "axis sideways\n",
                                        ("\x7f"
                                         "ELF\n")};
    (void)arg;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        ls_err err = LS_ERR_INIT;
        tui_state s;
        write_raw(texts[i], strlen(texts[i]));
        assert_int_equal(state_read(path, &s, &err), LS_EFORMAT);
        assert_non_null(strstr(err.msg, path));
        assert_int_equal(s.view, VIEW_COUNT);
        assert_int_equal(s.theme, THEME_COUNT);
        assert_int_equal(s.order[VIEW_FILES].column, 0);
    }
    ls_err err = LS_ERR_INIT;
    tui_state s;
    write_raw("view levels\n\0\n", 14);
    assert_int_equal(state_read(path, &s, &err), LS_EFORMAT);
}

static void other_things_are_not_read(void **arg) {
    (void)arg;
    char *large = calloc(1, STATE_MAX_BYTES + 2);
    ls_err err = LS_ERR_INIT;
    tui_state s;
    assert_non_null(large);
    memset(large, '\n', STATE_MAX_BYTES + 1);
    write_raw(large, STATE_MAX_BYTES + 1);
    free(large);
    assert_int_equal(state_read(path, &s, &err), LS_EFORMAT);
    assert_int_equal(state_read(folder, &s, &err), LS_EFORMAT);
    (void)unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(state_read(path, &s, &err), LS_EFORMAT); /* and does not wait for a writer */
    (void)unlink(path);
}

static void the_folder_is_by_the_environment(void **arg) {
    (void)arg;
    (void)setenv("XDG_STATE_HOME", "/x/state", 1);
    char *p = state_path();
    assert_string_equal(p, "/x/state/litestream-tui/state");
    free(p);
    (void)setenv("XDG_STATE_HOME", "relative", 1);
    (void)setenv("HOME", "/home/me", 1);
    p = state_path();
    assert_string_equal(p, "/home/me/.local/state/litestream-tui/state");
    free(p);
    (void)unsetenv("HOME");
    assert_null(state_path());
}

static void themes_are_by_meaning(void **arg) {
    (void)arg;
    for (theme_id t = 0; t < THEME_COUNT; t++) {
        assert_int_equal(theme_of_name(theme_table[t].name), t);
        for (int m = 0; m < MEANINGS; m++) {
            const theme_style *s = theme_style_of(t, (meaning)m);
            assert_int_equal(theme_colour(s, 0), -1);
            assert_true(s->fg8 < 8 && s->fg16 < 16 && s->fg256 < 256);
            assert_true(t != THEME_MONO || s->fg256 == -1);
        }
    }
    assert_int_equal(theme_of_name("blue"), THEME_COUNT);
    assert_int_not_equal(theme_colour(theme_style_of(THEME_DARK, ALERT), 256),
                         theme_colour(theme_style_of(THEME_DARK, GOOD), 256));
}

static void the_environment_chooses(void **arg) {
    (void)arg;
    (void)unsetenv("NO_COLOR");
    (void)unsetenv("COLORFGBG");
    assert_int_equal(theme_of_environment(), THEME_DARK);
    (void)setenv("COLORFGBG", "0;15", 1);
    assert_int_equal(theme_of_environment(), THEME_LIGHT);
    (void)setenv("COLORFGBG", "15;default;0", 1);
    assert_int_equal(theme_of_environment(), THEME_DARK);
    (void)setenv("NO_COLOR", "1", 1);
    assert_int_equal(theme_of_environment(), THEME_MONO);
    (void)setenv("NO_COLOR", "", 1);
    assert_int_equal(theme_of_environment(), THEME_DARK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_was),
        cmocka_unit_test(no_file_is_no_error),
        cmocka_unit_test(damage_is_ignored_and_told),
        cmocka_unit_test(other_things_are_not_read),
        cmocka_unit_test(the_folder_is_by_the_environment),
        cmocka_unit_test(themes_are_by_meaning),
        cmocka_unit_test(the_environment_chooses),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
