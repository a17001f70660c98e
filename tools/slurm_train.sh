#!/usr/bin/env bash
# Train under Slurm: slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [options of train.py]
# GPUS, GPUS_PER_NODE, CPUS_PER_TASK and SRUN_ARGS choose the resources.
set -euo pipefail
usage='usage: slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [options of train.py]'
partition=${1:?$usage} job_name=${2:?$usage} config=${3:?$usage} work_dir=${4:?$usage}
tools=$(dirname "${BASH_SOURCE[0]}")
read -ra srun_args <<<"${SRUN_ARGS:-}"

PYTHONPATH="$tools/..:${PYTHONPATH:-}" exec srun -p "$partition" --job-name="$job_name" \
    --gres="gpu:${GPUS_PER_NODE:-8}" --ntasks="${GPUS:-8}" \
    --ntasks-per-node="${GPUS_PER_NODE:-8}" --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 "${srun_args[@]}" \
    python -u "$tools/train.py" "$config" --work-dir="$work_dir" --launcher=slurm "${@:5}"
