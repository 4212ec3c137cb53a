#!/bin/sh
# Every fuzz target over its corpora. Less inputs than there should be would prove nothing.
set -u

vectors=$LS_SRC/t/vectors
seeds=$LS_SRC/t/fuzz/corpus
n=0

# replay TARGET LEAST FILE|FOLDER...
replay() {
    target=$1
    least=$2
    shift 2
    n=$((n + 1))
    out=$("$LS_BUILD/t/fuzz/fuzz_$target" -runs=0 "$@" 2>&1)
    status=$?
    count=$(find "$@" -type f | wc -l)
    if [ $status -eq 0 ] && [ "$count" -ge "$least" ]; then
        echo "ok $n - $target ($count inputs)"
    else
        echo "not ok $n - $target ($count inputs, expected $least; status $status)"
        echo "$out" | tail -n 40 | sed 's/^/# /'
    fi
}

echo 1..12
replay btree 40 "$seeds/btree"
replay config 16 "$seeds/config"
replay control 13 "$seeds/control"
replay decoder 370 "$vectors/ltx" "$vectors/compact" "$vectors/corrupt" "$seeds/decoder"
replay index 370 "$vectors/ltx" "$vectors/compact" "$vectors/corrupt" "$seeds/index"
replay wal 20 "$seeds/wal"
replay names 10 "$seeds/names"
replay answer 9 "$seeds/answer"
replay env 8 "$seeds/env"
replay url 30 "$seeds/url"
replay xml 8 "$seeds/xml"
replay header 370 "$vectors/ltx" "$vectors/compact" "$vectors/corrupt" "$vectors/db" "$seeds/header"
