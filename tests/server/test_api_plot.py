"""Pictures over REST."""

from __future__ import annotations

import json


async def test_a_picture_of_a_draft(host, tmp_path):
    folder = host.services.packages.root_dir / "storage"
    folder.mkdir()
    (folder / "a.csv").write_bytes(b"x" * 100)
    host.services.sources.add("here", folder.as_uri())
    draft = host.services.packages.create("lab/p")
    answer = await host.fetch("GET", "api/v1/packages/lab%2Fp/plot")
    assert answer.code == 400
    assert "nothing to draw" in json.loads(answer.body)["message"]
    draft.add("here", ["a.csv"])
    for kind in ("treemap", "sizes", "dates"):
        answer = await host.fetch("GET", f"api/v1/packages/lab%2Fp/plot?kind={kind}")
        assert answer.headers["Content-Type"] == "image/png"
        assert answer.body.startswith(b"\x89PNG")
    answer = await host.fetch("GET", "api/v1/packages/lab%2Fp/plot?format=svg")
    assert answer.headers["Content-Type"] == "image/svg+xml"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert (await host.fetch("GET", "api/v1/packages/lab%2Fp/plot?kind=pie")).code == 400
