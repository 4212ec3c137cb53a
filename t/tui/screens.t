#!/bin/sh
# Screens of litestream-tui as text: fixed data (the vectors' replica), fixed sizes, scripted keys.
tui=$LS_BUILD/litestream-tui
vectors=$LS_SRC/t/vectors
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
same() { # name: standard input is what $tmp/got should be
    n=$((n + 1))
    cat >"$tmp/want"
    if cmp -s "$tmp/want" "$tmp/got"; then
        echo "ok $n - $1"
    else
        echo "not ok $n - $1"
        diff "$tmp/want" "$tmp/got" | sed 's/^/# /'
    fi
}
check() { # name status: 0 is ok
    n=$((n + 1))
    [ "$2" -eq 0 ] && echo "ok $n - $1" || echo "not ok $n - $1"
}

"$tui" -once files -size 60x16 "$vectors/ltx/snap-ps512.v051.ltx" >"$tmp/got"
sed -i 's| */.*ltx$||' "$tmp/got"
same 'files of a single file' <<'EOF'
 Files
 LEVEL  FIRST TXID        LAST TXID            SIZE  CREATED
 0      0000000000000001  0000000000000001   1.5 kB  2023-11











 file 1 of 1   1.5 kB in all
 enter open  r refresh  ? help  q back
EOF

"$tui" -once files -size 80x16 -keys 'enter down down' "$vectors/ltx/snap-ps512.v052.ltx" >"$tmp/got"
sed -i 's| */.*ltx$||' "$tmp/got"
same 'pages of a file' <<'EOF'
 Files › Pages
 TXID 0000000000000001-0000000000000001   2023-11-14T22:13:20.000Z
 page size 512   commit 7 pages   7 pages here   snapshot
 log 0+0   salts 00000000 00000000   checksum af71b7d64eed7a7a
 verified: every page and the file's checksum
       PAGE          OFFSET    STORED   OF PAGE
          1             100       269    52.5 %
          2             369        64    12.5 %
          3             433        34     6.6 %
          4             467        47     9.2 %
          5             514       525   102.5 %
          6            1039        34     6.6 %
          7            1073       288    56.2 %

 page 3 of 7
 enter open  r refresh  ? help  q back
EOF

"$tui" -once pages -size 80x16 "$vectors/corrupt/flip-payload.v051.ltx" >"$tmp/got"
grep -q 'DAMAGED: decode page 1' "$tmp/got"
check 'damage is named' $?

"$tui" -once help -size 80x24 "$vectors/ltx/snap-ps512.v051.ltx" >"$tmp/got"
grep -q 'q esc h  *back out one step' "$tmp/got"
check 'help lists the keys' $?

mkdir -p "$tmp/r/ltx"
cp -r "$vectors/ltx/chain-ps512-tx1-nc.v051.ltx" "$tmp/x.ltx"
mkdir "$tmp/r/ltx/0" "$tmp/r/ltx/9"
cp "$tmp/x.ltx" "$tmp/r/ltx/0/0000000000000001-0000000000000001.ltx"
cp "$tmp/x.ltx" "$tmp/r/ltx/9/0000000000000001-0000000000000001.ltx"
"$tui" -once files -keys 'G' "$tmp/r" >"$tmp/got"
grep -q 'file 2 of 2' "$tmp/got"
check 'files of a replica, last one selected' $?

mkdir "$tmp/empty"
"$tui" -once files "$tmp/empty" | grep -q 'There is no LTX file here'
check 'an empty folder says so' $?

"$tui" -once files -size 40x10 "$tmp/r" | grep -q 'needs 60x16'
check 'a screen that is too small says so' $?

"$tui" -once nosuch "$tmp/r" 2>"$tmp/err"
[ $? -eq 1 ] && grep -q 'no view nosuch' "$tmp/err"
check 'an unknown view is refused' $?

"$tui" "$tmp/r" </dev/null 2>"$tmp/err"
[ $? -eq 1 ] && grep -q 'hint: for scripts: litestream-tui -once' "$tmp/err"
check 'no terminal is an error with a hint' $?
echo "1..$n"
