/* The shop of the demo: orders come in, are paid and sent; now and then something large, something
 * deleted. The size is bounded: old orders go. */
#include "tui/demo_shop.h"

#include "engine/base/sqlite.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const char schema[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
    "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, city TEXT);"
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER, amount REAL, state TEXT,"
    " note TEXT);"
    "CREATE INDEX orders_by_customer ON orders (customer);"
    "CREATE TABLE stock (article TEXT PRIMARY KEY, pieces INTEGER) WITHOUT ROWID;"
    "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 200)"
    " INSERT INTO customers SELECT i, 'customer ' || i, 'city ' || i % 17 FROM n;"
    "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 100)"
    " INSERT INTO stock SELECT 'article ' || i, 100 FROM n;"
    "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 500)"
    " INSERT INTO orders (customer, amount, state) SELECT i % 200 + 1, i * 1.5, 'sent' FROM n;";

static ls_code open_shop(const char *path, sqlite3 **db, ls_err *err) {
    int rc = sqlite3_open_v2(path, db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_busy_timeout(*db, 10000);
    }
    return rc == SQLITE_OK ? LS_OK : ls_fail_sqlite(err, *db, rc, "open the demo's database");
}

static ls_code run_sql(sqlite3 *db, const char *sql, ls_err *err) {
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK || rc == SQLITE_BUSY
               ? LS_OK
               : ls_fail_sqlite(err, db, rc, "write the demo's database");
}

ls_code shop_make(const char *path, ls_err *err) {
    sqlite3 *db = NULL;
    ls_code rc = open_shop(path, &db, err);
    if (rc == LS_OK) {
        rc = run_sql(db, schema, err);
    }
    (void)sqlite3_close(db);
    return rc;
}

/* Most commits are an order; the others by their number, so that each comes in the first minute. */
static const char *statement(unsigned n) {
    if (n % 97 == 96) {
        return "DELETE FROM orders WHERE id <= (SELECT max(id) FROM orders) - 20000 OR state = "
               "'void'";
    }
    if (n % 41 == 40) {
        return "UPDATE orders SET note = hex(randomblob(6000)) WHERE id = (SELECT max(id) FROM "
               "orders)";
    }
    if (n % 29 == 28) {
        return "UPDATE orders SET state = 'void' WHERE id > (SELECT max(id) FROM orders) - 10";
    }
    if (n % 7 == 6) {
        return "UPDATE orders SET state = 'sent' WHERE state = 'paid'";
    }
    if (n % 3 == 2) {
        return "UPDATE stock SET pieces = pieces - 1 WHERE article = 'article ' || (abs(random()) "
               "% "
               "100 + 1)";
    }
    return "INSERT INTO orders (customer, amount, state) VALUES (abs(random()) % 200 + 1, "
           "round(abs(random()) % 20000 / 100.0, 2), 'paid')";
}

ls_code shop_run(const char *path, const volatile sig_atomic_t *stop, ls_err *err) {
    const struct timespec pause = {.tv_nsec = 50 * 1000000L};
    const pid_t parent = getppid();
    sqlite3 *db = NULL;
    ls_code rc = open_shop(path, &db, err);
    for (unsigned n = 0; rc == LS_OK && !*stop && getppid() == parent; n++) {
        rc = n % 5 == 0 ? run_sql(db, statement(n / 5), err) : LS_OK;
        (void)nanosleep(&pause, NULL);
    }
    (void)sqlite3_close(db);
    return rc;
}
