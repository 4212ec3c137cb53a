/*
 * The cancel flag is inline in its header. This file makes sure that it may be set from a signal
 * handler: only a lock-free atomic may be.
 */
#include "engine/base/cancel.h"

_Static_assert(ATOMIC_BOOL_LOCK_FREE == 2, "a cancel flag is set from signal handlers");
