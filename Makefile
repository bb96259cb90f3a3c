# ctv-mirror: a warm standby for a SQLite-backed web application, over nothing but Dropbox.
#
#   make            all binaries, into build/
#   make deps       install what building and testing need (tests/packages)
#   make demo       the main job end to end on the local Dropbox
#   make test       every test
#   make test-distros   the demo on Debian 12 and 13, amd64 and arm64, and every test on 13; as root
#   make test-kuma  the runbook's monitors in a real Uptime Kuma, which npm installs first
#   make test-old OLD=COMMIT   a host with the programs of that commit beside one with those of today, both ways round; as root
#   make lab        two hosts with real systemd, and a shell on the standby
#   make screenshots    the status page in every state, into build/screenshots
#   make deb        the Debian packages, into build/deb
#   make lint asan fuzz fuzzers bench stress install uninstall clean

VERSION = 0.1.0
# by ?= the environment's word counts as well as make's own: DESTDIR=/tmp/tree make install is meant for that tree
PREFIX ?= /usr/local
DESTDIR ?=
ROLE ?= standby
B       = build
# make V=1 shows whole command lines
Q       = $(if $(V),,@)

CC     = gcc
CFLAGS = -O2 -g

# The reasons: FORTIFY, protector and clash protection catch overflows at run time; var-init makes a
# forgotten initialisation harmless; no-strict-overflow and no-delete-null keep guards in place.
ARCH     := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
BRANCH   := $(if $(filter aarch64,$(ARCH)),-mbranch-protection=standard,$(if $(filter x86_64,$(ARCH)),-fcf-protection=full))
WARNINGS = -Wall -Wextra -Wpedantic -Wformat=2 -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes \
	   -Wconversion -Wno-sign-conversion -Wnull-dereference -Wundef -Wwrite-strings \
	   -Werror=format-security -Werror=implicit-function-declaration
HARDEN   = -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection \
	   -ftrivial-auto-var-init=zero -fno-strict-overflow -fno-delete-null-pointer-checks -fPIE $(BRANCH)
LDHARDEN = -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code -Wl,--as-needed
SANITIZE =
COMPILE  = $(CC) -std=c11 -I. -DCTV_VERSION='"$(VERSION)"' -MMD -MP -pthread $(CFLAGS) $(WARNINGS) \
	   $(if $(SANITIZE),$(SANITIZE),$(HARDEN)) $(CPPFLAGS)
LINK     = $(CC) -pthread $(CFLAGS) $(if $(SANITIZE),$(SANITIZE),$(LDHARDEN)) $(LDFLAGS)

TOOLS := $(patsubst tools/%.c,%,$(wildcard tools/*.c))
BINS  := $(TOOLS:%=$(B)/%)
UNITS := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/*.c))
LIBO  := $(patsubst %.c,$(B)/%.o,$(wildcard lib/*.c lib/*/*.c))
LIBA  := $(B)/libctv.a

# With --as-needed a binary is linked to what it uses and to nothing else.
LIBS = -lcurl -lsqlite3 -lcjson -lcrypto -lsystemd -lzstd -lxxhash -lm

all: programs $(B)/dropboxd

# what is installed
programs: $(BINS) $(B)/completions/ctv-mirror.bash

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(if $(V),,echo "  CC   $@";) $(COMPILE) -c -o $@ $<

$(LIBA): $(LIBO)
	$(Q)rm -f $@; ar rcs $@ $^

$(BINS): $(B)/%: $(B)/tools/%.o $(LIBA)
	$(Q)$(if $(V),,echo "  LINK $@";) $(LINK) -o $@ $< $(LIBA) $(LIBS)

$(UNITS): $(B)/unit/%: $(B)/tests/unit/%.o $(LIBA)
	@mkdir -p $(@D)
	$(Q)$(if $(V),,echo "  LINK $@";) $(LINK) -o $@ $< $(LIBA) $(LIBS)

