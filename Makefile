# make check is what a change must pass. The long runs (sim, fuzz, hostile, soak) are by hand.

GO      ?= go
PKGS    ?= ./...
PURE     = ./crdt ./crdt/dagcbor ./crdt/change ./crdt/opset ./crdt/set ./acl ./netsync
TARGETS  = windows/amd64 android/arm64 js/wasm
FUZZTIME ?= 30s
HOSTILE_N ?= 1000000
SIM_SEEDS ?= 3000

.PHONY: all check build test race lint pure sim fuzz hostile soak bench cover demo

all: check

## check: formatting, vet, staticcheck, the pure packages elsewhere, then every test under -race
check: lint pure race

build:
	$(GO) build -o pipes ./cmd/pipes

## test: every test
test:
	$(GO) test $(PKGS)

race:
	$(GO) test -race $(PKGS)

lint:
	@out=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$out" || { echo "gofmt would change:"; echo "$$out"; exit 1; }
	$(GO) vet $(PKGS)
	$(GO) tool staticcheck $(PKGS)

## pure: the packages without clock, goroutines, I/O or cgo build where cgo does not
pure:
	@for t in $(TARGETS); do \
		echo "CGO_ENABLED=0 GOOS=$${t%/*} GOARCH=$${t#*/} go build"; \
		CGO_ENABLED=0 GOOS=$${t%/*} GOARCH=$${t#*/} $(GO) build $(PURE) || exit 1; \
	done

## sim: thousands of seeds of the simulations; a failure names its own
sim:
	$(GO) test ./netsync -run TestSim -count 1 -timeout 30m -seeds $(SIM_SEEDS)
	$(GO) test ./replica -run TestConverge -count 1 -timeout 30m -seeds $$(( $(SIM_SEEDS) / 10 ))

## fuzz: every fuzz target for FUZZTIME each
fuzz:
	@for f in $$(grep -rlE '^func Fuzz' --include='*_test.go' .); do \
		for n in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/p' $$f); do \
			echo "fuzz $$(dirname $$f) $$n"; \
			$(GO) test -run '^$$' -fuzz "^$$n$$" -fuzztime $(FUZZTIME) $$(dirname $$f) || exit 1; \
		done; \
	done

## hostile: mutated changes against the real core in a child process
hostile:
	$(GO) run ./crdt/opset/hostile -n $(HOSTILE_N)

## soak: the whole paper trace through the command line, killed at 50 random moments
soak:
	$(GO) test ./cmd/pipes -run PaperThroughTheCommandLine -count 1 -v -timeout 30m -soak

## bench: ours beside the bare parts, in one run
bench:
	$(GO) run ./bench

## cover: what each package's own tests cover
cover:
	@$(GO) test -cover $(PKGS) | awk '{print $$2, $$4, $$5}' | column -t

demo:
	$(GO) run ./cmd/pipes demo
