#!/usr/bin/env bash
# What is to be measured on a GPU, within eight minutes:
#
#     benchmarks/gpu.sh [OUT]
#
# XLA against the graph and path steps a second by type, batch and chunk (device_speed.py), the same against
# Captum on CUDA (attribution_speed.py), AOPC and R against Quantus (evaluation_speed.py), and `explain` from
# files to files (throughput.py). OUT gets the logs and the JSON files. Each part has its own limit of time; one
# that fails or is cut does not stop the others, and the exit code says how many did not end.
#
# PYTHON, PYTHON_CAPTUM and PYTHON_QUANTUS name interpreters: of an environment with this package and
# tensorflow[and-cuda], of one with torch and captum, and of one with this package and quantus. Parts whose
# interpreter is not there are left out. SMALL=1 makes everything small enough to be tried on two cores.
set -uo pipefail
cd "$(dirname "$0")" || exit 1
PYTHON=${PYTHON:-../.venv/bin/python}
PYTHON_CAPTUM=${PYTHON_CAPTUM:-../.venv-peers-captum/bin/python}
PYTHON_QUANTUS=${PYTHON_QUANTUS:-../.venv-quantus/bin/python}
out=${1:-../build/gpu}
mkdir -p "$out"
export TF_CPP_MIN_LOG_LEVEL=${TF_CPP_MIN_LOG_LEVEL:-2} PYTHONUNBUFFERED=1
if [ -n "${SMALL:-}" ]; then
  device=(--size 64 --steps 4 --images 1,2 --chunks 4 --limit 60)
  attribution=(--size 64 --steps 10 --images 1 --four-images 1 --repeats 1 --tune-calls 1 --batch 5,10)
  evaluation=(--images 2 --steps 4 --size 32 --widths 4 --batch-size 2 --batches 1 --repeats 1)
  throughput=(--sizes 64 --kinds PNG --formats npz --files 8 --steps 4 --repeats 1)
else
  device=(--limit 120)
  attribution=(--images 1,8,32 --four-images 1 --repeats 3 --batch 25,50)
  evaluation=(--images 100 --steps 100 --widths 64 --repeats 1)
  throughput=(--sizes 64,224 --kinds PNG,DICOM --formats "npz and png" --files 240 --repeats 1)
fi

missing=0
part() { # NAME SECONDS COMMAND...
  local name=$1 limit=$2
  shift 2
  echo "== $name"
  if ! timeout --kill-after=5 "$limit" "$@" >"$out/$name.log" 2>&1; then
    echo "$name did not end: the last lines of $out/$name.log are"
    tail -n 5 "$out/$name.log"
    missing=$((missing + 1))
    return
  fi
  grep '^|' "$out/$name.log"
  cp "results/$name.json" "$out/"
}

"$PYTHON" -c 'import tensorflow as tf; print("GPUs:", tf.config.list_physical_devices("GPU"))' 2>/dev/null
part device_speed 150 "$PYTHON" device_speed.py "${device[@]}"
if [ -x "$PYTHON_CAPTUM" ]; then
  part attribution_speed 170 "$PYTHON" attribution_speed.py --device gpu --peers captum \
    --venv-captum "$(dirname "$(dirname "$PYTHON_CAPTUM")")" "${attribution[@]}"
fi
part throughput 90 "$PYTHON" throughput.py "${throughput[@]}"
if [ -x "$PYTHON_QUANTUS" ]; then
  part evaluation_speed 60 "$PYTHON_QUANTUS" evaluation_speed.py "${evaluation[@]}"
fi
echo "parts that did not end: $missing"
exit "$missing"