# the scripts that people call; the others are read by all of them, or of this tree alone
CALLED = $(filter-out $(patsubst %,scripts/%.sh,lib deps demo completion),$(wildcard scripts/*.sh))
$(B)/completions/ctv-mirror.bash: scripts/completion.sh $(BINS) $(CALLED)
	@mkdir -p $(@D)
	$(Q)sh scripts/completion.sh $(BINS) $(CALLED) >$@.new && mv $@.new $@

DROPBOXD := $(patsubst %.c,$(B)/%.o,$(wildcard tests/dropboxd/*.c))
$(B)/dropboxd: $(DROPBOXD) $(LIBA)
	$(Q)$(if $(V),,echo "  LINK $@";) $(if $(DROPBOXD),$(LINK) -o $@ $(DROPBOXD) $(LIBA) -lmicrohttpd -lgnutls $(LIBS))

# A fuzz target is linked twice: with a main that replays the corpus, and by `make fuzz` with libFuzzer.
FUZZ   := $(filter-out replay,$(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c)))
REPLAY := $(FUZZ:%=$(B)/replay/%)
$(REPLAY): $(B)/replay/%: $(B)/tests/fuzz/%.o $(B)/tests/fuzz/replay.o $(LIBA)
	@mkdir -p $(@D)
	$(Q)$(if $(V),,echo "  LINK $@";) $(LINK) -o $@ $< $(B)/tests/fuzz/replay.o $(LIBA) $(LIBS)

# the mutation campaign of db-verify
$(B)/mutate: $(B)/tests/fault/mutate.o $(B)/tests/fault/corpus.o $(LIBA)
	$(Q)$(if $(V),,echo "  LINK $@";) $(LINK) -o $@ $^ $(LIBS)

# and of its schemas
$(B)/schemas: $(B)/tests/fault/schemas.o $(LIBA)
	$(Q)$(if $(V),,echo "  LINK $@";) $(LINK) -o $@ $^ $(LIBS)

# the wrong clock of a lab host
$(B)/lab-clock.so: tests/lab/clock.c
	@mkdir -p $(@D)
	$(Q)$(if $(V),,echo "  LINK $@";) $(CC) -std=c11 -fPIC -shared $(CFLAGS) $(WARNINGS) -o $@ $<

units: $(UNITS) $(REPLAY) $(B)/mutate $(B)/schemas $(B)/lab-clock.so

deps:
	sh scripts/deps.sh test
	sh scripts/deps.sh lint

demo:
	sh scripts/demo.sh

test:
	sh tests/run.sh

# On minimal systems of both suites: the demo on both architectures, every test on Debian 13
test-distros:
	set -e; for suite in bookworm trixie; do for arch in amd64 arm64; do \
		sh tests/distro.sh $$suite $$arch demo; done; done
	sh tests/distro.sh trixie amd64 test

# Once, in some minutes, 260 MB. Its package has some of the database's patches where its first start does not
# look for them.
test-kuma: $(B)/kuma/installed
	sh tests/run.sh tests/kuma/*.bats

$(B)/kuma/installed:
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' && npm --version >/dev/null || \
		{ echo "make test-kuma: needs Node.js 20 or newer, with npm" >&2; exit 1; }
	npm install --no-fund --no-audit --loglevel=error --prefix $(B)/kuma uptime-kuma@2.0.0-dev.0
	cd $(B)/kuma/node_modules/uptime-kuma/db && cp -n patch-*.sql old_migrations/
	@touch $@

# Old and new programs on the two hosts: of the old ones a tree is made and built, which goes when the tests have ended.
# Which commit is to be said: a clone may be without history. Those from before there were minutes know no /changes.
test-old:
	@[ -n '$(OLD)' ] || { echo "make test-old: needs OLD=COMMIT, such as the parent of the first one with tools/db-changes.c" >&2; exit 1; }
	rm -rf $(B)/old
	mkdir -p $(B)/old
	trap 'rm -rf $(B)/old' EXIT; trap 'exit 1' INT TERM; set -e; git archive -o $(B)/old/tree.tar '$(OLD)'; \
		tar -x -f $(B)/old/tree.tar -C $(B)/old; $(MAKE) -s -C $(B)/old B=build all; NO_SKIPS=1 sh tests/run.sh tests/old/*.bats

# two hosts to play with, as root; everything is gone when the shell ends
lab: all
	tests/lab/lab visit

# the status page in every state, as Chromium draws it
screenshots: all
	mkdir -p $(B)/screenshots
	SCREENSHOTS=$(CURDIR)/$(B)/screenshots CTV_BUILD=$(CURDIR)/$(B) bats tests/page.bats
	@echo "see $(B)/screenshots"

# each parser for FUZZ_SECONDS; a finding is left in build/fuzz
FUZZ_SECONDS ?= 60
fuzz:
	sh scripts/deps.sh lint
	$(MAKE) -s B=$(B)/fuzz CC=clang SANITIZE="-fsanitize=address,undefined,fuzzer-no-link" \
		LDFLAGS=-fsanitize=fuzzer fuzzers
	set -e; for name in $(FUZZ); do echo "fuzz $$name"; mkdir -p $(B)/fuzz/found/$$name; \
		$(B)/fuzz/fuzz/$$name -max_total_time=$(FUZZ_SECONDS) -max_len=65536 -verbosity=0 -print_final_stats=1 \
		-artifact_prefix=$(B)/fuzz/$$name- $(B)/fuzz/found/$$name tests/fuzz/corpus/$$name; done

FUZZERS := $(FUZZ:%=$(B)/fuzz/%)
fuzzers: $(FUZZERS)
$(FUZZERS): $(B)/fuzz/%: $(B)/tests/fuzz/%.o $(LIBA)
	@mkdir -p $(@D)
	$(LINK) -o $@ $< $(LIBA) $(LIBS)

# ratios with their goals; BENCH_SIZE=200M for a first look
BENCH_SIZE ?= 1400M
bench: all
	sh tests/bench/verify.sh $$(($$(numfmt --from=iec $(BENCH_SIZE)) / 625))
	BENCH_SIZE=$(BENCH_SIZE) bash tests/bench/transfer.sh
	BENCH_SIZE=$(BENCH_SIZE) sh tests/bench/snapshot.sh
	bash tests/bench/changes.sh $$(($$(numfmt --from=iec $(BENCH_SIZE)) / 816))
	bash tests/bench/failover.sh
	bash tests/bench/proof.sh $$(($$(numfmt --from=iec $(BENCH_SIZE)) / 600))
	bash tests/bench/restore.sh $$(($$(numfmt --from=iec $(BENCH_SIZE)) / 600))

# writers that never stop against db-changes and db-apply, each seed with other ones; thousands of states, byte for byte
STRESS_LOOKS ?= 4000
STRESS_SEEDS ?= 1 2 3 4 5 6 7 8 9 10
stress: all
	set -e; for seed in $(STRESS_SEEDS); do dir=$$(mktemp -d -p /dev/shm); PATH=$(abspath $(B)):$$PATH; (cd $$dir && \
		python3 $(CURDIR)/tests/stress.py $$seed $$(($(STRESS_LOOKS) / 10)) && \
		python3 $(CURDIR)/tests/changes.py $$seed 100); rm -rf $$dir; done

# The whole suite of the tools under the address and undefined-behaviour sanitizers; without the lab, whose
# hosts have the ordinary binaries, and the crash matrices, whose tracer excludes the leak check.
ASAN_TESTS = $(filter-out tests/lab% tests/page% tests/interop% tests/systemd% tests/fault% tests/svc-ctl% tests/alert-units%,$(wildcard tests/*.bats))
asan:
	FILE_LIMIT=7200 B=$(B)/asan SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=all" sh tests/run.sh $(ASAN_TESTS)

# Both compilers without a warning, the analyzers, the scripts, the pages.
SCRIPTS = scripts/*.sh scripts/parts/*.sh systemd/*.sh tests/*.sh tests/bench/*.sh .ci/run debian/*.preinst debian/*.postinst debian/*.prerm debian/*.postrm debian/tests/main-job
lint:
	sh scripts/deps.sh lint
	$(MAKE) -s B=$(B)/lint-gcc CFLAGS="-O2 -Werror" all units
	$(MAKE) -s B=$(B)/lint-clang CC=clang CFLAGS="-O2 -Werror -Wno-unknown-warning-option" \
		HARDEN="-D_FORTIFY_SOURCE=2 -fstack-protector-strong" all units
	printf '%s\n' lib/*.c lib/*/*.c tools/*.c | xargs -P 2 -n 4 sh -c \
		'clang-tidy --quiet "$$@" -- -std=c11 -I. -DCTV_VERSION=\"0\" 2>/dev/null' tidy
	shellcheck $(wildcard $(SCRIPTS))
	@# of the tests above all: a line that begins with ! cannot fail
	shellcheck -s bash -i SC2314,SC2315 $(wildcard tests/*.bats tests/*/*.bats)
	mandoc -Tlint -Wwarning man/*

# ROLE=standby or primary; with DESTDIR just the files, else users, timers and the role of this host too
APP ?= /opt/apps/ctv-bookedbiz-db
install: programs
	ROLE='$(ROLE)' PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' APP='$(APP)' B='$(B)' sh systemd/install.sh install

uninstall:
	ROLE='$(ROLE)' PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' APP='$(APP)' B='$(B)' sh systemd/install.sh uninstall

# The Debian packages, into build/deb: made of a copy of what git knows, with no rights
deb:
	rm -rf $(B)/deb
	mkdir -p $(B)/deb/tree
	git ls-files -z | tar -c --null -T - | tar -x -C $(B)/deb/tree
	cd $(B)/deb/tree && env -u MAKEFLAGS -u MFLAGS dpkg-buildpackage -us -uc -b
	rm -rf $(B)/deb/tree

clean:
	rm -rf $(B)

-include $(wildcard $(B)/lib/*.d $(B)/lib/*/*.d $(B)/tools/*.d $(B)/tests/unit/*.d $(B)/tests/dropboxd/*.d $(B)/tests/fuzz/*.d $(B)/tests/fault/*.d)

.PHONY: all programs units deb deps demo test test-distros test-kuma test-old lab screenshots lint asan fuzz fuzzers bench stress install uninstall clean
.SECONDARY:
