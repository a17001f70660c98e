#!/usr/bin/env bash
# Distribute videos over processes: dist_videos.sh TOOL PROCESSES [arguments of the tool]
# TOOL is propagate or infer. With --device cuda each process uses one GPU.
# NNODES, NODE_RANK, MASTER_ADDR and PORT are for several machines.
set -euo pipefail
tool=${1:?usage: dist_videos.sh TOOL PROCESSES [arguments of the tool]}
processes=${2:?usage: dist_videos.sh TOOL PROCESSES [arguments of the tool]}
tools=$(dirname "${BASH_SOURCE[0]}")

PYTHONPATH="$tools/..:${PYTHONPATH:-}" exec python -m torch.distributed.run \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    --nproc_per_node="$processes" \
    "$tools/$tool.py" "${@:3}" --launcher pytorch
