#!/usr/bin/env bash
# Trains every row of docs/results/first-run.md and writes that page's tables. Finished runs are kept: run it again
# after a kill and it goes on.
#
#     sextant data build recipes/public-six.toml --source FOLDER && sextant get minilm
#     scripts/first-run.sh [OUT] [DATA]
set -euo pipefail
sextant=${SEXTANT:-target/release/sextant}
recipe=$(dirname "$0")/../recipes/first-run.toml
out=${1:-runs/first-run}
data=${2:-data/public-six}

train() { # NAME KEY=VALUE…
    local name=$1 set=(--set "name=\"$1\"" --set "data.path=\"$data\"")
    shift
    [ -e "$out/$name/summary.json" ] && return
    for pair in "$@"; do set+=(--set "$pair"); done
    "$sextant" train "$recipe" --out "$out/$name" --resume "${set[@]}"
}

mkdir -p "$out"
train prefix
train multi-head 'model.routing={ prefix = false, heads = "per_task" }'
train mhp-2 'model.routing={ prefix = false, heads = "per_task", private_layers = 2 }'
single=()
for task in query-product query-type query-query product-product product-type type-type; do
    train "single-$task" 'model.routing={ prefix = false, heads = "shared" }' "tasks=[\"$task\"]"
    single+=("$out/single-$task")
done
joined=$(IFS=,; echo "${single[*]}")
"$sextant" compare "$out/prefix" "$out/multi-head" "$out/mhp-2" "single-task=$joined" \
    --data "$data" --title "MiniLM on public-six" --out "$out/report.md"
