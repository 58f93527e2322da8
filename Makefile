# csmail. `make build` and `make test` need nothing but Go.

GO ?= go

.PHONY: build demo demo-cluster test test-short race e2e bench fuzz fuzz-short lint crowdsec

build:
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/csmail ./cmd/csmail

# Seconds that the tests may take on two idle cores, once all is built. A machine that
# is busy or slower gets more: make test TEST_LIMIT=600. TEST_LIMIT=0 asks for nothing.
TEST_LIMIT ?= 120

test:
	$(GO) vet ./...
	@$(GO) test -run '^$$' ./... >/dev/null # builds
	@start=$$(date +%s); \
	$(GO) test ./... || exit; \
	took=$$(($$(date +%s) - start)); \
	echo "the tests took $$took s; the limit is $(TEST_LIMIT) s"; \
	test $(TEST_LIMIT) -eq 0 -o $$took -le $(TEST_LIMIT)

# Without what takes seconds: for work at the code.
test-short:
	$(GO) test -short ./...

race:
	CGO_ENABLED=1 $(GO) test -race -timeout 30m ./...

# The real CrowdSec, for the demo and the end-to-end tests. Built once.
crowdsec:
	@tests/crowdsec/build.sh

demo: build crowdsec
	@$(GO) run ./tests/demo -csmail bin/csmail

# Three NATS servers, two judges, four edges and a real CrowdSec on this machine.
demo-cluster: build crowdsec
	@tests/nats/build.sh
	@$(GO) run ./tests/demo/cluster -csmail bin/csmail

# Real Postfix, Dovecot and CrowdSec. Needs root and Debian.
e2e: crowdsec
	tests/e2e/install.sh
	tests/crowdsec/debian.sh
	tests/nats/build.sh
	tests/e2e/booted.sh bookworm trixie
	$(GO) test -tags e2e -count=1 -run TestRealJournal ./pkg/input/journal ./pkg/replay
	$(GO) test -tags e2e -count=1 -run 'Pflogsumm|Hubtest|Shells' ./tests
	promtool check rules config/prometheus/csmail.rules.yaml
	promtool test rules tests/prometheus/csmail.rules.test.yaml
	GOWORK=off $(GO) -C tests/prometheus run . ../../config/prometheus/csmail.rules.yaml ../../config/grafana/csmail.json
	$(GO) test -tags e2e -count=1 -timeout 20m ./tests/install
	$(GO) test -tags e2e -count=1 -p 1 -timeout 25m ./tests/e2e/... ./tests/lapitest/... ./tests/engine/... ./tests/cluster/...

bench: build
	$(GO) run ./tests/bench -csmail bin/csmail
	$(GO) test ./pkg/bucket -run NONE -bench Pour -benchtime 1000000x
	$(GO) test ./pkg/bucket -run NONE -bench Memory/sources=100000$$ -benchtime 1x
	$(GO) test ./pkg/bucket -run NONE -bench Memory/sources=1000000$$ -benchtime 1x

# Each is a package and a target; make fuzz runs one after the other.
FUZZ = \
	logline.FuzzSplit \
	logline.FuzzSplitter \
	event.FuzzParseAddr \
	grammar/postfix.FuzzClientText \
	grammar/postfix.FuzzScreened \
	grammar/postfix.FuzzFlowText \
	grammar/dovecot.FuzzUser \
	grammar/dovecot.FuzzAuth \
	grammar/pam.FuzzRhost \
	grammar/sshd.FuzzLogin \
	engine.FuzzFields \
	decision.FuzzParse \
	decision.FuzzRestore \
	bouncer.FuzzAnswer \
	enforce.FuzzRefusals \
	enforce/policyd.FuzzAnswer \
	enforce/authpolicy.FuzzRequest \
	enforce/socketmap.FuzzRead \
	enforce/dnsbl.FuzzPacket \
	state.FuzzDecode \
	guard.FuzzRestore \
	wire.FuzzBatch \
	enforce/country.FuzzRestore \
	input/syslog.FuzzFrames \
	input/archive.FuzzBlocks \
	input/archive.FuzzExport

FUZZTIME ?= 5m
fuzz: $(FUZZ)

.PHONY: $(FUZZ)
$(FUZZ):
	$(GO) test -run=NONE -fuzz='^$(patsubst .%,%,$(suffix $@))$$' -fuzztime=$(FUZZTIME) ./pkg/$(basename $@)

# A few thousand inputs of each, which takes seconds; make test runs the seeds alone.
fuzz-short:
	@$(MAKE) --no-print-directory fuzz FUZZTIME=3000x

lint:
	@test -z "$$(gofmt -l cmd pkg tests)" || { gofmt -l cmd pkg tests; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags e2e ./...
	$(GO) mod verify
	GOFLAGS=-mod=readonly GOWORK=off $(GO) -C packaging/golangci build -o $(CURDIR)/bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	bin/golangci-lint run ./...
	@$(MAKE) --no-print-directory portable

# Where people run mail or work on csmail. The product is built, and the tests are
# compiled by vet.
PLATFORMS = linux/386 linux/arm linux/arm64 darwin/arm64 freebsd/amd64

.PHONY: portable $(PLATFORMS)
portable: $(PLATFORMS)
$(PLATFORMS):
	CGO_ENABLED=0 GOOS=$(@D) GOARCH=$(@F) $(GO) build ./...
	CGO_ENABLED=0 GOOS=$(@D) GOARCH=$(@F) $(GO) vet ./...

# How readable the code is: words of comments, lengths, methods, failure messages.
.PHONY: style
style:
	@$(GO) run ./tests/style

# Static binaries, deb and rpm for amd64 and arm64, with checksums, into bin/packages.
.PHONY: packages install
packages:
	GO=$(GO) packaging/build.sh

PREFIX ?= /usr
install: build
	install -D -m 0755 bin/csmail $(DESTDIR)$(PREFIX)/bin/csmail
	install -D -m 0644 config/csmail.service $(DESTDIR)$(PREFIX)/lib/systemd/system/csmail.service
	install -D -m 0644 config/csmail-report.service $(DESTDIR)$(PREFIX)/lib/systemd/system/csmail-report.service
	install -D -m 0644 config/csmail-report.timer $(DESTDIR)$(PREFIX)/lib/systemd/system/csmail-report.timer
	install -D -m 0644 packaging/sysusers.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/csmail.conf
	install -D -m 0644 packaging/tmpfiles.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/csmail.conf
	install -D -m 0640 config/csmail.yaml $(DESTDIR)/etc/csmail/csmail.yaml
	install -d $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 0644 docs/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	bin/csmail completion bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/csmail
