#!/usr/bin/env bash
# Train on several GPUs: dist_train.sh CONFIG GPUS [options of train.py]
# NNODES, NODE_RANK, MASTER_ADDR and PORT are for several machines.
set -euo pipefail
config=${1:?usage: dist_train.sh CONFIG GPUS [options of train.py]}
gpus=${2:?usage: dist_train.sh CONFIG GPUS [options of train.py]}
# A name without a folder or a suffix may be that of a config of the package.
if [[ ! -f $config && $config == *[/.]* && $config != *::* ]]; then
    echo "dist_train.sh: config $config does not exist, expected a Python file such as those in configs/" >&2
    exit 2
fi
tools=$(dirname "${BASH_SOURCE[0]}")

PYTHONPATH="$tools/..:${PYTHONPATH:-}" exec python -m torch.distributed.run \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    --nproc_per_node="$gpus" \
    "$tools/train.py" "$config" --launcher pytorch "${@:3}"
