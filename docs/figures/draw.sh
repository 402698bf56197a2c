#!/usr/bin/env bash
# Draws the pictures of README.md and docs/synth.md again. Takes some minutes.
#   docs/figures/draw.sh [REAL_VIDEO...]     # real clips for the strip, such as two of Weizmann's
set -euo pipefail
cd "$(dirname "$0")/../.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p docs/figures/readme docs/figures/synth

# PNG of few colours.
small() { ffmpeg -v error -y -i "$1" -vf "$3split[a][b];[a]palettegen=max_colors=128[p];[b][p]paletteuse=dither=none" "$2"; }

cargo run --release -q -p data --example strip -- "$scratch/strip.png" "$@"
small "$scratch/strip.png" docs/figures/readme/strip.png ""

for set in synth synth-hmdb synth-stills synth-views; do
  cargo run --release -q -p data --example contact_sheet -- "$scratch/$set" "$set"
  # The contact sheet is doubled in size.
  small "$scratch/$set/overview.png" "docs/figures/synth/$set.png" "scale=iw/2:-1,"
done

# A recording of three rows of the quick start.
cargo build --release -q -p xtask
export COLUMNS=100 CLICOLOR_FORCE=1 TERM=xterm-256color
show() {
  echo "\$ cargo xtask $*"
  target/release/xtask "$@" --results "$scratch/results" --cache "$scratch/cache" 2>&1
}
{ show run table1b --row stack-10-on single-on single-frame; } |
  cargo run --release -q -p figure --example terminal -- docs/figures/readme/terminal.svg 100
