#!/usr/bin/env python3
"""ltx against every run recorded in t/vectors/cli.json (the Go tool at 0.5.1, 0.5.2, head).

What is to differ is said here, rule by rule; all else must be the same, byte by byte.
"""
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap

LTX = os.path.join(tap.BUILD, "ltx")

# Runs of the old versions whose result is a defect or a limit that head does not have.
OLD = {
    # cannot read block pages
    ("0.5.1", "verify ltx/snap-ps512.v051.ltx ltx/snap-ps512.v052.ltx ltx/inc-ps65536.v052.ltx"),
    ("0.5.1", "list ltx/snap-ps512.v052.ltx corrupt/flip-index-mid.v051.ltx no-such-file "
              "ltx/inc-nc-ps4096.v052.ltx"),
    ("0.5.1", "dump ltx/snap-ps512.v052.ltx"),
    ("0.5.1", "dump ltx/shrink-inc.v052.ltx"),
    # shows no page contents
    ("0.5.1", "dump ltx/snap-ps512.v051.ltx"),
    ("0.5.1", "dump ltx/fields.v051.ltx"),
    ("0.5.1", "dump corrupt/flip-post-apply.v051.ltx"),
    ("0.5.1", "dump corrupt/trunc-in-payload.v051.ltx"),
}

FRAME = re.compile(r"^(Frame #\d+: pgno=\d+) flags=0x000[01] offset=\d+ size=\d+ "
                   r"checksum=[89a-f][0-9a-f]{15}$", re.M)


def our_texts(text):
    """The C library's texts begin with a capital; a wrong checksum of an LZ4 frame is called so."""
    text = text.replace("no such file or directory", "No such file or directory")
    return text.replace("read lz4 trailer: expected lz4 end frame", "lz4: invalid content checksum")


def error_of_dump(args, text):
    """dump names the file, and says of errors what verify says of them."""
    text = our_texts(text)
    text = re.sub("^decode page frame ", "decode page ", text)
    if text == "unmarshal header: invalid LTX file" or text.startswith("invalid page size"):
        text = "decode header: " + text
    if text == "file checksum mismatch":
        text = "close reader: " + text
    return "%s: %s" % (args[-1], text)


def want_verify(entry):
    """Bad files are named on standard error, the sum stays on standard output."""
    lines = entry["stdout"].splitlines(True)
    bad = "".join(line for line in lines if ": " in line)
    return entry["rc"], "".join(line for line in lines if ": " not in line), our_texts(bad)


def want_list(entry):
    """A bad file makes the exit code 1."""
    return 1 if entry["stderr"] else 0, entry["stdout"], our_texts(entry["stderr"])


def want_dump(entry):
    """The error goes to standard error; a file without the magic has no header to show."""
    if entry["rc"] == 0:
        return 0, entry["stdout"], ""
    lines = entry["stdout"].splitlines(True)
    text = "".join(lines[:-1])
    if "Version:   0" in text:
        text = ""
    return 1, text, error_of_dump(entry["args"], lines[-1].rstrip("\n")) + "\n"


def want_usage(entry):
    """Errors of use go to standard error, behind "Error: "."""
    return 1, "", "Error: " + our_texts(entry["stdout"])


CHANGED_ERRORS = {
    "apply": "required: -db PATH",
    "checksum": "filename required",
    "checksum /dev/null": "/dev/null: not a regular file",
}


def check_special(name, entry, got):
    """Runs of which the text is ours. False if it is none of them."""
    out, err = got.stdout.decode(), got.stderr.decode()
    args = entry["args"]
    if name == "version":
        good = got.returncode == 0 and re.fullmatch(r"ltx \d+\.\d+\.\d+\n", out) and err == ""
    elif name in ("", "help"):
        commands = re.findall(r"^\t([a-z-]+) +[a-z]", out, re.M)
        good = (got.returncode == (1 if name == "" else 0) and err == "" and
                out.startswith(entry["stdout"].split("\n")[0] + "\n") and
                commands == "apply checksum dump encode-db list verify version".split())
    elif args[-1] == "-h":
        good = got.returncode == 0 and err == "" and "\n\tltx %s " % args[0] in out
    elif name == "dump a b":
        good = (got.returncode == 1 and err == "a: open a: No such file or directory\n"
                "b: open b: No such file or directory\n")
    elif name in CHANGED_ERRORS:
        good = (got.returncode == 1 and out == "" and
                err.startswith("Error: " + CHANGED_ERRORS[name] + "\n"))
    else:
        return False
    tap.ok(good, "ltx " + name, "%d\n%s%s" % (got.returncode, out, err))
    return True


def want(entry):
    command = entry["args"][0]
    if command == "verify" and len(entry["args"]) > 1:
        return want_verify(entry)
    if command == "list" and len(entry["args"]) > 1:
        return want_list(entry)
    if command == "dump" and len(entry["args"]) > 1:
        return want_dump(entry)
    if entry["rc"] == 0:
        return 0, entry["stdout"], ""
    return want_usage(entry)


def check(entry):
    args = list(entry["args"])
    name = " ".join(args)
    real = [args[0], "-hex"] + args[1:] if args[:1] == ["dump"] and len(args) == 2 else args
    if args[-1:] == ["-h"]:
        real = args
    got = tap.run(LTX, *real, cwd=tap.VECTORS)
    if check_special(name, entry, got):
        return
    rc, out, err = want(entry)
    ours = FRAME.sub(r"\1", got.stdout.decode())
    theirs = re.sub(r"^hint: .*\n", "", got.stderr.decode(), flags=re.M)
    tap.equal((got.returncode, ours, theirs), (rc, out, err), "ltx " + name)


def main():
    entries = tap.vector_json("cli.json")
    head = {" ".join(e["args"]): e for e in entries if e["cli"] == "head"}
    tap.equal(len(entries), 129, "129 runs are recorded")
    tap.equal(len(head), 43, "43 of head")
    for entry in head.values():
        check(entry)
    # The old versions did the same, but for what is named above.
    for entry in entries:
        name = " ".join(entry["args"])
        same = all(entry[k] == head[name][k] for k in ("rc", "stdout", "stderr"))
        if entry["cli"] != "head":
            tap.equal(same, (entry["cli"], name) not in OLD, "%s: ltx %s" % (entry["cli"], name))
    tap.done(2 + 43 + 86)


main()
