.PHONY: test ci fuzz golden generate bench shakespeare gradcheck xor smollm2 finetune-sms finetune-rates finetune-tasks
test: ; go test ./...
ci: ; bash .ci/run
fuzz: ; for f in FuzzInfer:./graph FuzzPlan:./graph/plan FuzzCheckpoint:./train FuzzLoad:./internal/safetensors FuzzParse:./internal/gguf FuzzRender:./internal/jinja FuzzOpen:./gpt FuzzSubword:./data/token FuzzOpenJSON:./data/token FuzzSplit:./data/token; do go test -run '^$$' -fuzz $${f%%:*} -fuzztime 60s -fuzzminimizetime 2s $${f##*:} || exit 1; done
golden: ; python3 testdata/golden.py && python3 testdata/golden_hf.py && python3 testdata/golden_adapter.py && python3 testdata/golden_heads.py && python3 testdata/golden_sft.py && python3 testdata/golden_head.py && python3 testdata/golden_spans.py && python3 testdata/golden_stride.py
generate: ; go generate ./internal/vec
bench: ; go run ./cmd/ceto bench gemm && for c in A B C; do go run ./cmd/ceto bench step --config $$c; done
shakespeare: ; go run ./cmd/ceto pretrain --preset shakespeare-char-cpu --data $${CETO_DATA:?names a folder with tinyshakespeare/input.txt}/tinyshakespeare/input.txt
gradcheck: ; go run ./cmd/ceto gradcheck
xor: ; go run ./cmd/ceto demo xor --seeds 200
smollm2: ; @sh testdata/smollm2.sh smollm2
finetune-sms: smollm2 ; go run ./bench/sms -data $${CETO_DATA:?names a folder with sms-spam/SMSSpamCollection.tsv}/sms-spam/SMSSpamCollection.tsv -python "$${PYTHON:-}"
finetune-rates: smollm2 ; go run ./bench/rates -data $${CETO_DATA:?names a folder with sms-spam/SMSSpamCollection.tsv}/sms-spam/SMSSpamCollection.tsv
finetune-tasks: smollm2 ; go run ./bench/tasks -data $${CETO_DATA:?names a folder with instruction-1100 and tatoeba-cmn-eng}
