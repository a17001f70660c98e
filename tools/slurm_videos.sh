#!/usr/bin/env bash
# Share videos under Slurm: slurm_videos.sh PARTITION JOB_NAME TOOL [arguments of the tool]
# TOOL is propagate, infer or misc/make_pseudo_labels; add --device cuda to use the GPUs.
# GPUS, GPUS_PER_NODE, CPUS_PER_TASK and SRUN_ARGS choose the resources.
set -euo pipefail
usage='usage: slurm_videos.sh PARTITION JOB_NAME TOOL [arguments of the tool]'
partition=${1:?$usage} job_name=${2:?$usage} tool=${3:?$usage}
tools=$(dirname "${BASH_SOURCE[0]}")
read -ra srun_args <<<"${SRUN_ARGS:-}"

PYTHONPATH="$tools/..:${PYTHONPATH:-}" exec srun -p "$partition" --job-name="$job_name" \
    --gres="gpu:${GPUS_PER_NODE:-8}" --ntasks="${GPUS:-8}" \
    --ntasks-per-node="${GPUS_PER_NODE:-8}" --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 "${srun_args[@]}" \
    python -u "$tools/$tool.py" "${@:4}" --launcher=slurm
