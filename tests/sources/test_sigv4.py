"""The bulk signer writes the same bytes as botocore, or says that it cannot."""

from __future__ import annotations

import datetime as dt
import itertools
import random

import pytest

from packager_jupyter.errors import BadInputError
from packager_jupyter.sources import s3_client
from packager_jupyter.sources.s3_client import S3Access, S3Place
from packager_jupyter.sources.sigv4 import S3Keys, SigV4Layout, learn_layout, presigner

NOW = dt.datetime(2026, 3, 29, 1, 2, 3, tzinfo=dt.UTC)
STAMP = "20260329T010203Z"
KEYS = S3Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
TOKEN_KEYS = S3Keys("AKID/with=odd", "s3cr&t", "IQoJb3//+==&x y")
AWKWARD_KEYS = [
    "a",
    "plain/key-0.9_~x.csv",
    "with space",
    "with  two",
    " lead",
    "trail ",
    "p+lus",
    "a&b=c",
    "q?x",
    "frag#ment",
    "semi;colon",
    "per%cent",
    "per%20cent",
    "per%2Fcent",
    "/lead",
    "//x",
    "a//b",
    "trail/",
    "./a",
    "a/./b",
    "a/../b",
    "../../etc/passwd",
    ".",
    "..",
    "new\nline",
    "car\rriage",
    "tab\tulator",
    "del\x7f",
    "ctl\x01",
    'quo"te',
    "apos'trophe",
    "back\\slash",
    "<tag>&amp;",
    "{curly}[square]|pipe^caret`tick",
    "!$()*,:@",
    "grün/é",
    "gru\u0308n/e\u0301",
    "日本語/データ.csv",
    "emoji/🛰️.tif",
    "zero\u200bwidth",
    "rtl\u202etxt",
    "n" * 900,
    "é" * 512,
    "X-Amz-Signature=1",
]
EXTRAS = [
    {},
    {"version_id": "3/L4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY+MTRCxf3vjVBH40Nr8X8gdRQBpUMLUo"},
    {"filename": 'Größe "x"\r\n.csv'},
    {"media_type": "text/csv; charset=utf-8"},
    {"version_id": "null", "filename": "a.csv", "media_type": "image/tiff"},
]
PLACES = [
    S3Place(bucket, region, endpoint_url, path_style)
    for bucket, region, endpoint_url, path_style in itertools.product(
        ["data-bucket", "data.dotted.bucket", "Upper_Case"],
        ["us-east-1", "eu-central-1"],
        [
            None,
            "http://127.0.0.1:9000",
            "https://s3.lab.test",
            "https://s3.lab.test:443",
            "http://S3.lab.test:80",
            "https://s3.lab.test:8443/base",
            "http://[::1]:9000",
        ],
        [None, True, False],
    )
    # No host name begins with a bucket and ends with an IPv6 address; newer Pythons say so.
    if endpoint_url is None or "[" not in endpoint_url or path_style
]


@pytest.fixture
def frozen_clock(monkeypatch):
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: NOW)


def differing(place: S3Place, keys: S3Keys, *, method: str, keep: float) -> list[str]:
    """Compare a sample of the corpus; return what differs."""
    access = S3Access(place, keys)
    layout = learn_layout(access.presign_key, keys)
    if layout is None:
        return [f"{place}: not learned"]
    sign = presigner(layout, keys, stamp=STAMP, ttl_s=777, method=method)
    chance = random.Random(repr(place))
    return [
        f"{place} {key!r} {extra}"
        for key in AWKWARD_KEYS
        for extra in EXTRAS
        if chance.random() < keep
        and sign(key, **extra) != access.presign_key(key, method=method, ttl_s=777, **extra)
    ]


@pytest.mark.parametrize("keys", [KEYS, TOKEN_KEYS], ids=["keys", "session"])
def test_urls_equal_botocores_everywhere(frozen_clock, keys):
    found = []
    for number, place in enumerate(PLACES):
        method = "HEAD" if number % 4 == 3 else "GET"
        found += differing(place, keys, method=method, keep=0.25)
    assert found == []


