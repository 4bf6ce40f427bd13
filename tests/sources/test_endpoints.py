"""Server-side request forgery: no address inside is reachable by naming it as an endpoint."""

from __future__ import annotations

import pytest

from packager_jupyter.errors import BadInputError, ForbiddenError
from packager_jupyter.sources.endpoints import check_endpoint_allowed

NAMES = {
    "public.example.org": ["93.184.215.14"],
    "two.example.org": ["93.184.215.14", "127.0.0.1"],
    "inside.example.org": ["10.1.2.3"],
    "six.example.org": ["fd00:ec2::254"],
    "mapped.example.org": ["::ffff:169.254.169.254"],
    "localhost": ["127.0.0.1"],
    "s3.lab.test": ["192.168.7.7"],
    "metadata.google.internal": ["169.254.169.254"],
    "fake.amazonaws.com": ["169.254.169.254"],
}


def resolve(host):
    if host not in NAMES:
        raise OSError("unknown")
    return NAMES[host]


def check(url, *allowed):
    return check_endpoint_allowed(url, allowed, resolve=resolve)


@pytest.mark.parametrize(
    "url",
    [
        "https://s3.eu-central-1.amazonaws.com",
        "https://account.blob.core.windows.net",
        "https://storage.googleapis.com",
        "https://S3.AMAZONAWS.COM./",
    ],
)
def test_the_vendors_own_hosts_need_no_setting(url):
    assert check(url) == url


def test_other_hosts_need_the_administrator():
    with pytest.raises(ForbiddenError, match="not among") as caught:
        check("https://public.example.org")
    assert "endpoint_hosts" in caught.value.remedy
    assert check("https://public.example.org", "public.example.org")
    assert check("https://public.example.org", "*.example.org")
    assert check("https://public.example.org", "*")
    with pytest.raises(ForbiddenError):
        check("https://example.org.evil.test", "*.example.org")


def test_a_host_named_by_the_administrator_may_lie_inside():
    assert check("http://s3.lab.test:9000", "s3.lab.test")
    assert check("http://127.0.0.1:9000", "127.0.0.1")
    assert check("http://[::1]:9000", "::1")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1",
        "http://127.1",
        "http://2130706433",
        "http://0x7f000001",
        "http://0x7f.0.0.1",
        "http://0177.0.0.1",
        "http://0",
        "http://169.254.169.254/latest/meta-data/",
        "http://2852039166/",
        "http://[::1]",
        "http://[::ffff:169.254.169.254]",
        "http://[::ffff:7f00:1]",
        "http://[64:ff9b::7f00:1]",
        "http://[2002:7f00:1::]",
        "http://[fe80::1]",
        "http://[fd00:ec2::254]",
        "http://100.100.100.200",
        "http://168.63.129.16",
        "http://192.0.0.192",
        "http://10.0.0.1",
        "http://172.16.0.1",
        "http://192.168.1.1:9000",
        "http://0.0.0.0",
        "http://224.0.0.1",
        "http://localhost",
        "http://localhost.",
        "http://two.example.org",
        "http://inside.example.org",
        "http://six.example.org",
        "http://mapped.example.org",
        "http://metadata.google.internal",
        "http://fake.amazonaws.com",
    ],
)
def test_addresses_inside_are_refused_even_when_all_hosts_are_allowed(url):
    with pytest.raises(ForbiddenError, match="inside"):
        check(url, "*")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "s3.amazonaws.com",
        "file:///etc/passwd",
        "gopher://s3.amazonaws.com",
        "https://",
        "https://user@s3.amazonaws.com",
        "https://s3.amazonaws.com@127.0.0.1",
        "https://127.0.0.1\\@s3.amazonaws.com",
        "https://s3.amazonaws.com?x=1",
        "https://s3.amazonaws.com#@127.0.0.1",
        "https://s3.amazonaws.com:0",
        "https://s3.amazonaws.com:99999",
        "https://s3 .amazonaws.com",
        "https://s3.amazonaws.com\r\nX: y",
        "https://[::1",
        "https://\uff11\uff12\uff17.0.0.1",
        "https://-x.amazonaws.com",
        "https://unknown.example.org",
    ],
)
def test_what_is_no_plain_address_is_bad_input(url):
    with pytest.raises(BadInputError):
        check(url, "*")


def test_messages_hold_no_user_or_password():
    with pytest.raises(BadInputError) as caught:
        check("https://user:canary-secret@s3.amazonaws.com")
    assert "canary" not in str(caught.value)
