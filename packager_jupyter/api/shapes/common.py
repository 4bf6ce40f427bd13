"""Shapes of the server itself, its jobs and its failures, and the words that all share."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

UnixSeconds = Annotated[int, "Unix time in whole seconds, UTC."]
Bytes = Annotated[int, "Bytes."]
Cursor = Annotated[str | None, "Opaque; ask with it for the next page. Null ends the list."]


class Failed(TypedDict):
    """Every answer of status 400 and above has this shape."""

    code: Annotated[str, "Stable name of the kind of failure, for programs."]
    message: Annotated[str, "One sentence that says what happened."]
    remedy: Annotated[str, "What to do about it."]
    details: NotRequired[Annotated[str, "Technical text."]]


class User(TypedDict):
    """Who is asking."""

    name: str


class Status(TypedDict):
    """What this server is."""

    version: Annotated[str, "Version of packager_jupyter."]
    api: Annotated[Literal[1], "Version of this API; a client refuses another one."]
    host: Annotated[Literal["jupyter", "standalone", "hub"], "What the server runs in."]
    user: User
    root_dir: Annotated[
        str | None, "Folder of `packages/`, relative to Jupyter's root; null when outside of it."
    ]
    audiences: Annotated[
        list[str],
        "Kinds of audience that a share may have here: of `signed-in`, `user` and `group` those "
        "that this server can check.",
    ]


class JobShown(TypedDict):
    """Work that goes on in the background."""

    id: str
    kind: Annotated[str, "What is done: `add` or `publish`."]
    subject: Annotated[str, "The package it is done to."]
    state: Literal["running", "done", "failed", "cancelled"]
    files: Annotated[int, "Files so far."]
    bytes: Annotated[int, "Bytes so far."]
    total_files: NotRequired[Annotated[int, "Files in all, when known."]]
    started_s: UnixSeconds
    ended_s: NotRequired[UnixSeconds]
    result: NotRequired[Annotated[dict[str, Any], "What the direct call would have returned."]]
    error: NotRequired[Failed]


class JobList(TypedDict):
    """The caller's jobs, newest first."""

    items: list[JobShown]
    cursor: Annotated[str | None, "Always null: the list is short."]
