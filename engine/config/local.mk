nobase_pkginclude_HEADERS += engine/config/config.h engine/config/keys.h engine/config/scalar.h
liblitestream_la_SOURCES += engine/config/config.c engine/config/decode.c engine/config/dirs.c engine/config/env.c \
	engine/config/keys.c engine/config/path.c engine/config/raw.h engine/config/scalar.c \
	engine/config/storage.c engine/config/validate.c engine/config/yaml.c engine/config/yaml.h
