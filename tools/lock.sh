# Pins the dependencies of pyproject.toml with hashes, for every platform at once, naming no index.   lock.sh
set -eu
uv=${UV:-uv}
command -v "$uv" >/dev/null || { echo "pinning needs uv: pip install uv, or UV=/path/to/uv make lock" >&2; exit 1; }
pin() { # pin NAME ARGUMENTS: requirements/NAME.txt, keeping the versions that it has unless UPGRADE=--upgrade
    name=$1; shift
    target=requirements/$name.txt
    "$uv" pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
        ${UPGRADE:-} "$@" -o "$target" >/dev/null
    { echo "# Pinned with hashes for every platform; made by \`make lock\`, not by hand."; cat "$target"; } > "$target.new"
    mv "$target.new" "$target"
}
pin runtime pyproject.toml
pin dev pyproject.toml --group dev -c requirements/runtime.txt
pin node --group node
pin bench --group bench