@pytest.mark.parametrize(
    "place",
    [
        S3Place("data-bucket", "us-east-1", None, None),
        S3Place("data-bucket", "us-east-1", "http://127.0.0.1:9000", True),
    ],
    ids=["vendor", "own"],
)
def test_every_key_and_option_equals_botocores(frozen_clock, place):
    assert differing(place, TOKEN_KEYS, method="GET", keep=1) == []


def test_prefix_is_the_same_as_a_longer_key(frozen_clock):
    access = S3Access(S3Place("data-bucket", "eu-central-1", None, None), KEYS)
    sign = access.signer(ttl_s=60, method="GET", prefix="ra w/é/../")
    whole = learn_layout(access.presign_key, KEYS)
    stamp = sign("x").split("X-Amz-Date=")[1][:16]
    plain = presigner(whole, KEYS, stamp=stamp, ttl_s=60)
    assert sign("k+y") == plain("ra w/é/../k+y")


def test_signed_headers_equal_botocores(frozen_clock):
    access = S3Access(S3Place("data-bucket", "eu-central-1", None, None), TOKEN_KEYS)
    layout = learn_layout(access.presign_key, TOKEN_KEYS)
    sign = presigner(
        layout,
        TOKEN_KEYS,
        stamp=STAMP,
        ttl_s=60,
        method="HEAD",
        signed_headers={"x-amz-checksum-mode": "ENABLED"},
    )
    for key in AWKWARD_KEYS:
        parameters = {"Key": key, "ChecksumMode": "ENABLED"}
        assert sign(key) == access.presign("head_object", parameters, ttl_s=60)


def test_a_url_names_method_moment_and_life_time():
    layout = SigV4Layout(
        origin="https://h.test",
        path="/b/",
        host="h.test",
        region="r",
        service="s3",
        parameters=(
            "X-Amz-Algorithm",
            "X-Amz-Credential",
            "X-Amz-Date",
            "X-Amz-Expires",
            "X-Amz-SignedHeaders",
        ),
    )
    get = presigner(layout, KEYS, stamp=STAMP, ttl_s=60)("k")
    assert get.startswith("https://h.test/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=")
    assert "X-Amz-Expires=60&" in get
    assert get != presigner(layout, KEYS, stamp=STAMP, ttl_s=60, method="HEAD")("k")
    assert get != presigner(layout, KEYS, stamp=STAMP, ttl_s=61)("k")


def test_an_access_point_is_signed_as_botocore_does(frozen_clock):
    arn = "arn:aws:s3:us-west-2:123456789012:accesspoint/mine"
    assert differing(S3Place(arn, "us-west-2", None, None), KEYS, method="GET", keep=0.5) == []


def test_without_endpoint_the_region_stands_in_the_host():
    """The global host redirects young buckets elsewhere, and the signature breaks there."""
    for style, host in ((None, "b-b.s3.eu-north-1"), (True, "s3.eu-north-1")):
        access = S3Access(S3Place("b-b", "eu-north-1", None, style), KEYS)
        assert access.presign_key("k", method="GET", ttl_s=60).startswith(f"https://{host}.")


@pytest.mark.parametrize(
    "twist",
    [
        lambda url: url.replace("X-Amz-Expires=60", "X-Amz-Expires=60&x-id=GetObject"),
        lambda url: url.replace("SignedHeaders=host", "SignedHeaders=host%3Bx-amz-date"),
        lambda url: url.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
        lambda url: url.replace("X-Amz-Algorithm=AWS4-HMAC-SHA256&", ""),
        lambda url: url[:-1],
        lambda url: "https://s3.lab.test/b/p?AWSAccessKeyId=x&Signature=y&Expires=1",
    ],
    ids=["parameter", "headers", "algorithm", "missing", "signature", "version2"],
)
def test_an_unknown_layout_is_not_learned(twist):
    access = S3Access(S3Place("b-b", "us-east-1", None, None), KEYS)

    def presign(key, **options):
        return twist(access.presign_key(key, **options))

    assert learn_layout(access.presign_key, KEYS) is not None
    assert learn_layout(presign, KEYS) is None


