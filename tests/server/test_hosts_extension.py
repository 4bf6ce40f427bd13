"""The extension inside jupyter_server: configuration, start that fails, stop, log scrubbing."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

import pytest
from traitlets.config import Config

from packager_jupyter.extension import PackagerApp
from packager_jupyter.server import logs

ROOT = Path(__file__).parents[2]


@pytest.fixture
def extension(jp_serverapp):
    return jp_serverapp.extension_manager.extension_apps["packager_jupyter"].copy().pop()


@pytest.mark.parametrize("packager_config", [{"presign_ttl_s": 77}])
async def test_settings_come_from_the_servers_configuration(
    jupyter_host, packager_config, jp_root_dir
):
    settings = jupyter_host.services.settings
    assert settings.presign_ttl_s == 77
    assert settings.root_dir == str(jp_root_dir)


async def test_settings_come_from_the_extensions_own_file(
    jp_configurable_serverapp, jp_config_dir, tmp_path
):
    drafts = tmp_path / "elsewhere"
    drafts.mkdir()
    content = {
        "Settings": {"data_dir": str(tmp_path / "d"), "root_dir": str(drafts), "metrics": False}
    }
    (jp_config_dir / "jupyter_packager_config.json").write_text(json.dumps(content))
    config = Config({"ServerApp": {"jpserver_extensions": {"packager_jupyter": True}}})
    app = jp_configurable_serverapp(config=config)
    settings = app.web_app.settings["packager"].settings
    assert settings.root_dir == str(drafts)
    assert not settings.metrics
    assert app.web_app.settings["packager_context"].root_relative is None
    await app._cleanup()


async def test_a_root_below_jupyters_is_named_relative_to_it(
    jp_configurable_serverapp, jp_root_dir, tmp_path
):
    (jp_root_dir / "data sets").mkdir()
    config = Config(
        {
            "ServerApp": {"jpserver_extensions": {"packager_jupyter": True}},
            "Settings": {
                "data_dir": str(tmp_path / "d"),
                "root_dir": str(jp_root_dir / "data sets"),
            },
        }
    )
    app = jp_configurable_serverapp(config=config)
    assert app.web_app.settings["packager_context"].root_relative == "data sets"
    await app._cleanup()


@pytest.fixture
def broken_data(tmp_path):
    data = tmp_path / "packager-data"
    data.mkdir(mode=0o700)
    (data / "packager.sqlite").write_bytes(b"this is no database" * 100)
    return data


async def test_a_core_that_cannot_open_is_said_by_every_route(
    broken_data, jp_serverapp, http_server, jp_fetch, http_server_client
):
    for path in ("status", "packages", "sources"):
        with pytest.raises(Exception, match="HTTP 500") as caught:
            await jp_fetch("packager", "api", "v1", path)
        body = json.loads(caught.value.response.body)
        assert body["code"] == "store_corrupt"
        assert "backup" in body["remedy"]
    anonymous = await http_server_client.fetch(
        jp_serverapp.base_url + "packager/api/v1/status", raise_error=False
    )
    assert anonymous.code == 401
    share = await http_server_client.fetch(
        jp_serverapp.base_url + "packager/s/" + "x" * 32 + "/", raise_error=False
    )
    assert share.code == 500
    assert b"Traceback" not in share.body


async def test_stopping_closes_the_core(jupyter_host, extension):
    assert isinstance(extension, PackagerApp)
    await extension.stop_extension()
    await extension.stop_extension()  # Jupyter may ask twice


async def test_jupyters_own_log_is_scrubbed(jupyter_host, jp_serverapp):
    token = "Qm9va0tva2VuLXdpdGgtMTkyLXJhbmRv"
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    jp_serverapp.log.addHandler(handler)
    logs.install([jp_serverapp.log])
    await jupyter_host.fetch("GET", f"s/{token}/files/x?X-Amz-Signature=CANARY01&sig=CANARY02")
    await jupyter_host.fetch("GET", "api/v1/nothing?password=CANARY03&Credential=CANARY04")
    jp_serverapp.log.removeHandler(handler)
    text = written.getvalue()
    assert "404 GET /a%40b/packager/s/Qm9va0…/files/x?X-Amz-Signature=[secret]" in text
    assert "CANARY" not in text
    assert token not in text


async def test_our_log_speaks_through_jupyters(jupyter_host, jp_serverapp):
    assert logging.getLogger("packager_jupyter").parent is jp_serverapp.log


def test_installing_enables_it():
    shipped = json.loads(
        (ROOT / "jupyter-config" / "server-config" / "packager_jupyter.json").read_text()
    )
    assert shipped == {"ServerApp": {"jpserver_extensions": {"packager_jupyter": True}}}
