#!/usr/bin/env bash
# CONFORMANCE.md and docs/complaints.md name the test of each line: every name in backquotes that looks like a test's or a
# test file's is one.
# Ends with `N passed, N failed`.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
passed=0 failed=0
mapfile -t known < <(git ls-files tests | xargs grep -hoE '(TEST\(|def test_)[A-Za-z0-9_]+' -- | sed -E 's/^(TEST\(|def test_)//' | sort -u)
declare -A is_test
for name in "${known[@]}"; do is_test[$name]=1; done
while IFS=: read -r document name; do
    if [[ ( $name == tests/* && -e $name ) || -n ${is_test[$name]:-} ]]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $document names $name, and there is no such test"
    fi
done < <(grep -HoE '`(tests/[^`]+|[A-Za-z0-9]+(_[A-Za-z0-9]+){3,})`' CONFORMANCE.md docs/complaints.md | tr -d '`' | sort -u)
printf '%d passed, %d failed\n' "$passed" "$failed"
((failed == 0 && passed > 0))
