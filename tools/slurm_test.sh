#!/usr/bin/env bash
# Test under Slurm: slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [options of test.py]
# GPUS, GPUS_PER_NODE, CPUS_PER_TASK and SRUN_ARGS choose the resources.
set -euo pipefail
usage='usage: slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [options of test.py]'
partition=${1:?$usage} job_name=${2:?$usage} config=${3:?$usage} checkpoint=${4:?$usage}
tools=$(dirname "${BASH_SOURCE[0]}")
read -ra srun_args <<<"${SRUN_ARGS:-}"

PYTHONPATH="$tools/..:${PYTHONPATH:-}" exec srun -p "$partition" --job-name="$job_name" \
    --gres="gpu:${GPUS_PER_NODE:-8}" --ntasks="${GPUS:-8}" \
    --ntasks-per-node="${GPUS_PER_NODE:-8}" --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 "${srun_args[@]}" \
    python -u "$tools/test.py" "$config" "$checkpoint" --launcher=slurm "${@:5}"
