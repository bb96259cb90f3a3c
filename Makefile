# ctv-mirror: a warm standby for a SQLite-backed web application, over nothing but Dropbox.
#
#   make            all binaries, into build/
#   make deps       install what building and testing need (tests/packages)
#   make demo       the main job end to end on the local Dropbox
#   make test       every test
#   make lab        two hosts with real systemd, and a shell on the standby
#   make lint asan fuzz bench install uninstall clean

VERSION = 0.1.0
PREFIX  = /usr/local
DESTDIR =
ROLE    = standby
B       = build
# make V=1 shows whole command lines
Q       = $(if $(V),,@)

CC     = gcc
CFLAGS = -O2 -g

# The reasons: FORTIFY, protector and clash protection catch overflows at run time; var-init makes a
# forgotten initialisation harmless; no-strict-overflow and no-delete-null keep guards in place.
ARCH     := $(shell uname -m)
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
LIBO  := $(patsubst %.c,$(B)/%.o,$(wildcard lib/*.c))
LIBA  := $(B)/libctv.a

# With --as-needed a binary is linked to what it uses and to nothing else.
LIBS = -lcurl -lsqlite3 -lcjson -lcrypto -lsystemd -lm

all: $(BINS) $(B)/dropboxd

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

DROPBOXD := $(patsubst %.c,$(B)/%.o,$(wildcard tests/dropboxd/*.c))
$(B)/dropboxd: $(DROPBOXD) $(LIBA)
	$(Q)$(if $(V),,echo "  LINK $@";) $(if $(DROPBOXD),$(LINK) -o $@ $(DROPBOXD) $(LIBA) -lmicrohttpd -lgnutls $(LIBS))

units: $(UNITS)

deps:
	sh scripts/deps.sh test

demo:
	sh scripts/demo.sh

test:
	sh tests/run.sh

# two hosts to play with, as root; everything is gone when the shell ends
lab: all
	tests/lab/lab visit

clean:
	rm -rf $(B)

-include $(wildcard $(B)/lib/*.d $(B)/tools/*.d $(B)/tests/unit/*.d $(B)/tests/dropboxd/*.d)

.PHONY: all units deps demo test lab lint asan fuzz bench install uninstall clean
.SECONDARY:
