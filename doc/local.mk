dist_doc_DATA += doc/architecture.md doc/capture.md doc/formats.md doc/differences.md \
	doc/operations.md
