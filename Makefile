# facesearch: what to type. "make help" lists it.

ADDR ?= 127.0.0.1:8080
DATA ?= data
FUZZTIME ?= 30s
IMAGE ?= facesearch
STATICCHECK_PACKAGE := honnef.co/go/tools/cmd/staticcheck@v0.8.2

MODELS := models/files
PHOTOGRAPHS := testdata/photographs/files
CACHE := $(or $(XDG_CACHE_HOME),$(HOME:%=%/.cache),$(CURDIR)/.cache)/facesearch

# Built anew with each version of Go, whose standard library it has to understand.
STATICCHECK := $(CACHE)/$(STATICCHECK_PACKAGE)-$(shell go env GOVERSION 2>/dev/null)/staticcheck

# Go's build cache holds compiled C++ (a minute and a half of work) under the text of CXX and
# CGO_LDFLAGS, but knows nothing of what they point to. So the compiler wrapper and the linker
# scripts are copied to a folder whose name stands for their content and settings: every
# checkout shares what was compiled, and a change of any of them compiles anew.
TOOLCHAIN_FILES := $(wildcard pkg/dlib/build/cxx pkg/dlib/build/lib/*)
TOOLCHAIN := $(CACHE)/toolchain/$(shell { cat $(TOOLCHAIN_FILES); \
	echo '$(FACESEARCH_CXX) $(origin FACESEARCH_MARCH) $(FACESEARCH_MARCH)'; } | sha256sum | cut -c1-16)

export CXX := $(TOOLCHAIN)/cxx
export CGO_ENABLED := 1
export CGO_LDFLAGS := -L$(TOOLCHAIN)/lib
export GOFLAGS := $(strip $(GOFLAGS) -trimpath)

# ONNX Runtime's Linux builds report to their maker since 1.29; nothing here may.
export ORT_DISABLE_TELEMETRY := 1

# What the tests run beside Go. The folders are named for what is installed in them.
folder = $(CACHE)/$(1)/$(shell cat $(2) | sha256sum | cut -c1-16)
PYTHON_CLIENT := $(call folder,python-client,.ci/clients testdata/clients/requirements.txt $(wildcard clients/python/*.py) clients/python/pyproject.toml)
TYPESCRIPT := $(call folder,typescript,.ci/clients testdata/clients/package-lock.json)

# Where the tests find the files. Not exported: the program reads such names as its flags.
TEST_FILES := FACESEARCH_MODELS='$(CURDIR)/$(MODELS)' FACESEARCH_PHOTOGRAPHS='$(CURDIR)/$(PHOTOGRAPHS)' \
	FACESEARCH_PYTHON_CLIENT='$(PYTHON_CLIENT)' FACESEARCH_TYPESCRIPT='$(TYPESCRIPT)' \
	FACESEARCH_AXE='$(TYPESCRIPT)/node_modules/axe-core/axe.min.js'

.PHONY: help tools testtools setup build run demo test setup-opensearch test-opensearch bench bench-gallery peers lint schemathesis kill fuzz licences image clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS='	' read -r name text; do \
		printf '  make %-16s %s\n' "$$name" "$$text"; done
	@echo '  settings: ADDR=$(ADDR) DATA=$(DATA) FUZZTIME=$(FUZZTIME) EXAMPLES=$(EXAMPLES) ROUNDS=$(ROUNDS) IMAGE=$(IMAGE)'

# The system's packages, a look at Go's version, and the compiler wrapper's copy.
tools: $(TOOLCHAIN)
	@.ci/setup

$(TOOLCHAIN):
	@mkdir -p $@.new.$$$$/lib && \
	cp pkg/dlib/build/cxx $@.new.$$$$/ && \
	cp pkg/dlib/build/lib/* $@.new.$$$$/lib/ && \
	chmod +x $@.new.$$$$/cxx && \
	{ mv -T $@.new.$$$$ $@ 2>/dev/null || { rm -r $@.new.$$$$ && test -d $@; }; }

build: tools ## compile bin/facesearch (the first time takes two minutes)
	go build -o bin/facesearch ./cmd/facesearch

setup: build ## everything that run needs: packages, binary, model files
	@bin/facesearch models fetch --models $(MODELS)

run: setup ## set up and serve on ADDR with the store in DATA
	@bin/facesearch models fetch --photographs $(PHOTOGRAPHS)
	@exec bin/facesearch serve --addr $(ADDR) --data $(DATA) --models $(MODELS) --example $(PHOTOGRAPHS)/obama.jpg

demo: setup ## the same, with a few photographs enrolled and one searched
	@bin/facesearch models fetch --photographs $(PHOTOGRAPHS)
	@exec bin/facesearch demo --addr $(ADDR) --data $(DATA) --models $(MODELS) --photographs $(PHOTOGRAPHS)

# Go compiles a package's C++ anew for race builds, even for vet. The tests need the race
# build, so everything here is one: a machine that only tests compiles the C++ once.
test: export GOFLAGS := $(GOFLAGS) -race
test: tools $(STATICCHECK) $(PYTHON_CLIENT) $(TYPESCRIPT) ## set up, then vet, staticcheck and all tests with the race detector
	@go run ./cmd/facesearch models fetch --models $(MODELS)
	@go run ./cmd/facesearch models fetch --photographs $(PHOTOGRAPHS)
	go vet ./...
	$(STATICCHECK) ./...
	$(TEST_FILES) go test -timeout 60m ./...

setup-opensearch: ## fetch what test-opensearch needs: OpenSearch, and a JDK where there is none
	@.ci/opensearch $(if $(SHORT),,security) >/dev/null

# The tests start and stop their own nodes: one, or as many as FACESEARCH_OPENSEARCH_NODES says.
# They wait for a node more than they compute, so more of them run at once than there are cores.
# SHORT=1 leaves out what takes long: the suite on the graph, several nodes, the security plugin.
SHORT ?=
OPENSEARCH_PACKAGES := ./pkg/opensearch/... ./pkg/migrate ./cmd/facesearch
OPENSEARCH_TEST := go test -tags opensearch -count 1 -timeout 60m -parallel 4 $(if $(SHORT),-short)
test-opensearch: export GOFLAGS := $(GOFLAGS) -race
test-opensearch: tools $(STATICCHECK) setup-opensearch ## the tests of the gallery on OpenSearch, on nodes of their own; SHORT=1 for what CI runs
	@go run ./cmd/facesearch models fetch --models $(MODELS)
	@go run ./cmd/facesearch models fetch --photographs $(PHOTOGRAPHS)
	go vet -tags opensearch $(OPENSEARCH_PACKAGES)
	$(STATICCHECK) -tags opensearch $(OPENSEARCH_PACKAGES)
	export FACESEARCH_OPENSEARCH_HOME="$$(.ci/opensearch)" $(if $(SHORT),,FACESEARCH_OPENSEARCH_SECURITY_HOME="$$(.ci/opensearch security)") && \
	$(OPENSEARCH_TEST) ./pkg/opensearch/... && \
	$(OPENSEARCH_TEST) -run OpenSearch ./pkg/migrate && \
	$(TEST_FILES) $(OPENSEARCH_TEST) -run $(if $(SHORT),'^TestOpenSearch$$',OpenSearch) ./cmd/facesearch

lint: tools $(STATICCHECK) ## gofmt, vet and staticcheck
	@test -z "$$(gofmt -l . | tee /dev/stderr)" || { echo 'lint: run gofmt -w on these files' >&2; exit 1; }
	go vet ./...
	$(STATICCHECK) ./...

$(STATICCHECK): | tools
	GOFLAGS=-trimpath GOBIN=$(@D) go install $(STATICCHECK_PACKAGE)

testtools: tools
	@.ci/setup tests

$(PYTHON_CLIENT): | testtools
	@.ci/clients python $@

$(TYPESCRIPT): | testtools
	@.ci/clients typescript $@

PEERS := bench/peers
PYTHON ?= $(if $(wildcard $(PEERS)/bin/python),$(PEERS)/bin/python,python3)

bench: setup ## the steps of a search, and the index, into bench/ (peers: "make peers" first)
	@bin/facesearch models fetch --photographs $(PHOTOGRAPHS)
	@mkdir -p bench
	bin/facesearch bench photo --models $(MODELS) --python $(PYTHON)
	bin/facesearch bench index --n 10000,100000 --python $(PYTHON) --json bench/index.json --html bench/index.html

bench-gallery: build setup-opensearch ## galleries on bbolt and on a node of OpenSearch, side by side, into bench/
	@mkdir -p bench
	bin/facesearch bench gallery --n 10000,100000 --opensearch-home "$$(.ci/opensearch)" --json bench/gallery.json --html bench/gallery.html

peers: tools ## other engines to measure beside, in a Python environment of their own
	python3 -m venv $(PEERS)
	$(PEERS)/bin/pip install --quiet dlib-bin numpy pillow faiss-cpu hnswlib

SCHEMATHESIS := $(CACHE)/schemathesis-4.32.5
EXAMPLES ?= 30

schemathesis: setup $(SCHEMATHESIS) ## the OpenAPI document against a running server, EXAMPLES a path
	@bin/facesearch models fetch --photographs $(PHOTOGRAPHS)
	@.ci/schemathesis bin/facesearch $(CURDIR)/$(MODELS) $(CURDIR)/$(PHOTOGRAPHS) $(SCHEMATHESIS)/bin/schemathesis --max-examples $(EXAMPLES)

$(SCHEMATHESIS): | tools
	@python3 -m venv $@ && \
	$@/bin/pip install --quiet --disable-pip-version-check schemathesis==$(lastword $(subst -, ,$@)) || \
	{ rm -rf $@; exit 1; }

ROUNDS ?= 200

kill: setup ## kill the server ROUNDS times in the middle of its work, and look at what is left
	@bin/facesearch models fetch --photographs $(PHOTOGRAPHS)
	$(TEST_FILES) FACESEARCH_KILL_ROUNDS=$(ROUNDS) go test -count 1 -timeout 0 -v -run '^TestKilledWhileServing$$' ./cmd/facesearch

fuzz: setup ## every fuzz test for FUZZTIME
	@bin/facesearch models fetch --photographs $(PHOTOGRAPHS)
	@grep -rl --include='*_test.go' '^func Fuzz' . | xargs -r -n1 dirname | sort -u | while read -r folder; do \
		for test in $$(grep -ho '^func Fuzz[A-Za-z0-9_]*' $$folder/*_test.go | cut -d' ' -f2); do \
			$(TEST_FILES) go test -run '^$$' -fuzz "^$$test\$$" -fuzztime $(FUZZTIME) $$folder || exit 1; \
		done; \
	done

# The terms of everything that is linked into the binary, for whoever passes it on.
licences: tools ## collect the licence files of all modules in bin/licences
	@rm -rf bin/licences && mkdir -p bin/licences/go bin/licences/dlib
	@go list -deps -f '{{with .Module}}{{.Path}} {{.Dir}}{{end}}' ./cmd/facesearch | sort -u | \
	while read -r module folder; do \
		mkdir -p "bin/licences/$$module" && \
		find "$$folder" -maxdepth 1 -type f \( -iname 'licen*' -o -iname 'copying*' -o -iname 'notice*' \) \
			-exec cp {} "bin/licences/$$module/" \; || exit 1; \
	done
	@cp "$$(go list -m -f '{{.Dir}}' github.com/prometheus/client_golang)/internal/github.com/golang/gddo/LICENSE" \
		bin/licences/github.com/prometheus/client_golang/LICENSE.gddo
	@cp "$$(go env GOROOT)/LICENSE" bin/licences/go/
	@cp /usr/share/doc/libdlib-dev/copyright bin/licences/dlib/ 2>/dev/null || rmdir bin/licences/dlib

image: ## the container image
	docker build --tag $(IMAGE) .

clean: ## remove what was built; the store, the models and Go's cache stay
	rm -rf bin bench
