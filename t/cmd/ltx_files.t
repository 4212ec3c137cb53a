#!/usr/bin/env python3
"""ltx list and verify: files, folders, replicas, standard input, bad files."""
import json
import os
import shutil
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap

LTX = os.path.join(tap.BUILD, "ltx")
FILES = {f["file"]: f for f in tap.vector_json("manifest.json")["files"]}


def lines(result):
    return result.stdout.decode().splitlines()


def check_verdicts():
    """verify of whole folders says of each file what a careful reader should."""
    for folder, least in (("ltx", 120), ("compact", 40), ("corrupt", 200)):
        r = tap.run(LTX, "verify", "-json", folder, cwd=tap.VECTORS)
        got = [json.loads(line) for line in lines(r)]
        tap.equal([g["path"] for g in got],
                  sorted(folder + "/" + n for n in os.listdir(tap.vector(folder))),
                  "verify %s/: every file by name" % folder)
        wrong = [g["path"] for g in got
                 if g["path"] in FILES and g["ok"] != (FILES[g["path"]]["strict_verdict"] == "valid")]
        known = sum(g["path"] in FILES for g in got)
        tap.ok(wrong == [] and known >= least, "%d verdicts agree" % known, wrong)
        bad = [g for g in got if not g["ok"]]
        tap.ok(r.returncode == (1 if bad else 0) and len(r.stderr.decode().splitlines()) == len(bad),
               "rc and one line on standard error for each of %d bad files" % len(bad))
        tap.ok(all(g["error"] and g["hint"] and g["code"] not in ("ok", "unknown") for g in bad),
               "each says what, and what to do")
        plain = tap.run(LTX, "verify", folder, cwd=tap.VECTORS)
        want = "%d ok, %d invalid" % (len(got) - len(bad), len(bad)) if bad else "ok"
        tap.equal(lines(plain), [want], "the sum: " + want)
        tsv = [line.split("\t") for line in
               lines(tap.run(LTX, "verify", "-tsv", folder, cwd=tap.VECTORS))]
        tap.equal(tsv, [[g["path"], "ok" if g["ok"] else g["code"]] for g in got], "-tsv agrees")


def check_list_fields():
    """list of every sound file: all columns."""
    names = sorted(n for n, f in FILES.items() if f["strict_verdict"] == "valid")
    r = tap.run(LTX, "list", "-tsv", *names, cwd=tap.VECTORS)
    wrong = []
    for name, line in zip(names, lines(r)[1:]):
        f, row = FILES[name], line.split("\t")
        h = f["header"]
        want = [h["min_txid"], h["max_txid"], str(h["commit"]), str(len(f["pages"])),
                h["pre_apply_checksum"], f["trailer"]["post_apply_checksum"], row[6],
                str(h["wal_offset"]), str(h["wal_size"]), h["wal_salt1"] + " " + h["wal_salt2"]]
        if row != want or (row[6] == "") != (h["timestamp_ms"] == 0):
            wrong.append((name, row, want))
    tap.ok(r.returncode == 0 and len(lines(r)) == len(names) + 1 and len(names) > 180,
           "list of %d sound files" % len(names), r.stderr)
    tap.equal(wrong, [], "all fields of all of them")
    objects = [json.loads(line) for line in lines(tap.run(LTX, "list", "-json", *names,
                                                          cwd=tap.VECTORS))]
    wrong = [o["path"] for o in objects
             if (o["size"], o["file_checksum"], o["timestamp_ms"], o["pages"]) !=
             (FILES[o["path"]]["size"], FILES[o["path"]]["trailer"]["file_checksum"],
              FILES[o["path"]]["header"]["timestamp_ms"], len(FILES[o["path"]]["pages"]))]
    tap.ok(wrong == [] and [o["path"] for o in objects] == names, "-json of all of them", wrong)


def replica_files(root):
    out = []
    for level in range(10):
        folder = "%s/ltx/%d" % (root, level)
        if os.path.isdir(tap.vector(folder)):
            out += sorted("%s/%s" % (folder, n) for n in os.listdir(tap.vector(folder)))
    return out


