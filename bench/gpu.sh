#!/usr/bin/env bash
# bench/gpu.sh [--cpu --toy] [FOLDER]: what a GPU does with the program, in at most 4 minutes. It needs bash and Python 3,
# and two binaries that `make gpu-bundle` builds elsewhere: ceto-gpu and cuda-test. Stages, each with a limit of its own:
#
#   probe    the driver, the devices and the libraries that ceto doctor finds
#   kernels  the whole table of cases on the device against float64, memory poisoned, inputs drawn anew
#   train    ten steps beside the CPU's: losses within 1e-4, gradient norms within 1e-3
#
# FOLDER (gpu-results) gets a JSON file of each. With --cpu --toy the same script runs on the emulated GPU.
set -uo pipefail
cd "$(dirname "$0")/.."
device=cuda out=gpu-results
for a in "$@"; do
  case $a in
  --cpu) device=emulated ;;
  --toy) toy=1 ;;
  -*) echo "usage: bench/gpu.sh [--cpu --toy] [FOLDER]" >&2; exit 2 ;;
  *) out=$a ;;
  esac
done
ceto=${CETO:-./ceto-gpu} tests=${CETO_TEST:-./cuda-test}
mkdir -p "$out"
failed=0

stage() { # stage NAME SECONDS COMMAND…
  local name=$1 limit=$2 start=$SECONDS; shift 2
  printf '== %s\n' "$name"
  if timeout "$limit" "$@"; then printf '== %s: holds, %d s\n' "$name" $((SECONDS - start))
  else printf '== %s: FAILS (%d), %d s\n' "$name" $? $((SECONDS - start)); failed=1; fi
}

probe() { "$ceto" doctor --json | tee "$out/probe.json"; }

kernels() {
  CETO_TEST_DEVICE=$device CETO_TEST_SEED=${CETO_TEST_SEED:-$RANDOM} "$tests" -test.v -test.run 'TestTable$' >"$out/kernels.log" 2>&1
  local rc=$?
  python3 - "$out" "$rc" <<'PY'
import json, re, sys
out, rc = sys.argv[1], int(sys.argv[2])
rows = {"PASS": [], "FAIL": [], "SKIP": []}
for line in open(out + "/kernels.log"):
    if m := re.match(r"\s+--- (PASS|FAIL|SKIP): TestTable/(\S+)", line):
        rows[m[1]].append(m[2])
r = {"passed": len(rows["PASS"]), "skipped": len(rows["SKIP"]), "failed": rows["FAIL"]}
json.dump(r, open(out + "/kernels.json", "w"), indent=1)
print(r)
sys.exit(rc or not rows["PASS"])
PY
}

train() {
  local steps=10; [ -z "${toy:-}" ] || steps=3
  local args=(pretrain --data testdata/small.txt --preset tiny --batch 2 --context 32 --steps "$steps" --seed 1)
  rm -rf "$out/run-cpu" "$out/run-$device"
  "$ceto" "${args[@]}" --device cpu --out "$out/run-cpu" >"$out/train-cpu.log" 2>&1 || { tail -n 3 "$out/train-cpu.log"; return 1; }
  "$ceto" "${args[@]}" --device "$device" --out "$out/run-$device" >"$out/train-$device.log" 2>&1 || { tail -n 3 "$out/train-$device.log"; return 1; }
  python3 - "$out" "$device" <<'PY'
import json, sys
out, device = sys.argv[1:]
def steps(name):
    return [r for r in map(json.loads, open(f"{out}/run-{name}/log.jsonl")) if "loss" in r]
def worst(key):
    return max(abs(a[key] - b[key]) / abs(a[key]) for a, b in zip(steps("cpu"), steps(device)))
r = {"steps": len(steps(device)), "loss": worst("loss"), "grad_norm": worst("grad_norm")}
json.dump(r, open(out + "/train.json", "w"), indent=1)
print(r)
sys.exit(not (r["steps"] == len(steps("cpu")) > 0 and r["loss"] <= 1e-4 and r["grad_norm"] <= 1e-3))
PY
}

export -f probe kernels train
export ceto tests out device toy
stage probe 30 bash -c probe
stage kernels 120 bash -c kernels
stage train 90 bash -c train
exit $failed
