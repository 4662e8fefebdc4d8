#!/bin/sh
# Installs the program into a virtual environment: install.sh SOURCE TARGET [PYTHON]
#
# SOURCE is a checkout or an unpacked sdist. pip installs only the versions in the lock files and checks the hash of each
# download. TARGET has neither pip nor build tools, and refers to no other path than its own and that of PYTHON. The
# image and the Debian packages are made with this script. It needs the network and Debian's python3-venv.
set -eu
source=$1
target=$2
python=${3:-python3}
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT

"$python" -m venv "$tools/venv"
"$tools/venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement "$source/requirements-build.lock"
"$tools/venv/bin/pip" wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir "$tools" "$source"

"$python" -m venv --without-pip "$target"
pip="$tools/venv/bin/pip --python $target/bin/python --disable-pip-version-check"
$pip install --quiet --no-compile --require-hashes --requirement "$source/requirements.lock"
$pip install --quiet --no-compile --no-deps "$tools"/emailrouter-*.whl
# The program cannot write below TARGET. Packagers change the times of files, which must not invalidate the bytecode.
"$target/bin/python" -m compileall -q -f --invalidation-mode unchecked-hash "$target/lib"
# Only the program is a command, and the place of the wheel in $tools means nothing to users.
find "$target/bin" -type f ! -name emailrouter -delete
find "$target" -name .gitignore -delete
rm -rf "$target/include" "$target"/lib/python3*/site-packages/emailrouter-*.dist-info/direct_url.json
