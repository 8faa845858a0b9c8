#!/usr/bin/env bash
# Puts a trained base model into the package: in half precision, with its card (cards/NAME.toml, whose [[numbers]] have to be there).
#
#   recipes/base/package.sh [--name base|base-whisper] [--model DIR]
#
# Of base-whisper only what was trained is kept (6 MB at most); the rest is Whisper base's, hf:openai/whisper-base, or the folder
# $SPEECHTL_WHISPER_BASE. base is whole (12 MB at most).
set -euo pipefail

name=base
model=

source "$(dirname "${BASH_SOURCE[0]}")/../shared/parse_options.sh"
source ../shared/env.sh

options=(--limit 12)
case $name in
  base) ;;
  base-whisper) options=(--limit 6 --frozen hf:openai/whisper-base --download 290) ;;
  *)
    echo "error: --name $name: give base or base-whisper" >&2
    exit 1
    ;;
esac
speechtl package "${model:-exp/$name}" "../../speechtl/pretrained/models/$name" --card "cards/$name.toml" "${options[@]}"
