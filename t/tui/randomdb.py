"""Random databases with all kinds of pages, for the tests of what decodes them."""

import sqlite3

SIZES = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]


def value(rnd, size):
    kind = rnd.randrange(9)
    length = rnd.choice([0, 1, 5, 20, size // 8, size, 3 * size]) if rnd.random() < 0.2 else 7
    if kind == 0:
        return None
    if kind <= 3:
        return rnd.choice([0, 1, -1, rnd.getrandbits(rnd.randrange(1, 63)), -rnd.getrandbits(40),
                           2**63 - 1, -2**63])
    if kind == 4:
        return rnd.choice([0.5, -1e300, 3.25, rnd.random()])
    if kind <= 7:
        return "".join(rnd.choices("abcé€'𝄞xyz", k=length))
    return rnd.randbytes(length)


def make(path, rnd, size):
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA synchronous = OFF")
    db.execute("PRAGMA page_size = %d" % size)
    db.execute("PRAGMA encoding = '%s'" % rnd.choice(["UTF-8", "UTF-8", "UTF-16le", "UTF-16be"]))
    db.execute("PRAGMA auto_vacuum = %d" % rnd.randrange(3))
    db.execute("CREATE TABLE a (id INTEGER PRIMARY KEY, x, y, z)")
    db.execute("CREATE TABLE b (k, v, PRIMARY KEY (k)) WITHOUT ROWID")
    if rnd.random() < 0.7:
        db.execute("CREATE INDEX a_x ON a (x, y)")
    db.execute("CREATE TABLE gone (v)")
    db.execute("BEGIN")
    for i in range(rnd.randrange(1, 160 if size > 4096 else 400)):
        row = [value(rnd, size) for _ in range(3)]
        db.execute("INSERT INTO a VALUES (?, ?, ?, ?)",
                   [rnd.randrange(-2**40, 2**40) if rnd.random() < 0.2 else None] + row)
        db.execute("INSERT OR IGNORE INTO b VALUES (?, ?)", [i if row[0] is None else row[0], row[1]])
        if rnd.random() < 0.3:
            db.execute("INSERT INTO gone VALUES (?)", [rnd.randbytes(size // 2)])
    db.execute("COMMIT")
    if rnd.random() < 0.7:
        db.execute("DELETE FROM a WHERE id % 3 = 0")
        db.execute("DROP TABLE gone")
    return db
