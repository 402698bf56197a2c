#!/usr/bin/env bash
# Draws the pictures of README.md and docs/synth.md again. Takes a few minutes, builds included.
#   docs/figures/draw.sh [REAL_VIDEO...]     # real clips for the strip, such as two of Weizmann's
set -euo pipefail
cd "$(dirname "$0")/../.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p docs/figures/readme docs/figures/synth

cargo run --release -q -p data --example strip -- docs/figures/readme/strip.png "$@"

for set in synth synth-hmdb synth-stills synth-views; do
  cargo run --release -q -p data --example contact_sheet -- "$scratch/$set" "$set"
  # Half of the doubled size, as PNG of 64 colours.
  ffmpeg -v error -y -i "$scratch/$set/overview.png" \
    -vf 'scale=iw/2:-1,split[a][b];[a]palettegen=max_colors=64[p];[b][p]paletteuse' "docs/figures/synth/$set.png"
done

# A recording of the quick start: the smallest scale, the same screens.
cargo build --release -q -p xtask
export COLUMNS=100 CLICOLOR_FORCE=1 TERM=xterm-256color
show() {
  echo "\$ cargo xtask $*"
  target/release/xtask "$@" --profile smoke --results "$scratch/results" --cache "$scratch/cache" 2>&1
  echo
}
{ show run table1b --row stack-10-on single-on single-frame; } |
  cargo run --release -q -p figure --example terminal -- docs/figures/readme/terminal.svg 100
