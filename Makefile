# csmail. `make build` and `make test` need nothing but Go.

GO ?= go

.PHONY: build demo test race e2e bench fuzz lint crowdsec

build:
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/csmail ./cmd/csmail

test:
	$(GO) vet ./...
	$(GO) test ./...

race:
	CGO_ENABLED=1 $(GO) test -race ./...

# The real CrowdSec, for the demo and the end-to-end tests. Built once.
crowdsec:
	@tests/crowdsec/build.sh

demo: build crowdsec
	@$(GO) run ./tests/demo -csmail bin/csmail

# Real Postfix, Dovecot and CrowdSec. Needs root and Debian.
e2e: crowdsec
	tests/e2e/install.sh
	tests/crowdsec/debian.sh
	$(GO) test -tags e2e -count=1 -timeout 20m ./tests/e2e/... ./tests/lapitest/... ./tests/engine/...

bench: build
	$(GO) run ./tests/bench -csmail bin/csmail

FUZZTIME ?= 5m
fuzz:
	$(GO) test -run=NONE -fuzz=FuzzSplit -fuzztime=$(FUZZTIME) ./pkg/syslogline
	$(GO) test -run=NONE -fuzz=FuzzClientText -fuzztime=$(FUZZTIME) ./pkg/postfix
	$(GO) test -run=NONE -fuzz=FuzzScreened -fuzztime=$(FUZZTIME) ./pkg/postfix
	$(GO) test -run=NONE -fuzz=FuzzUser -fuzztime=$(FUZZTIME) ./pkg/dovecot
	$(GO) test -run=NONE -fuzz=FuzzAuth -fuzztime=$(FUZZTIME) ./pkg/dovecot
	$(GO) test -run=NONE -fuzz=FuzzBlocks -fuzztime=$(FUZZTIME) ./pkg/acquisition

lint:
	@test -z "$$(gofmt -l cmd pkg tests)" || { gofmt -l cmd pkg tests; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags e2e ./...
	$(GO) mod verify
