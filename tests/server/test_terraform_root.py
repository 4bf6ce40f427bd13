"""The addresses at the root of the standalone server that stand for one Terraform feed."""

import json

import pytest

PATH = ".well-known/terraform.json"
LAB, SECOND = {"terraform/lab": {}}, {"terraform/second": {"anonymous_read": True}}


async def discovered(host):
    response = await host.fetch("GET", PATH, headers={"Authorization": ""})
    return response.code, json.loads(response.body)


@pytest.mark.parametrize("packager_config", [{"feeds": LAB}])
async def test_the_only_feed_is_the_one_of_the_host(standalone_host):
    code, body = await discovered(standalone_host)
    base = f"{standalone_host.root}terraform/lab/v1/"
    assert code == 200
    assert body == {"providers.v1": f"{base}providers/", "modules.v1": f"{base}modules/"}


@pytest.mark.parametrize("packager_config", [{"feeds": LAB | SECOND, "terraform_feed": "second"}])
async def test_a_setting_names_one_of_several(standalone_host):
    code, body = await discovered(standalone_host)
    assert code == 200
    assert "/terraform/second/" in body["modules.v1"]


@pytest.mark.parametrize(
    ("packager_config", "remedy"),
    [
        ({"feeds": {"pypi/main": {}}}, "packager feed create"),
        ({"feeds": LAB | SECOND}, "terraform_feed"),
        ({"feeds": LAB, "terraform_feed": "gone"}, "packager feed"),
    ],
)
async def test_none_or_which(standalone_host, remedy):
    code, body = await discovered(standalone_host)
    assert (code, remedy in body["remedy"]) == (404, True)


@pytest.mark.parametrize("packager_config", [{"feeds": SECOND}])
async def test_publishing_at_the_root_needs_a_token(standalone_host):
    for verb in ("POST", "PUT"):
        response = await standalone_host.fetch(
            verb, "terraform/upload", body=b"", headers={"Authorization": ""}
        )
        assert response.code == 401
