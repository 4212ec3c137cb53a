#!/bin/sh
# Rules of the sources that a reader can check by looking, checked by looking.
set -u
cd "$LS_SRC" || exit 1

n=0
# none NAME OUTPUT: passes if there is no output.
none() {
    n=$((n + 1))
    if [ -z "$2" ]; then
        echo "ok $n - $1"
    else
        echo "not ok $n - $1"
        echo "$2" | sed 's/^/# /'
    fi
}

sources=$(find engine backends cmd t -name '*.[ch]' | sort)
product=$(find engine backends cmd -name '*.[ch]' | sort)
echo 1..6

# shellcheck disable=SC2086 # lists of files, here and below
none "functions that cannot be used safely are not used" \
    "$(grep -nE '\<(sprintf|vsprintf|strcpy|strcat|strtok|atoi|atol|gets|alloca)\(' $sources)"

# shellcheck disable=SC2086
none "nothing is left for later" "$(grep -nE '\<(TODO|FIXME|XXX|HACK)\>' $sources)"

# shellcheck disable=SC2086
none "every file says at its top what it is" \
    "$(for f in $sources; do head -n 1 "$f" | grep -q '^/\*' || echo "$f"; done)"

# A function begins in the first column, its body ends with a brace there.
# shellcheck disable=SC2086
none "no function is longer than 100 lines" "$(awk '
    FNR == 1 { start = 0 }
    /^[a-z].*[^;]$/ && !/^(typedef|enum|struct [a-z_]* \{|union)/ { if (!start) start = FNR }
    /^[^ \t].*;$/ { start = 0 }
    /^}/ { if (start && FNR - start > 100) print FILENAME ":" start ": " FNR - start " lines"; start = 0 }
' $sources)"

# Flags may stand on the lines before or after.
# shellcheck disable=SC2086
none "every descriptor is closed when another program is started" \
    "$(grep -nE '(^|[^_>.a-z])(open|openat|fopen|mkostemp)\(' $product |
        while IFS=: read -r file line rest; do
            from=$((line > 8 ? line - 8 : 1))
            sed -n "$from,$((line + 2))p" "$file" | grep -qE 'CLOEXEC|"[rwa]b?e"' ||
                echo "$file:$line:$rest"
        done | grep -v ':[0-9]*: \*')"

# Under a static library every name is everyone's.
none "names with external linkage start with ls_" \
    "$(nm -g --defined-only "$LS_BUILD/.libs/liblitestream.a" 2>/dev/null |
        awk 'NF == 3 && $3 !~ /^(ls_|_?_?[a-z]*san_|__odr_asan|__gcov)/ { print $3 }')"
