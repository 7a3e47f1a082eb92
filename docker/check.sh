#!/usr/bin/env bash
# Holds the Dockerfile's scripts against the binary that the tests built, where no container engine runs: every library
# that the binary loads is named in install_run_deps.sh, and the binary serves as another user with the root read-only
# in all but the data folder. Ends with `N passed, N failed`.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
binary=${GANTRY_BINARY:-build/test/gantry}
passed=0 failed=0
check() {
    if [[ -z $2 ]]; then passed=$((passed + 1)); echo "PASS $1"; else failed=$((failed + 1)); echo "FAIL $1: $2"; fi
}

mapfile -t listed < <(grep -oE '^    [a-z0-9.+-]+' docker/install_run_deps.sh | tr -d ' ')
missing=
while read -r library; do
    path=$(readlink -f "$library")
    package=$(dpkg-query -S "$path" 2>/dev/null || dpkg-query -S "${path#/usr}" 2>/dev/null)
    package=${package%%:*}
    case $package in
    libc6 | libgcc-s1 | libstdc++6 | "") continue ;;
    esac
    # Named itself, or wanted by one that is.
    printf '%s\n' "${listed[@]}" | grep -qx -- "$package" && continue
    apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances \
        "${listed[@]}" 2>/dev/null | grep -qE "^ *(Depends: )?$package$" || missing+=" $package"
done < <(objdump -p "$binary" | awk '/NEEDED/ {print $2}' | while read -r name; do ldd "$binary" | awk -v n="$name" '$1 == n {print $3}'; done)
check every_library_is_in_the_image "$missing"

wrong=
for line in 'USER 10001' 'STOPSIGNAL SIGTERM' 'VOLUME /data'; do
    grep -qx "$line" docker/Dockerfile || wrong+=" $line"
done
check the_image_is_not_root_and_stops_by_sigterm "$wrong"
# As it is, the image listens to others and knows nobody: it must not start. As compose.yaml sets it, it does.
wrong=
data=$(mktemp -d)
listen=$(grep -oE 'GANTRY_LISTEN=[^ ]+' docker/Dockerfile)
said=$(env -u GANTRY_AUTH "$listen" GANTRY_DATA="$data" "$binary" check-config 2>&1)
[[ $said == *'no authentication is configured'* ]] || wrong+=" as it is;"
auth=$(grep -oE 'GANTRY_AUTH: *[a-z]+' docker/compose.yaml | sed 's/: */=/')
env "$listen" "$auth" GANTRY_DATA="$data" "$binary" check-config >/dev/null 2>&1 || wrong+=" as compose.yaml sets it"
rm -rf "$data"
check the_image_serves_nobody_until_told_how_they_are_known "$wrong"
printf '%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
