"""helm against ``/v2/`` of a real server: a chart pushed, shown, rendered and pulled by digest."""

from __future__ import annotations

import base64
import json
import re
import subprocess

import pytest

from peers.pytools import tool_environment

CHART = {
    "Chart.yaml": "apiVersion: v2\nname: lab\nversion: 1.2.3\ndescription: A lab\n",
    "values.yaml": "seats: 2\n",
    "templates/config.yaml": """apiVersion: v1
kind: ConfigMap
metadata:
  name: lab
data:
  seats: "{{ .Values.seats }}"
""",
}


@pytest.fixture
def helm(registry, tmp_path, require_tools):
    """Return a function that runs helm with a token, and the address of its charts."""
    bin_folder = require_tools("helm")
    host = registry.url.removeprefix("http://").strip("/")
    token = registry.token("oci/charts/*:publish")
    auth = base64.b64encode(f"x:{token}".encode()).decode()
    config = tmp_path / "auth.json"
    config.write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    env = tool_environment(bin_folder, home=tmp_path / "home")
    env["HELM_REGISTRY_CONFIG"] = str(config)

    def run(*arguments, status=0):
        done = subprocess.run(
            [str(bin_folder / "helm"), *arguments],
            check=False,
            env=env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    run.charts = f"oci://{host}/charts"
    run.config = config
    return run


def test_a_chart_goes_in_and_out(helm, registry, tmp_path):
    for name, text in CHART.items():
        file = tmp_path / "lab" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    helm("package", "lab")
    packed = (tmp_path / "lab-1.2.3.tgz").read_bytes()
    said = helm("push", "lab-1.2.3.tgz", helm.charts, "--plain-http")
    digest = re.search("sha256:[0-9a-f]{64}", said)[0]
    assert registry.services.oci.resolve("charts/lab", "1.2.3").digest == digest

    shown = helm("show", "chart", f"{helm.charts}/lab", "--version", "1.2.3", "--plain-http")
    assert "description: A lab" in shown
    drawn = helm("template", "t", f"{helm.charts}/lab", "--set", "seats=7", "--plain-http")
    assert 'seats: "7"' in drawn

    (tmp_path / "lab-1.2.3.tgz").unlink()
    helm("pull", f"{helm.charts}/lab@{digest}", "--plain-http")
    (pulled,) = tmp_path.glob("*.tgz")
    assert pulled.read_bytes() == packed

    helm.config.write_text("{}")
    refused = helm("pull", f"{helm.charts}/lab", "--plain-http", status=1)
    assert "credential required" in refused
