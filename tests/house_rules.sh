#!/usr/bin/env bash
# Rules of the house that no compiler checks. Ends with `N passed, N failed`.
set -uo pipefail
shopt -s lastpipe # a rule at a pipe's end counts in this shell, not in one of its own
cd "$(dirname "$0")/.." || exit 1
passed=0 failed=0
rule() { # rule NAME: reads offending lines from standard input; none is right
    local found
    found=$(cat)
    if [[ -z $found ]]; then
        passed=$((passed + 1))
        echo "PASS $1"
    else
        failed=$((failed + 1))
        echo "FAIL $1"
        head -n 20 <<<"$found" | sed 's/^/  /'
    fi
}
mapfile -t sources < <(git ls-files 'base/*' 'bridge/*' 'dicom/*' 'codec/*' 'storage/*' 'http/*' 'handlers/*' 'config/*' 'server/*' |
    grep -E '\.(c|h|cc)$')
mapfile -t tests < <(git ls-files 'tests/*.c' 'tests/*.h' 'tests/*.cc' 'bench/*.c')

grep -nE '\b(atoi|atol|atoll|strtol|strtoul|strtoll|strtoull|sscanf|gets|strcpy|strcat|sprintf|strtok)\(' "${sources[@]}" |
    rule no_banned_calls
# And in the judge of our parser, which is DCMTK's.
git ls-files '*.cc' '*.cpp' '*.cxx' | grep -vE '^(bridge/|tests/support/dcmtk_dataset\.cc$)' | rule cplusplus_only_in_the_bridge
for file in "${sources[@]}" "${tests[@]}"; do
    head -n 2 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || echo "$file"
done | rule every_file_names_its_licence_and_purpose
for file in "${sources[@]}"; do
    lines=$(wc -l <"$file")
    ((lines > 800)) && echo "$file: $lines lines"
done | rule no_file_over_800_lines
# A function is what stands between a line "{" and a line "}" (clang-format's form).
awk 'FNR == 1 { start = 0 } /^\{$/ { start = FNR } /^\}/ && start { if (FNR - start > 100) print FILENAME ":" start ": " FNR - start " lines"; start = 0 }' \
    $(printf '%s\n' "${sources[@]}" | grep -E '\.(c|cc)$') | rule no_function_over_100_lines
printf '%s\0' "${sources[@]}" "${tests[@]}" | xargs -0 clang-format-14 --dry-run 2>&1 |
    sed -nE 's/^([^ :]+):[0-9]+:[0-9]+: .*/\1/p; /^(xargs|clang-format[^:]*):/p' | sort -u | rule formatted_by_clang_format
git ls-files -z | xargs -0 grep -nIE '\b(TODO|FIXME|XXX)\b' -- 2>/dev/null | grep -v '^tests/house_rules.sh' | rule no_unfinished_marks
printf '%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
