nobase_pkginclude_HEADERS += backends/storage.h backends/resume.h backends/settings.h backends/http.h
liblitestream_la_SOURCES += backends/storage.c backends/url.c backends/url.h backends/url_parse.c \
	backends/schemes.c backends/schemes.h backends/settings.c backends/file.c \
	backends/file_list.c backends/file_list.h backends/file_objects.c backends/file_objects.h \
	backends/resume.c backends/http.c backends/http_send.c backends/http_wire.c \
	backends/http_wire.h \
	backends/xml.c backends/xml.h\
	backends/digest.c backends/digest.h backends/aws_sign.c backends/aws_sign.h