def test_a_slow_signer_is_used_when_nothing_was_learned(monkeypatch, frozen_clock):
    place = S3Place("b-b", "us-east-1", "http://127.0.0.1:9000", None)
    fast = S3Access(place, KEYS)
    monkeypatch.setattr("packager_jupyter.sources.s3_client.learn_layout", lambda *_: None)
    slow = S3Access(place, KEYS)
    assert (fast.is_bulk, slow.is_bulk) == (True, False)
    layout = learn_layout(fast.presign_key, KEYS)
    for key, extra in itertools.product(AWKWARD_KEYS[:20], EXTRAS):
        url = slow.signer(ttl_s=99, method="HEAD", prefix="p/")(key, **extra)
        sign = presigner(layout, KEYS, stamp=STAMP, ttl_s=99, method="HEAD", prefix="p/")
        assert url == sign(key, **extra)


def test_anonymous_urls_are_plain():
    access = S3Access(S3Place("open-data", "us-east-1", None, None), None)
    sign = access.signer(ttl_s=60, method="GET", prefix="sea ice/")
    assert sign("a+b/ü") == "https://open-data.s3.amazonaws.com/sea%20ice/a%2Bb/%C3%BC"
    assert sign("a", version_id="v/1", filename="x") == (
        "https://open-data.s3.amazonaws.com/sea%20ice/a?versionId=v%2F1"
    )


def test_a_lone_surrogate_is_refused():
    access = S3Access(S3Place("b-b", "us-east-1", None, None), KEYS)
    with pytest.raises(BadInputError, match="surrogate"):
        access.signer(ttl_s=60, method="GET", prefix="")("half \ud800")


@pytest.mark.parametrize("bucket", ["", "a/b", "x y", "ü"])
def test_a_bucket_that_s3_cannot_name_is_refused(bucket):
    with pytest.raises(BadInputError, match="bucket"):
        S3Access(S3Place(bucket, "us-east-1", None, None), KEYS)


@pytest.mark.parametrize("endpoint", ["s3.lab.test", "not a url", "http://"])
def test_an_endpoint_that_is_no_address_is_refused(endpoint):
    with pytest.raises(BadInputError, match="endpoint"):
        S3Access(S3Place("b-b", "us-east-1", endpoint, None), KEYS)


def test_secrets_do_not_show():
    access = S3Access(S3Place("b-b", "us-east-1", None, None), TOKEN_KEYS)
    shown = repr(access) + repr(TOKEN_KEYS) + str(TOKEN_KEYS)
    assert TOKEN_KEYS.secret_access_key not in shown
    assert TOKEN_KEYS.session_token not in shown


@pytest.mark.parametrize("names_file", [True, False])
def test_the_environment_changes_nothing(monkeypatch, tmp_path, names_file):
    place = S3Place("b-b", "eu-west-1", None, None)
    expected = S3Access(place, KEYS).presign_key("k", method="GET", ttl_s=60).split("X-Amz-Date")[0]
    hostile = tmp_path / ".aws" / "config"
    hostile.parent.mkdir()
    hostile.write_text(
        "[default]\nregion = xx-evil-1\nendpoint_url = http://127.0.0.1:1\n"
        "use_fips_endpoint = true\ns3 =\n  use_accelerate_endpoint = true\n"
    )
    for name, value in {
        "HOME": str(tmp_path),
        "AWS_PROFILE": "nonexistent",
        "AWS_ACCESS_KEY_ID": "AMBIENT",
        "AWS_SECRET_ACCESS_KEY": "AMBIENT",
        "AWS_SESSION_TOKEN": "AMBIENT",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "AWS_DEFAULT_REGION": "xx-evil-1",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_USE_DUALSTACK_ENDPOINT": "true",
    }.items():
        monkeypatch.setenv(name, value)
    if names_file:
        monkeypatch.setenv("AWS_CONFIG_FILE", str(hostile))
        monkeypatch.setenv("HOME", "/nonexistent")
    s3_client._sealed_session.cache_clear()
    url = S3Access(place, KEYS).presign_key("k", method="GET", ttl_s=60)
    assert url.split("X-Amz-Date")[0] == expected
    plain = S3Access(place, None).signer(ttl_s=60, method="GET", prefix="")("k")
    assert plain == "https://b-b.s3.eu-west-1.amazonaws.com/k"
