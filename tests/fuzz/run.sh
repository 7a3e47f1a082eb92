#!/usr/bin/env bash
# Builds the fuzz targets with libFuzzer, ASan and UBSan and runs each for so many seconds (default 15), from its
# regression files and its growing corpus (build/fuzz-corpus). A crasher is left in build/fuzz-crashes; what is mended
# goes to tests/fuzz/regression/<room>_<what>/. One name as second argument runs that target alone.
set -uo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
cd "$here" || exit 1
seconds=${1:-15}
docker/install_build_deps.sh build fuzz || exit 1
cmake -S . -B build/fuzz -G Ninja -DGANTRY_FUZZ=ON -DCMAKE_C_COMPILER=clang-14 -DCMAKE_CXX_COMPILER=clang++-14 \
    -DCMAKE_BUILD_TYPE=RelWithDebInfo >build/fuzz-configure.log 2>&1 || { cat build/fuzz-configure.log; exit 1; }
mapfile -t names < <(cd tests/fuzz && ls ./*_fuzz.c | sed 's|^\./||; s|\.c$||' | grep -F "${2:-_fuzz}")
ninja -C build/fuzz "${names[@]}" || exit 1
passed=0 failed=0
for name in "${names[@]}"; do
    what=${name%_fuzz}
    mkdir -p "build/fuzz-corpus/$what" build/fuzz-crashes
    folders=("build/fuzz-corpus/$what")
    [[ -d tests/fuzz/regression/$what ]] && folders+=("tests/fuzz/regression/$what")
    if ASAN_OPTIONS=allocator_may_return_null=1 timeout $((seconds * 4 + 300)) "build/fuzz/fuzz/$name" -max_total_time="$seconds" \
        -timeout=60 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 -artifact_prefix="build/fuzz-crashes/$what-" \
        "${folders[@]}" >"build/fuzz-$what.log" 2>&1; then
        passed=$((passed + 1))
        echo "PASS $what: $(grep -aoE 'stat::number_of_executed_units: [0-9]+' "build/fuzz-$what.log")"
    else
        failed=$((failed + 1))
        echo "FAIL $what"
        tail -n 40 "build/fuzz-$what.log"
    fi
done
echo "$passed passed, $failed failed"
[[ $failed -eq 0 && $passed -gt 0 ]]
