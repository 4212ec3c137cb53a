nobase_pkginclude_HEADERS += backends/storage.h backends/resume.h backends/settings.h backends/http.h
liblitestream_la_SOURCES += backends/storage.c backends/url.c backends/url.h backends/url_parse.c \
	backends/schemes.c backends/schemes.h backends/settings.c backends/file.c \
	backends/file_list.c backends/file_list.h backends/file_mark.c backends/file_mark.h \
	backends/file_objects.c backends/file_objects.h \
	backends/resume.c backends/http.c backends/http_send.c backends/http_wire.c \
	backends/http_wire.h \
	backends/xml.c backends/xml.h backends/head.c backends/head.h backends/paged.c \
	backends/paged.h backends/spool.c backends/spool.h backends/stamp.c backends/stamp.h \
	backends/timed.c \
	backends/digest.c backends/digest.h

# Stores that can be left out (configure --without-NAME).
if HAVE_S3
liblitestream_la_SOURCES += backends/aws_sign.c backends/aws_sign.h backends/aws_credentials.c \
	backends/aws_credentials.h backends/aws_sources.h backends/aws_profile.c backends/aws_sts.c \
	backends/aws_metadata.c backends/aws_process.c backends/s3_config.c backends/s3_config.h \
	backends/s3.c backends/s3_store.h backends/s3_request.c backends/s3_answer.c \
	backends/s3_list.c backends/s3_put.c backends/s3_multipart.c backends/s3_copy.c \
	backends/s3_delete.c backends/s3_mark.c
endif

# What the stores that speak HTTP share, and those that can be left out (configure --without-NAME).
liblitestream_la_SOURCES += backends/parts.c backends/parts.h backends/fanout.c backends/fanout.h \
	backends/oauth.c backends/oauth.h backends/crc32c.c backends/crc32c.h backends/names.c \
	backends/names.h
if HAVE_GS
liblitestream_la_SOURCES += backends/gcs.c backends/gcs.h backends/gcs_upload.c \
	backends/google_credentials.c backends/google_credentials.h
endif
if HAVE_ABS
liblitestream_la_SOURCES += backends/abs.c backends/abs.h backends/abs_request.c \
	backends/abs_upload.c backends/azure_credentials.c backends/azure_credentials.h
endif
if HAVE_OSS
liblitestream_la_SOURCES += backends/oss.c backends/oss.h backends/oss_request.c \
	backends/oss_upload.c backends/crc64ecma.c backends/crc64ecma.h
endif

# Of stores that list in no order.
liblitestream_la_SOURCES += backends/window.c backends/window.h
if HAVE_SFTP
liblitestream_la_SOURCES += backends/sftp.c backends/sftp_put.c backends/sftp_store.h \
	backends/sftp_pool.c backends/sftp_pool.h backends/sftp_wire.c backends/sftp_wire.h \
	backends/ssh.c backends/ssh.h
endif
if HAVE_NATS
liblitestream_la_SOURCES += backends/nats.c backends/nats_conn.c backends/nats_conn.h \
	backends/nats_key.c backends/nats_key.h backends/nats_info.c backends/nats_put.c \
	backends/nats_read.c backends/nats_object.h
endif
if HAVE_WEBDAV
liblitestream_la_SOURCES += backends/webdav.c backends/webdav.h backends/webdav_list.c \
	backends/webdav_put.c
endif
