/*
 * liblitestream: everything that the programs of this package do, for programs that link it.
 *
 * Errors: base/error.h. A database and its log: db/db.h. Files of the format: ltx/. Stores:
 * backends/storage.h. Getting a database back: restore/restore.h; kept up with
 * its replica: restore/follow.h. Deleting a replica: replica/erase.h. A whole daemon:
 * store/store.h; what may be asked of it while it runs: store/calls.h, through a socket:
 * control/server.h and client.h. The library never prints, never exits and installs no signal
 * handler outside ls_store_run.
 */
#ifndef LITESTREAM_H
#define LITESTREAM_H

#include "backends/storage.h"
#include "engine/base/buf.h"
#include "engine/base/cancel.h"
#include "engine/base/clock.h"
#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/io.h"
#include "engine/base/log.h"
#include "engine/base/text.h"
#include "engine/check/check.h"
#include "engine/config/config.h"
#include "engine/control/client.h"
#include "engine/control/heartbeat.h"
#include "engine/control/server.h"
#include "engine/db/db.h"
#include "engine/db/reset.h"
#include "engine/db/snapshot.h"
#include "engine/ltx/crc64.h"
#include "engine/ltx/dbfile.h"
#include "engine/ltx/decoder.h"
#include "engine/ltx/encoder.h"
#include "engine/ltx/index.h"
#include "engine/ltx/ltx.h"
#include "engine/ltx/merge.h"
#include "engine/ltx/page.h"
#include "engine/replica/erase.h"
#include "engine/replica/replica.h"
#include "engine/restore/follow.h"
#include "engine/restore/points.h"
#include "engine/restore/restore.h"
#include "engine/restore/v3.h"
#include "engine/restore/verify.h"
#include "engine/store/calls.h"
#include "engine/store/store.h"
#include "engine/wal/wal.h"

/* The package's version as released, "0.1.0". */
const char *ls_version(void);

/* The SQLite that is linked, as "3.51.3", and whether it has the WAL-reset defect (before 3.51.3),
 * which can corrupt a database when two connections checkpoint and write at once. */
const char *ls_sqlite_version(void);
bool ls_sqlite_has_wal_reset_bug(void);

#endif
