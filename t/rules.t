#!/usr/bin/env python3
"""The rules of the sources (build-aux/check-rules): that each is seen to be broken, then that none
is."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import tap

CHECK = os.path.join(tap.SRC, "build-aux", "check-rules")
TREE = tap.scratch()


def check(root, *rules):
    """Status and lines of one run."""
    done = tap.run(sys.executable, CHECK, "-C", root, *rules)
    return done.returncode, (done.stdout + done.stderr).decode().splitlines()


def put(path, text):
    path = os.path.join(TREE, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    tap.write(path, text.encode())


def offences(rule, want, name):
    """The rule finds exactly these in the tree that was put together."""
    rc, lines = check(TREE, rule)
    tap.equal((rc, [line for line in lines if not line.startswith("functions:")]),
              (1 if want else 0, want), name)


def function(name, lines, opening=""):
    """A function of as many lines, with braces in strings, characters and comments."""
    filler = '    g("}{", \'}\'); /* } */ // {\n'
    return opening + "static void %s(int a,\n    int b) {\n" % name + filler * (lines - 3) + "}\n"


# ---- each rule on a tree that breaks it ----

put("engine/a.c", '/*\n * sprintf(here) is only told of.\n */\nint f(char *s) {\n    sprintf(s, "x");\n'
    '    g("strcpy(a, b)");\n    snprintf(s, 1, "x");\n    return atoi (s) + x.gets(s);\n}\n')
put("t/b.h", "/* mkdtemp(\"XXXXXX\") is no mark. TO" "DO: this is one. */\n")
offences("calls", ["engine/a.c:5: calls sprintf", "engine/a.c:8: calls atoi",
                   "t/b.h:1: left for later: TO" "DO"], "banned calls, outside comments and strings")

put("engine/a.c", "/* Head. */\n" + function("right", 100) + "struct s {\n" + "    int x;\n" * 120 + "};\n"
    + "static const struct s t[] = {\n" + "    {1},\n" * 120 + "};\n" + function("long_one", 101)
    + "__attribute__((format(printf, 1, 2)))\n" + function("long_two", 100))
rc, lines = check(TREE, "length")
tap.equal((rc, lines), (1, [
    "engine/a.c:346: long_one has 101 lines, more than 100",
    "engine/a.c:447: long_two has 101 lines, more than 100",
    "functions: 3, median 101 lines, p90 101, longest 101 (long_two)"]), "long functions, by name")

put("engine/a.c", "/* Head. */\n#if A\nint f(void) {\n    if (a) {\n#else\nint f(void) {\n    if (b) {\n"
    "#endif\n        g();\n    }\n}\n#define M(x) \\\n    do { { \\\n    } while (0)\n" + function("after", 101))
offences("length", ["engine/a.c:15: after has 101 lines, more than 100"],
         "braces of one #if branch count, those of a macro do not")

put("engine/a.c", "#include <x.h>\n/* Late. */\n")
put("cmd/b.h", "\n/* Later. */\n")
offences("head", ["cmd/b.h:1: does not open with a comment that says what it is",
                  "engine/a.c:1: does not open with a comment that says what it is"], "missing heads")

put("engine/a.c", "/* Head. */\nint a = open(p, O_RDONLY);\n" + "\n" * 9 + "int b = open(p,\n    O_RDONLY\n"
    "    | O_CLOEXEC);\n" + "\n" * 9 + "int c = mkstemp(p);\n" + "\n" * 9 + 'int d = fopen(p, "re");\n'
    + "\n" * 9 + 'int e = fopen(p, "r");\nint f = x->open(p);\nls_open(p);\n')
offences("cloexec", ["engine/a.c:2: open without CLOEXEC", "engine/a.c:44: fopen without CLOEXEC",
                     "engine/a.c:24: mkstemp cannot set CLOEXEC"], "descriptors that are inherited")

put("engine/a.c", "/* Head. */\nint   a;\nint b;\nint  c;\n")
put("cmd/b.h", "/* Head. */\n")
put(".clang-format", "BasedOnStyle: LLVM\n")
rc, lines = check(TREE, "format")
if rc == 77:
    tap.skip("layout that clang-format would change", lines[0])
else:
    tap.equal((rc, lines), (1, ["engine/a.c:2: clang-format changes 2 places"]),
              "layout that clang-format would change")

put("engine/own.c", "/* A. */\n")
put("engine/named.c", "/* A. */\n")
put("engine/listed.c", "/* A. */\n")
put("t/engine/test_own.c", "/* Tests engine/named.c too. */\n/* And not engine/a.c. */\n"
    "static void works(void **state) {}\nstatic void idle(void **state) {}\n"
    "int main(void) { /* idle */ run(works, \"idle\"); }\n")
put("t/engine/test_idle.c", "/* A. */\n")
put("t/run.t", '#!/bin/sh\necho "ok 1 - it works"\n')
put("t/engine/local.mk", "UNIT_TESTS += \\\n  t/engine/test_own # t/engine/test_idle\n"
    "SCRIPTS = t/run.t\nTAP_TESTS = $(SCRIPTS)\nEXTRA_DIST = t/engine/test_idle\n")
put("t/modules.list", "# engine/a.c | x | y\nengine/listed.c | t/run.t | why\nengine/gone.c | t/run.t | why\n"
    "engine/own.c | t/engine/test_idle.c | why\nengine/own.c | t/run.t\n")
offences("tests", [
    "t/engine/test_idle.c:1: is in no list of tests",
    "t/modules.list:3: no such module: engine/gone.c",
    "t/modules.list:4: no such test is run: t/engine/test_idle.c",
    "t/modules.list:5: not of the form: module | test | reason",
    "engine/a.c:1: no t/engine/test_a.c, no test that names it, no line in t/modules.list",
], "modules without a test, and tests that are not run")

offences("traps", ["t/traps.list:1: is missing"], "the list of traps is missing")
put("t/traps.list", """# One | in a comment | x
A1 | lost rows | t/engine/test_own.c:works
A2 | not registered | t/engine/test_own.c:idle
A3 | no such test | t/engine/test_own.c:absent
A4 | a script | t/run.t:it works
A5 | a script without it | t/run.t:it fails
A6 | no file | t/engine/none.c:works
A7 | not run | t/engine/test_idle.c:works
A8 | no name | t/run.t
A9 | t/run.t:it works
A1 | again | t/run.t:it works
""")
offences("traps", [
    "t/traps.list:3: t/engine/test_own.c has no test named idle",
    "t/traps.list:4: t/engine/test_own.c has no test named absent",
    "t/traps.list:6: t/run.t has no test named it fails",
    "t/traps.list:7: no such file: t/engine/none.c",
    "t/traps.list:8: t/engine/test_idle.c is in no list of tests",
    "t/traps.list:9: not of the form file:name: t/run.t",
    "t/traps.list:10: not of the form: id | description | test",
    "t/traps.list:11: A1 is there twice",
], "traps without their test")

put("t/traps.list", """# One | in a comment | x
#9 | of that name | t/engine/test_own.c:works
B1 | failed once | t/run.t:it works, %s
B2 | all well | t/run.t:it works %d times
B3 | skipped | t/run.t:it may work #2
B4 | not there | t/run.t:it
B5 | another name | t/run.t:it works
B6 | not started | t/engine/test_idle.c:works
""")
put("t/ran/engine/test_own.tap", "1..1\nok 1 - works\n")
put("t/ran/run.t.tap", """ok 1 - it works, well
not ok 2 - it works, too
# ok 3 - it works
ok 3 - it works 2 times
ok 4 - it works 30 times
ok 5 - it may work \\#2 # SKIP not here
1..5
""")
os.environ["LS_BUILD"] = TREE
for ci, skipped in (("true", ["t/traps.list:5: B3: skipped: t/run.t:it may work #2"]), ("", [])):
    os.environ["CI"] = ci
    rc, lines = check(TREE, "ran")
    tap.equal((rc, lines), (1, [
        "#9 | t/engine/test_own.c:works | 1 ok",
        "B1 | t/run.t:it works, %s | failed",
        "t/traps.list:3: B1: failed: t/run.t:it works, %s",
        "B2 | t/run.t:it works %d times | 2 ok",
        "B3 | t/run.t:it may work #2 | skipped"] + skipped + [
        "B4 | t/run.t:it | not seen",
        "t/traps.list:6: B4: not seen: t/run.t:it",
        "B5 | t/run.t:it works | not seen",
        "t/traps.list:7: B5: not seen: t/run.t:it works",
        "B6 | t/engine/test_idle.c:works | did not run",
        "t/traps.list:8: B6: did not run: t/engine/test_idle.c:works"]),
        "traps whose test did not pass, %s" % ("in CI" if ci else "elsewhere"))
os.environ["LS_BUILD"] = tap.BUILD

tap.equal(check(TREE, "no_such_rule")[0], 2, "an unknown rule is refused")

# ---- this tree ----

for rule in ("calls", "length", "head", "cloexec", "names", "format", "tests", "traps"):
    rc, lines = check(tap.SRC, rule)
    if rc == 77:
        tap.skip("rule " + rule, lines[0])
        continue
    tap.ok(rc == 0, "rule " + rule, "\n".join(lines))
    if rc == 0 and lines:
        print("# " + "\n# ".join(lines), flush=True)

tap.done(20)
