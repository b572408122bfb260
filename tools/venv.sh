# Makes the virtual environment, or says what is missing.   venv.sh PYTHON FOLDER
set -eu
python=$1 folder=$2
say() { echo "$*" >&2; exit 1; }
command -v "$python" >/dev/null || say "no $python here: install Python 3.11 or newer (Debian: apt-get install python3 python3-venv)"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    say "$python is $("$python" -V 2>&1), Headwater needs 3.11 or newer: name another with  make PYTHON=python3.12 ..."
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    say "$python cannot make virtual environments: install its venv package (Debian: apt-get install python3-venv)"
rm -rf "$folder"
"$python" -m venv "$folder"
