/*
 * A control server on a scripted store, as a process: fake_daemon SOCKET. It prints a line when it
 * listens, and ends when its standard input does. Databases: /srv/a.db, replicated; /srv/b.db,
 * stopped; /srv/c.db, with one transaction to capture; one whose name is no UTF-8 and has controls.
 */
#include "engine/control/server.h"
#include "t/engine/control/fake_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
    const ls_control_opts opts = {.socket_path = argc > 1 ? argv[1] : ""};
    ls_store *store = fake_store_new();
    ls_control *control = NULL;
    ls_err err = LS_ERR_INIT;
    char byte;

    fake_store_add(store, "/srv/a.db", LS_DB_REPLICATING, 5)->last_sync_ms = 1700000000123;
    (void)fake_store_add(store, "/srv/b.db", LS_DB_STOPPED, 9);
    fake_store_add(store, "/srv/c.db", LS_DB_BEHIND, 1)->db_size = 1;
    (void)fake_store_add(store, "/srv/\x1b[31m\xff", LS_DB_REPLICATING, 0);
    if (ls_control_start(store, &opts, &control, &err) != LS_OK) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    puts("listening");
    (void)fflush(stdout);
    while (read(0, &byte, 1) > 0) {
    }
    ls_control_stop(control);
    fake_store_free(store);
    return 0;
}
