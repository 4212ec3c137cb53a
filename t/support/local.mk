# Programs that tests of whole commands use, and their own test.
EXTRA_DIST += t/support/chaos.py t/support/daemon.py t/support/dbcompare.py \
	t/support/storestory.py t/support/http_server.py t/support/cloud_server.py \
	t/support/token_server.py t/support/loopback.py t/support/powerloss.py t/support/support.t
TAP_TESTS += t/support/support.t

# The one fault injector (faults.h): a test that uses it has its sources and is linked so that calls
# of the C library come through it.
FAULTS = t/support/faults.c t/support/faults.h
FULL_DISK = t/support/full_disk.c $(FAULTS)
FAULTS_LD = -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=reallocarray,--wrap=strdup \
	-Wl,--wrap=strndup,--wrap=vasprintf,--wrap=free \
	-Wl,--wrap=open,--wrap=open64,--wrap=openat,--wrap=openat64,--wrap=mkostemp,--wrap=mkostemp64 \
	-Wl,--wrap=read,--wrap=pread,--wrap=pread64,--wrap=write,--wrap=pwrite,--wrap=pwrite64 \
	-Wl,--wrap=ftruncate,--wrap=ftruncate64,--wrap=copy_file_range,--wrap=ioctl \
	-Wl,--wrap=rename,--wrap=renameat2,--wrap=link,--wrap=unlink,--wrap=unlinkat,--wrap=rmdir \
	-Wl,--wrap=mkdir,--wrap=chmod,--wrap=fchmod,--wrap=fchown,--wrap=futimens \
	-Wl,--wrap=stat,--wrap=stat64,--wrap=lstat,--wrap=lstat64,--wrap=fstat,--wrap=fstat64 \
	-Wl,--wrap=fstatat,--wrap=fstatat64,--wrap=fstatvfs,--wrap=fstatvfs64,--wrap=access \
	-Wl,--wrap=opendir,--wrap=readdir,--wrap=readdir64,--wrap=pthread_create

# Stores for tests: in memory, and one that fails as it is told (pauses take no time there).
MEMSTORE = t/support/memstore.c t/support/memstore.h
FAULTSTORE = t/support/faultstore.c t/support/faultstore.h $(MEMSTORE)
FAULTSTORE_LD = -Wl,--wrap=nanosleep
EXTRA_DIST += t/support/heads.h t/support/must.h t/support/v3files.h
# Databases that are only modelled, and an oracle for what a store can restore.
MODEL = t/support/model.c t/support/model.h t/support/listing.c t/support/listing.h

# Preloaded into programs under test; SQLite and Python are shared libraries, which no link option
# of ours reaches.
EXTRA_DIST += t/support/iotrace.c
if !SANITIZED
CHECK_PRELOADS = t/support/iotrace.so
endif
CLEANFILES += t/support/iotrace.so
t/support/iotrace.so: $(srcdir)/t/support/iotrace.c
	@$(MKDIR_P) t/support
	$(AM_V_CC)$(CC) $(CPPFLAGS) $(AM_CFLAGS) $(CFLAGS) -fPIC -shared -o $@ $(srcdir)/t/support/iotrace.c -ldl

# Joins LTX files where no program of ours is asked to.
check_PROGRAMS += t/support/ltxmerge
t_support_ltxmerge_SOURCES = t/support/ltxmerge.c
t_support_ltxmerge_LDADD = $(LS_LIBS)
t_support_ltxmerge_LDFLAGS = $(AM_LDFLAGS) -static
