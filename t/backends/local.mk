# The suite that every store passes, and tests of single stores.
UNIT_TESTS += t/backends/test_file t/backends/test_resume t/backends/test_url \
	t/backends/test_settings t/backends/test_http t/backends/test_xml t/backends/test_timed \
	t/backends/test_spool \
	t/backends/test_mem t/backends/test_faults
check_PROGRAMS += t/backends/test_file t/backends/test_resume t/backends/test_url \
	t/backends/test_settings t/backends/test_http t/backends/test_xml t/backends/test_timed \
	t/backends/test_spool \
	t/backends/test_mem t/backends/test_faults
t_backends_test_file_SOURCES = t/backends/test_file.c t/backends/conformance.c \
	t/backends/conformance.h
t_backends_test_file_LDADD = $(LS_TEST_LIBS)
t_backends_test_file_LDFLAGS = $(AM_LDFLAGS) -static -Wl,--wrap=ls_wall_ms
t_backends_test_file_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_backends_test_spool_SOURCES = t/backends/test_spool.c t/backends/conformance.c \
	t/backends/conformance.h
t_backends_test_spool_LDADD = $(LS_TEST_LIBS)
t_backends_test_spool_LDFLAGS = $(AM_LDFLAGS) -static
t_backends_test_spool_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_backends_test_url_SOURCES = t/backends/test_url.c
t_backends_test_url_LDADD = $(LS_TEST_LIBS)
t_backends_test_url_LDFLAGS = $(AM_LDFLAGS) -static
t_backends_test_url_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_backends_test_resume_SOURCES = t/backends/test_resume.c
t_backends_test_resume_LDADD = $(LS_TEST_LIBS)
t_backends_test_resume_LDFLAGS = $(AM_LDFLAGS) -static -Wl,--wrap=nanosleep
t_backends_test_resume_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_backends_test_mem_SOURCES = t/backends/test_mem.c t/backends/conformance.c \
	t/backends/conformance.h $(MEMSTORE)
t_backends_test_mem_LDADD = $(LS_TEST_LIBS)
t_backends_test_mem_LDFLAGS = $(AM_LDFLAGS) -static
t_backends_test_mem_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_backends_test_faults_SOURCES = t/backends/test_faults.c t/backends/conformance.c \
	t/backends/conformance.h $(FAULTSTORE)
t_backends_test_faults_LDADD = $(LS_TEST_LIBS)
t_backends_test_faults_LDFLAGS = $(AM_LDFLAGS) -static $(FAULTSTORE_LD)
t_backends_test_faults_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_backends_test_settings_SOURCES = t/backends/test_settings.c
t_backends_test_settings_LDADD = $(LS_TEST_LIBS)
t_backends_test_settings_LDFLAGS = $(AM_LDFLAGS) -static
t_backends_test_settings_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_backends_test_http_SOURCES = t/backends/test_http.c t/support/helper.h
t_backends_test_http_LDADD = $(LS_TEST_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS) -lpthread
t_backends_test_http_LDFLAGS = $(AM_LDFLAGS) -static
t_backends_test_http_CPPFLAGS = $(LS_TEST_CPPFLAGS) $(CRYPTO_CFLAGS)
t_backends_test_xml_SOURCES = t/backends/test_xml.c
t_backends_test_xml_LDADD = $(LS_TEST_LIBS)
t_backends_test_xml_LDFLAGS = $(AM_LDFLAGS) -static
t_backends_test_xml_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_backends_test_timed_SOURCES = t/backends/test_timed.c
t_backends_test_timed_LDADD = $(LS_TEST_LIBS)
t_backends_test_timed_LDFLAGS = $(AM_LDFLAGS) -static
t_backends_test_timed_CPPFLAGS = $(LS_TEST_CPPFLAGS)

# Stores that can be left out.
if HAVE_S3
S3_TESTS = t/backends/test_aws_sign t/backends/test_aws_credentials t/backends/test_s3_config \
	t/backends/test_s3
UNIT_TESTS += $(S3_TESTS)
check_PROGRAMS += $(S3_TESTS)
t_backends_test_aws_sign_SOURCES = t/backends/test_aws_sign.c
t_backends_test_aws_sign_LDADD = $(LS_TEST_LIBS)
t_backends_test_aws_sign_LDFLAGS = $(AM_LDFLAGS) -static
t_backends_test_aws_sign_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_backends_test_s3_config_SOURCES = t/backends/test_s3_config.c
t_backends_test_s3_config_LDADD = $(LS_TEST_LIBS)
t_backends_test_s3_config_LDFLAGS = $(AM_LDFLAGS) -static
t_backends_test_s3_config_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_backends_test_aws_credentials_SOURCES = t/backends/test_aws_credentials.c t/support/cloud.h \
	t/support/helper.h
t_backends_test_aws_credentials_LDADD = $(LS_TEST_LIBS) $(JANSSON_LIBS)
t_backends_test_aws_credentials_LDFLAGS = $(AM_LDFLAGS) -static -Wl,--wrap=ls_wall_ms
t_backends_test_aws_credentials_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_backends_test_s3_SOURCES = t/backends/test_s3.c t/backends/conformance.c \
	t/backends/conformance.h t/support/cloud.h t/support/helper.h
