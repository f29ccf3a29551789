#!/bin/sh
# What is known of all that is locked: holes, as the registries tell them, and the whole list
# as CycloneDX (sbom.json). Status 1: a hole is known. A registry that tells nothing is said.
set -u
cd "$(dirname "$0")/.."
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
.venv/bin/python -m pip install -q --disable-pip-version-check --target "$place" \
    pip-audit==2.10.1 cyclonedx-bom==7.5.0 2>"$place/pip.log" || { cat "$place/pip.log"; exit 2; }
status=0

PYTHONPATH="$place" .venv/bin/python -m pip_audit -r requirements.lock --require-hashes \
    --disable-pip --progress-spinner off -f json -o "$place/holes.json" 2>/dev/null
.venv/bin/python - "$place/holes.json" <<'PYTHON' || status=1
import json, pathlib, sys
found = pathlib.Path(sys.argv[1])
packages = json.loads(found.read_text())["dependencies"] if found.exists() else []
asked = [each for each in packages if "vulns" in each]
holes = [(each["name"], each["version"], hole) for each in asked for hole in each["vulns"]]
for name, version, hole in holes:
    print(f"{name} {version}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or 'nothing yet'}")
if not asked:
    print("NOT ASKED: PyPI tells nothing of known holes from here.")
else:
    print(f"Python: {len(asked)} packages asked about, {len(holes)} known holes.")
sys.exit(bool(holes))
PYTHON

if command -v npm >/dev/null; then
    if npm audit --json >"$place/npm.json" 2>/dev/null; then
        echo "JavaScript, for development only: no known holes."
    elif grep -q '"auditReportVersion"' "$place/npm.json"; then
        npm audit
        status=1
    else
        echo "NOT ASKED: npm's registry tells nothing of known holes from here."
    fi
fi

PYTHONPATH="$place" .venv/bin/python -m cyclonedx_py requirements requirements.lock \
    --output-reproducible -o sbom.json && echo "Wrote sbom.json."
exit $status
