dist_doc_DATA += doc/architecture.md doc/capture.md doc/formats.md doc/differences.md \
	doc/operations.md doc/performance.md doc/follow.md doc/tui.md doc/control-api.md doc/stores.md

# Manual pages and shell completion, from the programs' tables.
LS_MAKE_DOC = $(AM_V_GEN)$(MKDIR_P) $(@D) && cmd/mkdoc$(EXEEXT)
doc/litestream.1: cmd/mkdoc$(EXEEXT)
	$(LS_MAKE_DOC) man litestream >$@.tmp && mv $@.tmp $@
doc/ltx.1: cmd/mkdoc$(EXEEXT)
	$(LS_MAKE_DOC) man ltx >$@.tmp && mv $@.tmp $@
doc/litestream-tui.1: cmd/mkdoc$(EXEEXT)
	$(LS_MAKE_DOC) man litestream-tui >$@.tmp && mv $@.tmp $@
doc/litestream.yml.5: cmd/mkdoc$(EXEEXT)
	$(LS_MAKE_DOC) man litestream.yml >$@.tmp && mv $@.tmp $@
doc/bash/litestream: cmd/mkdoc$(EXEEXT)
	$(LS_MAKE_DOC) bash litestream >$@.tmp && mv $@.tmp $@
doc/bash/ltx: cmd/mkdoc$(EXEEXT)
	$(LS_MAKE_DOC) bash ltx >$@.tmp && mv $@.tmp $@
doc/zsh/_litestream: cmd/mkdoc$(EXEEXT)
	$(LS_MAKE_DOC) zsh litestream >$@.tmp && mv $@.tmp $@
doc/zsh/_ltx: cmd/mkdoc$(EXEEXT)
	$(LS_MAKE_DOC) zsh ltx >$@.tmp && mv $@.tmp $@
doc/fish/litestream.fish: cmd/mkdoc$(EXEEXT)
	$(LS_MAKE_DOC) fish litestream >$@.tmp && mv $@.tmp $@
doc/fish/ltx.fish: cmd/mkdoc$(EXEEXT)
	$(LS_MAKE_DOC) fish ltx >$@.tmp && mv $@.tmp $@

man_MANS += doc/litestream.1 doc/litestream-tui.1 doc/ltx.1 doc/litestream.yml.5
bashcompdir = $(datadir)/bash-completion/completions
bashcomp_DATA = doc/bash/litestream doc/bash/ltx
zshcompdir = $(datadir)/zsh/site-functions
zshcomp_DATA = doc/zsh/_litestream doc/zsh/_ltx
fishcompdir = $(datadir)/fish/vendor_completions.d
fishcomp_DATA = doc/fish/litestream.fish doc/fish/ltx.fish
CLEANFILES += $(man_MANS) $(bashcomp_DATA) $(zshcomp_DATA) $(fishcomp_DATA)
