# Everything that is done with this tree. `make help` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The race detector needs a C compiler; without one the tests run without it. The
# product itself never uses cgo.
CC_HERE := $(shell command -v $$(go env CC 2>/dev/null) 2>/dev/null)
RACE ?= $(if $(CC_HERE),-race)
FUZZTIME ?= 10s
SEED ?= 1
KILLS ?= 200
FOR ?= 10m
BESIDE ?= 8

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: sandbox
sandbox: ## run the whole conversation on this machine; no account needed
	go run ./cmd/postern sandbox

.PHONY: build
build: ## build bin/postern, one static binary
	CGO_ENABLED=0 go build -trimpath -o bin/postern ./cmd/postern

.PHONY: test
test: ## run all tests (installs PostgreSQL if it is missing and it may; RACE= is faster)
	@tools/packages
	go vet ./...
	go test $(if $(RACE),-race) -count=1 -timeout 20m ./...

.PHONY: lint
lint: ## check form and style: gofmt, go vet, staticcheck
	@bad=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); \
		if [ -n "$$bad" ]; then echo "not gofmt'ed:" $$bad >&2; exit 1; fi
	go vet ./...
	go tool -modfile=tools/go.mod staticcheck ./...

.PHONY: generate
generate: ## write what is made from code: docs/configuration.md, docs/doctor.md, tables of docs/sandbox.md
	go test ./cmd/postern ./sandbox -run '^TestGenerated' -update

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME (default 10s)
	@for pkg in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "$$pkg $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg; \
		done; \
	done

# The shipped binary: stripped. DIR is where the databases of the comparison are made
# and thrown away; ROWS, ROUNDS and EACH make a shorter run, which writes no document.
BENCH_DIR ?= bin/bench
ROWS ?=
ROUNDS ?= 3
EACH ?= 3s
MESSAGES ?= 200000
CONVERSATIONS ?= 20000
BENCH_OUT ?= $(if $(ROWS),,-out docs/performance.md)

.PHONY: bench-build
bench-build:
	@bench/php/install
	@tools/packages
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o bin/bench-postern ./cmd/postern
	go build -o bin/bench-compare ./bench/compare
	@mkdir -p $(BENCH_DIR)

.PHONY: bench
bench: bench-build ## measure the program beside its anchors and write docs/performance.md (about 15 minutes; ROWS=a,b ROUNDS= EACH=)
	bin/bench-compare -binary bin/bench-postern -dir $(BENCH_DIR) -rows '$(ROWS)' -rounds $(ROUNDS) -each $(EACH) \
		-messages $(MESSAGES) -conversations $(CONVERSATIONS) $(BENCH_OUT)

.PHONY: bench-growth
bench-growth: ## the same, growth with 10 million messages and 1 million conversations (about 45 minutes and 40 GB of disk)
	$(MAKE) bench MESSAGES=10000000 CONVERSATIONS=1000000

.PHONY: bench-go
bench-go: ## run the Go benchmarks of all packages
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: bench-intake
bench-intake: ## the store alone: arrivals recorded durably, beside bare handlers that commit the same row
	go test ./bench/intake -run '^$$' -bench Intake -benchtime 1x

.PHONY: bench-large
bench-large: build ## time and memory of a large attachment in each direction
	go run ./bench/large -binary bin/postern

.PHONY: replies
replies: build ## score the reply extraction and write docs/replies.md (needs ../shared)
	go run ./replytext/internal/scoretable -out docs/replies.md -- bin/postern reply

.PHONY: browser
browser: ## play the README's story in a real browser (Debian's chromium, playwright-core)
	tests/browser/run.sh

.PHONY: chaos
chaos: ## kill the gateway again and again on both databases, and count what was lost (SEED=, KILLS=, FOR=)
	@tools/packages
	@mkdir -p bin/chaos
	go run ./tests/chaos -build bin/chaos
	go run ./tests/chaos -binary bin/chaos/postern -next bin/chaos/postern-next -upgrade -database sqlite -seed $(SEED) -kills $(KILLS) -for $(FOR)
	go run ./tests/chaos -binary bin/chaos/postern -next bin/chaos/postern-next -upgrade -database postgres -replicas 3 -seed $(SEED) -kills $(KILLS) -for $(FOR)
	go run ./tests/chaos -binary bin/chaos/postern -freeze -unsure 30s -database postgres -replicas 2 -seed $(SEED) -kills 10 -for 3m

.PHONY: killpoints
killpoints: ## kill the gateway just before and just after each write and each call, on both databases (about 45 minutes; BESIDE=)
	@tools/packages
	go run ./tests/chaos -points all -beside $(BESIDE) -database sqlite
	go run ./tests/chaos -points all -beside $(BESIDE) -database postgres

.PHONY: conformance
conformance: ## run the vendors' own clients against the emulators (needs node and npm)
	tests/conformance/run.sh