t_backends_test_s3_LDADD = $(LS_TEST_LIBS) $(JANSSON_LIBS)
t_backends_test_s3_LDFLAGS = $(AM_LDFLAGS) -static -Wl,--wrap=ls_wall_ms
t_backends_test_s3_CPPFLAGS = $(LS_TEST_CPPFLAGS)
endif

# The suite over real servers: one program, and a script that starts them (t/servers).
check_PROGRAMS += t/backends/conform
t_backends_conform_SOURCES = t/backends/conform.c t/backends/conformance.c \
	t/backends/conformance_large.c t/backends/conformance.h
t_backends_conform_LDADD = $(LS_TEST_LIBS)
t_backends_conform_LDFLAGS = $(AM_LDFLAGS) -static
t_backends_conform_CPPFLAGS = $(LS_TEST_CPPFLAGS)
TAP_TESTS += t/backends/stores.t
EXTRA_DIST += t/backends/stores.t

# What stores behind a network share, and the credentials of each.
UNIT_TESTS += t/backends/test_parts
check_PROGRAMS += t/backends/test_parts
t_backends_test_parts_SOURCES = t/backends/test_parts.c
t_backends_test_parts_LDADD = $(LS_TEST_LIBS) -lpthread
t_backends_test_parts_LDFLAGS = $(AM_LDFLAGS) -static
t_backends_test_parts_CPPFLAGS = $(LS_TEST_CPPFLAGS)
if HAVE_GS
UNIT_TESTS += t/backends/test_google_credentials
check_PROGRAMS += t/backends/test_google_credentials
endif
t_backends_test_google_credentials_SOURCES = t/backends/test_google_credentials.c t/backends/cloud.h
t_backends_test_google_credentials_LDADD = $(LS_TEST_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS)
t_backends_test_google_credentials_LDFLAGS = $(AM_LDFLAGS) -static
t_backends_test_google_credentials_CPPFLAGS = $(LS_TEST_CPPFLAGS)
if HAVE_ABS
UNIT_TESTS += t/backends/test_abs_request t/backends/test_azure_credentials
check_PROGRAMS += t/backends/test_abs_request t/backends/test_azure_credentials
endif
t_backends_test_abs_request_SOURCES = t/backends/test_abs_request.c
t_backends_test_abs_request_LDADD = $(LS_TEST_LIBS)
t_backends_test_abs_request_LDFLAGS = $(AM_LDFLAGS) -static
t_backends_test_abs_request_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_backends_test_azure_credentials_SOURCES = t/backends/test_azure_credentials.c t/backends/cloud.h
t_backends_test_azure_credentials_LDADD = $(LS_TEST_LIBS) $(JANSSON_LIBS)
t_backends_test_azure_credentials_LDFLAGS = $(AM_LDFLAGS) -static
t_backends_test_azure_credentials_CPPFLAGS = $(LS_TEST_CPPFLAGS)
if HAVE_OSS
UNIT_TESTS += t/backends/test_oss_request
check_PROGRAMS += t/backends/test_oss_request
endif
t_backends_test_oss_request_SOURCES = t/backends/test_oss_request.c
t_backends_test_oss_request_LDADD = $(LS_TEST_LIBS)
t_backends_test_oss_request_LDFLAGS = $(AM_LDFLAGS) -static
t_backends_test_oss_request_CPPFLAGS = $(LS_TEST_CPPFLAGS)
if HAVE_SFTP
UNIT_TESTS += t/backends/test_sftp_wire t/backends/test_ssh
check_PROGRAMS += t/backends/test_sftp_wire t/backends/test_ssh
endif
t_backends_test_sftp_wire_SOURCES = t/backends/test_sftp_wire.c
t_backends_test_sftp_wire_LDADD = $(LS_TEST_LIBS)
t_backends_test_sftp_wire_LDFLAGS = $(AM_LDFLAGS) -static
t_backends_test_sftp_wire_CPPFLAGS = $(LS_TEST_CPPFLAGS)
t_backends_test_ssh_SOURCES = t/backends/test_ssh.c
t_backends_test_ssh_LDADD = $(LS_TEST_LIBS)
t_backends_test_ssh_LDFLAGS = $(AM_LDFLAGS) -static
t_backends_test_ssh_CPPFLAGS = $(LS_TEST_CPPFLAGS)
if HAVE_NATS
UNIT_TESTS += t/backends/test_nats
check_PROGRAMS += t/backends/test_nats
endif
t_backends_test_nats_SOURCES = t/backends/test_nats.c
t_backends_test_nats_LDADD = $(LS_TEST_LIBS)
t_backends_test_nats_LDFLAGS = $(AM_LDFLAGS) -static
t_backends_test_nats_CPPFLAGS = $(LS_TEST_CPPFLAGS)
if HAVE_WEBDAV
UNIT_TESTS += t/backends/test_webdav_list
check_PROGRAMS += t/backends/test_webdav_list
endif
t_backends_test_webdav_list_SOURCES = t/backends/test_webdav_list.c
t_backends_test_webdav_list_LDADD = $(LS_TEST_LIBS)
t_backends_test_webdav_list_LDFLAGS = $(AM_LDFLAGS) -static
t_backends_test_webdav_list_CPPFLAGS = $(LS_TEST_CPPFLAGS)
