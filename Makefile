# Targets a person or a machine calls; `make help` lists them. Everything a target needs and may install is in
# scripts/deps; everything it leaves behind in /tmp or mounted is taken away by scripts/scratch, also on Ctrl-C.

SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS   += --no-print-directory
.DEFAULT_GOAL := build

# A fresh machine may have Go unpacked and not yet in PATH.
export PATH := $(PATH):/usr/local/go/bin

VERSION  := $(shell git describe --tags --dirty --match 'v*' 2>/dev/null || \
              { cat VERSION; git describe --always --dirty 2>/dev/null | sed 's/^/+g/'; } | tr -d '\n')
LDFLAGS  := -s -w -X main.version=$(VERSION)
FUZZTIME ?= 20s
ROUNDS   ?= 200
DURATION ?= 4h
ARGS     ?=
TESTLOG  := bin/test.json

# Tests that need the built program; everything else is a unit test. Those of cmd are both: what runs the program many times skips itself under
# the race detector, where each scrypt takes twenty times as long, and runs in integrate without it.
MOUNTING := dfsmount/integration(/|$$)

.NOTPARALLEL:
.PHONY: build demo test deps fmt vet staticcheck lint unit integrate readme bench fuzz crash soak clean help

build: ## build bin/dfsmount, one static file (the default)
	@scripts/deps go
	@mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/dfsmount ./cmd/dfsmount

demo: build ## the whole story on this machine, in about a minute
	@scripts/deps fuse
	@scripts/scratch bin/dfsmount demo $(ARGS)

test: deps build lint unit integrate ## every test: format, vet, staticcheck, unit with -race, integration, the README's commands
	@go run ./internal/testsum -total $(TESTLOG)

deps: ## install what the tests need, or say in one sentence what is missing
	@scripts/deps go fuse cc apps
	@mkdir -p bin && rm -f $(TESTLOG)

lint: fmt vet staticcheck ## gofmt, go vet, staticcheck

fmt:
	@echo 'gofmt -l -s'; bad=$$(find . -name '*.go' -not -path './.git/*' -print0 | xargs -0 gofmt -l -s); \
	if [ -n "$$bad" ]; then echo "not formatted (gofmt -s -w):"; echo "$$bad"; exit 1; fi

vet:
	go vet ./...

staticcheck:
	go tool staticcheck ./...

# With FUSE at hand (or in CI, where it must be) a test that skips itself for want of it fails.
NOSKIP = if [ -n "$${CI:-}" ] || [ -c /dev/fuse ]; then export DFSMOUNT_NOSKIP=1; fi

unit: ## unit tests, with the race detector where there is a C compiler
	@$(NOSKIP); race=$$(scripts/deps race); pkgs=$$(go list ./... | grep -Ev '$(MOUNTING)'); set -x; \
	scripts/scratch bash -o pipefail -c "go test -json $$race -timeout 10m $$(echo $$pkgs) | go run ./internal/testsum -o $(TESTLOG)"

integrate: build ## tests through real mounts and node processes, and the README's commands
	@$(NOSKIP); race=$$(scripts/deps race); \
	export DFSMOUNT_BIN=$(CURDIR)/bin/dfsmount; set -x; \
	scripts/scratch bash -o pipefail -c "go test -json -timeout 20m ./cmd/... | go run ./internal/testsum -o $(TESTLOG)"; \
	scripts/scratch bash -o pipefail -c "go test -json $$race -p 1 -timeout 20m ./integration/... | go run ./internal/testsum -o $(TESTLOG)"

readme: build ## run the commands the README shows
	@DFSMOUNT_BIN=$(CURDIR)/bin/dfsmount scripts/scratch go test -count=1 -v -run README ./integration/... ./cmd/...

bench: build ## compare speed with gocryptfs, loopback and the bare disk; ARGS=-quick for a minute, ARGS=-h for more
	@scripts/deps fuse
	go build -o bin/loopback github.com/hanwen/go-fuse/v2/example/loopback
	go build -o bin/bench ./internal/bench
	@scripts/scratch bin/bench $(ARGS)

fuzz: ## every fuzz target there is, FUZZTIME=20s each
	@scripts/deps go
	@grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sort | while IFS=: read -r file func; do \
	  echo "$${func#func } in $$(dirname $$file), $(FUZZTIME)"; \
	  go test -run '^$$' -fuzz "^$${func#func }\$$" -fuzztime $(FUZZTIME) "$$(dirname $$file)" < /dev/null; done

crash: build ## crash tests at length: ROUNDS=200 kills under load, and every crash test of the packages
	@scripts/deps fuse
	@DFSMOUNT_NOSKIP=1 DFSMOUNT_BIN=$(CURDIR)/bin/dfsmount DFSMOUNT_CRASH_ROUNDS=$(ROUNDS) \
	  scripts/scratch go test -count=1 -timeout 2h -run Crash ./...

soak: build ## random work compared with a plain directory, for hours: DURATION=4h, ARGS='-run TestTree -seed 4711'
	@scripts/deps fuse
	@DFSMOUNT_NOSKIP=1 DFSMOUNT_BIN=$(CURDIR)/bin/dfsmount scripts/scratch \
	  go test -count=1 -timeout 0 -v ./integration/exercise -duration $(DURATION) $(ARGS)

clean: ## remove what was built
	rm -rf bin dist

help: ## this list
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 18
