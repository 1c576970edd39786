#!/bin/sh
# Explains one PNG file over REST with nothing but curl and base64; prints JSON.
#
#     ./explain_file.sh [OPTIONS] scan.png [http://127.0.0.1:8501] [phantom_brain] [stable]
#
# Options, as of explain_study.py:
#     --token-file FILE        bearer token, sent with the request
#     --ca FILE                authorities that the server's certificate is checked by (PEM)
#     --certificate FILE       the client's certificate (PEM)
#     --key FILE               its private key (PEM)
#     --metadata NAME=VALUE    a further header
#     --proxy                  take the proxies that the environment names; the file goes to them, too
set -eu
umask 077
headers=$(mktemp)
trap 'rm -f "$headers"' EXIT
trap 'exit 1' HUP INT TERM
printf 'Content-Type: application/json\n' >"$headers"
token='' ca='' certificate='' key='' proxy='--noproxy *'
while [ $# -gt 0 ]; do
  case $1 in
    --proxy) proxy='' ;;
    --token-file | --ca | --certificate | --key | --metadata)
      [ $# -ge 2 ] || { echo "$1 needs a value" >&2; exit 2; }
      case $1 in
        --token-file) token=$(cat "$2") ;;
        --ca) ca=$2 ;;
        --certificate) certificate=$2 ;;
        --key) key=$2 ;;
        --metadata) printf '%s: %s\n' "${2%%=*}" "${2#*=}" >>"$headers" ;;
      esac
      shift
      ;;
    --*) echo "there is no option $1" >&2; exit 2 ;;
    *) break ;;
  esac
  shift
done
file=${1:?name a PNG file}
server=${2:-http://127.0.0.1:8501}
model=${3:-phantom_brain}
label=${4:-stable}
if [ -n "$token" ]; then
  case $server in
    https://* | http://127.0.0.1:* | http://127.0.0.1 | http://localhost:* | http://localhost) ;;
    *) echo "$server would get the token unencrypted: use https://" >&2; exit 2 ;;
  esac
  # In a file: every user of the machine can read a command's arguments.
  printf 'Authorization: Bearer %s\n' "$token" >>"$headers"
fi
set -f # '*' is no pattern here
# shellcheck disable=SC2086
set -- $proxy
[ -z "$ca" ] || set -- "$@" --cacert "$ca"
[ -z "$certificate" ] || set -- "$@" --cert "$certificate"
[ -z "$key" ] || set -- "$@" --key "$key"
{
  printf '{"signature_name": "explain_bytes", "inputs": {"image_bytes": [{"b64": "'
  base64 <"$file" | tr -d '\n'
  printf '"}]}}'
} | curl --fail-with-body --silent --show-error --max-time 600 --header "@$headers" "$@" \
  --data-binary @- "$server/v1/models/$model/labels/$label:predict"
