#!/bin/sh
# `make bench`: ten minutes of everything that is measured, in small, and one page of it.
#
#   tools/bench.sh PYTHON FOLDER
#
# A run without figures is in the report with its reason, and makes the status 1.
set -u
python=$1
out=$2
status=0
mkdir -p "$out"
rm -f "$out"/*.json "$out/report.html"

run() {
  name=$1
  shift
  echo "== $name: $*"
  "$python" -m benchmarks "$@" --json "$out/$name.json" || status=1
}

people="--visitors 100 --agents 20 --seconds 40"
run chat-websocket chat --mix websocket=1 --rate 25 $people
run chat-longpoll chat --mix longpoll=1 --rate 25 $people
run chat-tcp chat --mix tcp=1 --rate 25 $people
run chat-mix chat --mix websocket=60,longpoll=30,tcp=10 --rate 25 $people
run chat-saturated chat --mix websocket=60,longpoll=30,tcp=10 --visitors 100 --agents 20 --seconds 15
run cost chat --transport websocket --visitors 100 --agents 10 --seconds 10
run flat flat --visitors 30,100 --messages 0 --seconds 3 --rounds 3
run idle-websocket idle --transport websocket --connections 500
run idle-longpoll idle --transport longpoll --connections 500
run idle-tcp idle --transport tcp --connections 500
run storm storm --mix websocket=60,longpoll=30,tcp=10 --visitors 200 --agents 20 --rate 20
run crash crash --mix websocket=50,longpoll=30,tcp=20 --kills 5 --clients 50 --rate 100
run store store --messages 200000 --data "$out/store" --plots "$out"
rm -rf "$out/store"

set -- "$out"/*.json
[ -e "$1" ] || { echo "No run left anything." >&2; exit 1; }
"$python" -m benchmarks report "$@" --out "$out/report.html" || status=1
exit $status
