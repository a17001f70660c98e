#!/usr/bin/env bash
# Distribute videos under Slurm: slurm_videos.sh PARTITION JOB_NAME TOOL [arguments of the tool]
# TOOL is propagate or infer; add --device cuda to use the GPUs.
# GPUS (8), GPUS_PER_NODE (8 at most), CPUS_PER_TASK (5) and SRUN_ARGS choose the resources; GRES
# replaces gpu:GPUS_PER_NODE in --gres; if it is empty, --gres is left out.
set -euo pipefail
usage='usage: slurm_videos.sh PARTITION JOB_NAME TOOL [arguments of the tool]'
partition=${1:?$usage} job_name=${2:?$usage} tool=${3:?$usage}
tools=$(dirname "${BASH_SOURCE[0]}")
gpus=${GPUS:-8}
per_node=${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}
gres=${GRES-gpu:$per_node}
read -ra srun_args <<<"${SRUN_ARGS:-}"

PYTHONPATH="$tools/..:${PYTHONPATH:-}" exec srun -p "$partition" --job-name="$job_name" \
    ${gres:+"--gres=$gres"} --ntasks="$gpus" \
    --ntasks-per-node="$per_node" --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 "${srun_args[@]}" \
    python -u "$tools/$tool.py" "${@:4}" --launcher=slurm
