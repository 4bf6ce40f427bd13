"""Lists of names from a registry, complete whatever way it pages (or does not).

distribution-spec 1.1 ("Listing Tags") says: at most ``n`` names in lexical order, and a ``Link``
header when there are more. Some registries send everything and ignore ``n`` and ``last``, some page
without ``Link``, some send a shorter page than was asked for. A list is complete when a page brings
nothing new, so no quirk makes a part look like the whole.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packager_jupyter.oci.registry_auth import not_understood
from packager_jupyter.oci.transport import Request, json_of

if TYPE_CHECKING:
    import httpx

    from packager_jupyter.oci.registry_auth import Scope
    from packager_jupyter.oci.transport import Transport

PAGE_NAMES = 1000
_ROUND = 50
_NEXT = re.compile(r'<([^<>]+)>\s*;[^,]*\brel="?next"?', re.IGNORECASE)


def list_names(transport: Transport, path: str, member: str, scope: Scope) -> list[str] | None:
    """Return all names, in the registry's order, or None when there is no such list (404).

    Parameters
    ----------
    transport : Transport
    path : str
        Below ``/v2/``.
    member : str
        Name of the list in the JSON answer.
    scope : Scope
    """
    names: dict[str, None] = {}
    request = Request("GET", path, scope, params={"n": PAGE_NAMES})
    while True:
        response = transport.send(request, ok=(200, 404))
        if response.status_code == 404:  # noqa: PLR2004 - not found
            return None
        page = _page(response, member)
        is_news = not names.keys() >= set(page)
        names.update(dict.fromkeys(page))
        linked = next_link(transport, response)
        if not is_news:
            return list(names)
        if linked:
            request = Request("GET", "", scope, url=linked)
        elif len(page) > PAGE_NAMES or len(page) % _ROUND:
            return list(names)
        else:
            # A page of a round number may be cut short: ask for what comes after it.
            request = Request("GET", path, scope, params={"n": PAGE_NAMES, "last": page[-1]})


def next_link(transport: Transport, response: httpx.Response) -> httpx.URL | None:
    """Return the address of the next page, which must be on the registry itself."""
    match = _NEXT.search(response.headers.get("Link", ""))
    if not match:
        return None
    url = response.request.url.join(match[1])
    if not transport.is_own(url):
        raise not_understood(response.request.url.host)
    return url


def _page(response: httpx.Response, member: str) -> list[str]:
    # "tags": null is what some registries say when the last tag was deleted.
    names = json_of(response).get(member) or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise not_understood(response.request.url.host, status=response.status_code)
    return names
