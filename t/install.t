#!/bin/sh
# What `make install` puts down is enough for another program: it is compiled with what pkg-config
# says, linked with the shared library, and runs.
set -u

n=0
ok() { # STATUS NAME
    n=$((n + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $n - $2"
    else
        echo "not ok $n - $2"
        sed 's/^/# /' "$dir/out"
    fi
}

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
dest=$dir/dest
echo 1..7

make -C "$LS_BUILD" install DESTDIR="$dest" >"$dir/out" 2>&1
ok $? "make install DESTDIR"

prefix=$(sed -n 's/^prefix=//p' "$LS_BUILD/engine/litestream.pc")
pc=$(find "$dest$prefix" -name litestream.pc)
PKG_CONFIG_LIBDIR=$(dirname "$pc"):$(pkg-config --variable pc_path pkg-config)
export PKG_CONFIG_LIBDIR
# A build without the shared library is linked with --static.
[ -n "$(find "$dest$prefix" -name 'liblitestream.so')" ] && static='' || static=--static
# The sysroot stands for the folder that DESTDIR is in a package's build.
# shellcheck disable=SC2086 # nothing or one word
flags=$(pkg-config $static --define-variable=prefix="$dest$prefix" --cflags --libs litestream 2>"$dir/out")
ok $? "pkg-config knows litestream"

cat >"$dir/program.c" <<'C'
#include <engine/litestream.h>
#include <stdio.h>

int main(int argc, char **argv) {
    ls_err err = LS_ERR_INIT;
    ls_storage *s = NULL;
    ls_plan plan = {0};
    if (ls_storage_open_url(argc > 1 ? argv[1] : "", &s, &err) == LS_OK &&
        ls_plan_make(s, 0, LS_NO_TIMESTAMP, &plan, &err) == LS_OK)
        puts("a plan");
    printf("%s\n%s\n", ls_version(), ls_code_name(err.code));
    ls_plan_done(&plan);
    ls_storage_free(s);
    return 0;
}
C
# shellcheck disable=SC2086 # a list of words
${CC:-cc} -std=c17 -Wall -Wextra -pedantic -Werror -o "$dir/program" "$dir/program.c" $flags \
    >"$dir/out" 2>&1
ok $? "a program compiles and links with the installed headers and library"

lib=$(dirname "$(find "$dest$prefix" -name liblitestream.a)")
mkdir "$dir/empty"
LD_LIBRARY_PATH=$lib "$dir/program" "file://$dir/empty" >"$dir/out" 2>&1
ok $? "it runs with the installed library"

version=$(pkg-config --modversion litestream)
test "$(sed -n 1p "$dir/out")" = "$version"
ok $? "ls_version is what pkg-config says: $version"
test "$(sed -n 2p "$dir/out")" = no_backup
ok $? "an empty replica gives it the code no_backup"

"$dest$prefix/bin/litestream" version >"$dir/out" 2>&1 && grep -q "$version" "$dir/out"
ok $? "the installed litestream runs and names the same version"