def check_replica():
    root = "replica-a/replica"
    want = replica_files(root)
    for arg in (root, root + "/", root + "/ltx"):
        r = tap.run(LTX, "list", "-json", arg, cwd=tap.VECTORS)
        got = [os.path.normpath(json.loads(line)["path"]) for line in lines(r)]
        tap.ok(got == want and len(got) == 334 and r.returncode == 0,
               "%s: its %d files, level by level" % (arg, len(want)), r.stderr)
    level = root + "/ltx/9"
    r = tap.run(LTX, "list", "-tsv", level, cwd=tap.VECTORS)
    rows = [(line.split("\t")[0], line.split("\t")[1]) for line in lines(r)[1:]]
    tap.equal(rows, [("%016x" % 1, "%016x" % n) for n in (2, 0x58, 0xe9, 0x13b)],
              "a level's folder, in order of TXID")
    r = tap.run(LTX, "verify", root, "replica-head/replica", cwd=tap.VECTORS)
    tap.equal((r.returncode, r.stdout), (0, b"ok\n"), "two replicas, with both page encodings")


def check_folders():
    d = tap.scratch()
    os.mkdir(d + "/empty")
    r = tap.run(LTX, "verify", d + "/empty", tap.vector("ltx/snap-ps512.v051.ltx"))
    tap.ok(r.returncode == 1 and lines(r) == ["1 ok, 1 invalid"] and
           r.stderr.decode() == d + "/empty: no LTX files in this folder\n",
           "a folder without files is an error, and stops no others", r)
    os.mkdir(d + "/mixed")
    for name in ("a.ltx", "b.ltx.tmp", "c.txt", ".ltx"):
        shutil.copy(tap.vector("ltx/snap-ps512.v051.ltx"), d + "/mixed/" + name)
    os.mkdir(d + "/mixed/z.ltx")
    r = tap.run(LTX, "verify", "-tsv", d + "/mixed")
    tap.equal(lines(r), [d + "/mixed/a.ltx\tok"], "only .ltx files of a folder count")
    r = tap.run(LTX, "list", tap.vector("ltx/snap-ps512.v051.ltx"), "-tsv")
    tap.ok(r.returncode == 1 and b"-tsv: open -tsv: No such file" in r.stderr and
           len(lines(r)) == 2, "a flag behind the files is taken for a file", r)
    r = tap.run(LTX, "verify", "-json", d + "/a\x1b[31m\n.ltx")
    tap.ok(b"\x1b" not in r.stdout + r.stderr and json.loads(r.stdout)["ok"] is False,
           "control characters of a file name reach no terminal", r)


def check_stdin():
    data = tap.read(tap.vector("ltx/inc-nc-ps4096.v052.ltx"))
    r = tap.run(LTX, "verify", "-", input=data)
    tap.equal((r.returncode, r.stdout, r.stderr), (0, b"ok\n", b""), "verify -")
    r = tap.run(LTX, "verify", "-json", "-", input=data)
    tap.equal((json.loads(r.stdout)["path"], json.loads(r.stdout)["size"]), ("-", len(data)),
              "verify -json -")
    by_name = tap.run(LTX, "list", tap.vector("ltx/inc-nc-ps4096.v052.ltx"))
    tap.equal(tap.run(LTX, "list", "-", input=data).stdout, by_name.stdout, "list -")
    r = tap.run(LTX, "verify", "-", input=data[:-1])
    tap.ok(r.returncode == 1 and r.stdout == b"0 ok, 1 invalid\n" and
           r.stderr.startswith(b"-: close reader: unexpected EOF\n"), "a cut stream", r)
    r = tap.run(LTX, "verify", "-", input=data + b"x")
    tap.ok(r.returncode == 1, "a byte behind the end", r)
    r = tap.run(LTX, "verify", "-", input=b"")
    tap.ok(r.returncode == 1 and r.stderr.startswith(b"-: decode header: EOF\n"), "an empty one", r)
    r = tap.run(LTX, "verify", "-", tap.vector("ltx/snap-ps512.v051.ltx"), input=data)
    tap.equal((r.returncode, r.stdout), (0, b"ok\n"), "standard input among files")


def check_output_errors():
    with open("/dev/full", "wb") as full:
        import subprocess
        p = subprocess.run([LTX, "list", tap.vector("ltx/snap-ps512.v051.ltx")], stdout=full,
                           stderr=subprocess.PIPE)
    tap.ok(p.returncode == 1 and b"No space left on device" in p.stderr,
           "output that could not be written is an error", p)


check_verdicts()
check_list_fields()
check_replica()
check_folders()
check_stdin()
check_output_errors()
tap.done(38)
