#!/usr/bin/env bash
# build.sh [PRESET] [TARGET...]: installs what is missing and builds (preset release, all targets).
source "$(dirname "$0")/common.sh"
scripts/setup.sh
build "${1:-release}" "${@:2}"
say "built in build/${1:-release}: bin/rtmc, bin/rtmc-runner"
