# make demo    plays the story of the example repo and keeps serving; ONCE=1 ends after the story
# make test    builds, checks the style, and runs all tests
# make bench   measures what the program promises

GO      ?= go
TOOL    := $(GO) tool -modfile=tools/go.mod
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X github.com/trunkline/trunkline/server.Version=$(VERSION)
FUZZ    ?= 3s

.PHONY: build demo test lint race fuzz bench clean

build:
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/trunkline ./cmd/trunkline

demo: build
	./bin/trunkline demo $(if $(ONCE),--once)

test: build lint race fuzz

lint:
	$(GO) vet ./...
	@unformatted=$$($(TOOL) gofumpt -l .); test -z "$$unformatted" || { echo "not formatted (gofumpt):"; echo "$$unformatted"; exit 1; }
	$(TOOL) staticcheck ./...

race:
	$(GO) test -race -timeout 20m ./...

# Every fuzzer for a short while, on top of its seeds, which the tests run. The Go command takes one at a time.
fuzz:
	@for package in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
		for target in $$(grep -ho '^func Fuzz[A-Za-z0-9]*' $$package/*_test.go | sed 's/func //'); do \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZ) $$package || exit 1; \
		done; \
	done

bench: build
	$(GO) build -o bin/bench ./bench
	./bin/bench ./bin/trunkline

clean:
	rm -rf bin
