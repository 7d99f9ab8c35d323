# make demo    plays the story of the example repo and keeps serving; ONCE=1 ends after the story
# make test    builds, checks the style, and runs all tests
# make page    tests the page alone
# make js      tests the JavaScript client, and OpenFeature's, alone
# make bench   measures what the program promises

GO      ?= go
TOOL    := $(GO) tool -modfile=tools/go.mod
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X github.com/trunkline/trunkline/server.Version=$(VERSION)
FUZZ    ?= 2000x

.PHONY: build demo test lint race fuzz page js bench clean

build:
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/trunkline ./cmd/trunkline

demo: build
	./bin/trunkline demo $(if $(ONCE),--once)

test: build lint race fuzz page js

lint:
	$(GO) vet ./...
	@unformatted=$$($(TOOL) gofumpt -l .); test -z "$$unformatted" || { echo "not formatted (gofumpt):"; echo "$$unformatted"; exit 1; }
	$(TOOL) staticcheck ./...

race:
	./deploy/setup.sh
	$(GO) test -race -timeout 20m ./...

# Every fuzzer for a number of inputs, on top of its seeds, which the tests run. The Go command takes one at a time; told a time
# instead (FUZZ=10m), it now and then calls its own deadline a failure.
fuzz:
	@for package in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
		for target in $$(grep -ho '^func Fuzz[A-Za-z0-9]*' $$package/*_test.go | sed 's/func //'); do \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZ) $$package || exit 1; \
		done; \
	done

# The page: its modules in Node, and all of it in a headless Chromium against a real server. TRUNKLINE_SHOTS=dir keeps pictures of it.
page:
	./web/setup.sh
	node --test web/test/
	$(GO) vet -tags browser ./web/browser
	$(TOOL) staticcheck -tags browser ./web/browser
	$(GO) test -tags browser -timeout 10m ./web/browser

# The JavaScript client: its types, its modules, and all of it in Node and in a headless Chromium against the real server. OpenFeature's
# own clients, against the real server.
js: build
	./web/setup.sh client/js
	./client/js/test/run.sh
	./web/setup.sh api/ofrep/js
	./api/ofrep/js/run.sh

bench: build
	$(GO) build -o bin/bench ./bench
	./bin/bench ./bin/trunkline

clean:
	rm -rf bin
