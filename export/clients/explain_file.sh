#!/bin/sh
# Explains one PNG file over REST with nothing but curl and base64; prints JSON.
#
#     ./explain_file.sh scan.png [http://127.0.0.1:8501] [phantom_brain] [stable]
set -eu
file=${1:?name a PNG file}
server=${2:-http://127.0.0.1:8501}
model=${3:-phantom_brain}
label=${4:-stable}
{
  printf '{"signature_name": "explain_bytes", "inputs": {"image_bytes": [{"b64": "'
  base64 <"$file" | tr -d '\n'
  printf '"}]}}'
} | curl --fail-with-body --silent --show-error --max-time 600 -H 'Content-Type: application/json' \
  --data-binary @- "$server/v1/models/$model/labels/$label:predict"
