"""Manifests: canonical builders and a parser that trusts nothing (image-spec 1.1).

A builder always gives the same bytes for the same arguments: fields in the specification's order,
annotations sorted, no spaces, UTF-8. The parser refuses what two readers could understand in two
ways (both ``layers`` and ``manifests``, a repeated member, a media type that contradicts the
sender's), because a manifest that is one thing to the checker and another to the client is an
attack (containerd GHSA-5j5w-g665-5m35, distribution-spec GHSA-mc8v-mgrf-8f4m).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import orjson

from packager_jupyter.errors import (
    ManifestInvalidError,
    NameInvalidError,
    TooLargeError,
)
from packager_jupyter.oci.base import (
    ANNOTATION_TITLE,
    MAX_MANIFEST_BYTES,
    MEDIA_TYPE_BLOB,
    MEDIA_TYPE_EMPTY,
    MEDIA_TYPE_INDEX,
    MEDIA_TYPE_MANIFEST,
    Descriptor,
)
from packager_jupyter.oci.names import check_digest, digest_bytes, split_digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

IS_INDEX: Mapping[str, bool] = {
    MEDIA_TYPE_MANIFEST: False,
    MEDIA_TYPE_INDEX: True,
    "application/vnd.docker.distribution.manifest.v2+json": False,
    "application/vnd.docker.distribution.manifest.list.v2+json": True,
}
"""Media types of manifests that we take, and whether each lists manifests instead of blobs."""

EMPTY_BYTES = b"{}"
EMPTY = Descriptor(MEDIA_TYPE_EMPTY, digest_bytes(EMPTY_BYTES), len(EMPTY_BYTES), data=EMPTY_BYTES)
"""The empty config or layer (image-spec 1.1, "Guidance for an Empty Descriptor")."""

_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][\w!#$&^.+-]{0,126}/[A-Za-z0-9][\w!#$&^.+-]{0,126}", re.ASCII)
_MAX_SIZE_BYTES = 2**53 - 1  # larger integers do not survive every JSON reader (RFC 8259 6)
_SCHEMA_VERSION = 2


@dataclass(frozen=True, slots=True)
class ManifestContent:
    """The checked fields of a manifest.

    An image manifest has `config` and `layers`; an index (`is_index`) has `manifests`.
    `artifact_type` falls back to the config's media type (distribution-spec 1.1, referrers).
    """

    media_type: str
    is_index: bool
    artifact_type: str | None
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    manifests: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)

    def blobs(self) -> tuple[Descriptor, ...]:
        """Return the blobs that it needs: config first, then layers."""
        return (self.config, *self.layers) if self.config else self.layers

    def layer(self, *, media_type: str | None = None, title: str | None = None) -> Descriptor:
        """Return the first layer of that media type and title.

        Raises
        ------
        ManifestInvalidError
            The manifest has no such layer.
        """
        for layer in self.layers:
            is_type = media_type is None or layer.media_type == media_type
            if is_type and title in (None, layer.annotations.get(ANNOTATION_TITLE)):
                return layer
        raise ManifestInvalidError(
            f"The manifest has no layer {title or media_type!r}.",
            remedy="Check that this artifact is of the kind that you expect.",
        )


def describe(
    data: bytes,
    *,
    media_type: str = MEDIA_TYPE_BLOB,
    annotations: Mapping[str, str] | None = None,
    artifact_type: str | None = None,
) -> Descriptor:
    """Return the descriptor of `data`."""
    return Descriptor(
        media_type, digest_bytes(data), len(data), dict(annotations or {}), artifact_type
    )


def descriptor_json(descriptor: Descriptor) -> dict[str, Any]:
    """Return the JSON object of a descriptor, members in the specification's order."""
    value: dict[str, Any] = {
        "mediaType": descriptor.media_type,
        "digest": descriptor.digest,
        "size": descriptor.size_bytes,
    }
    if descriptor.annotations:
        value["annotations"] = dict(sorted(descriptor.annotations.items()))
    if descriptor.data is not None:
        value["data"] = base64.b64encode(descriptor.data).decode("ascii")
    if descriptor.platform:
        value["platform"] = dict(descriptor.platform)
    if descriptor.artifact_type:
        value["artifactType"] = descriptor.artifact_type
    return value


def image_manifest(
    *,
    config: Descriptor = EMPTY,
    layers: Sequence[Descriptor] = (EMPTY,),
    artifact_type: str | None = None,
    annotations: Mapping[str, str] | None = None,
    subject: Descriptor | None = None,
) -> bytes:
    """Return the canonical bytes of an image manifest.

    `EMPTY` stands for a config or layer that does not matter; its bytes (`EMPTY_BYTES`) are pushed
    like any other blob.

    Raises
    ------
    ManifestInvalidError
        No layer, or an empty config without `artifact_type` (image-spec 1.1, "artifactType").
    TooLargeError
        Over 4 MiB.
    """
    if not layers:
        raise ManifestInvalidError(
            "An image manifest needs at least one layer.",
            remedy="Give the empty descriptor as the only layer when there is nothing to carry.",
        )
    if config.media_type == MEDIA_TYPE_EMPTY and not artifact_type:
        raise ManifestInvalidError(
            "A manifest with an empty config must say its artifact type.",
            remedy="Give artifact_type.",
        )
    value: dict[str, Any] = {"schemaVersion": _SCHEMA_VERSION, "mediaType": MEDIA_TYPE_MANIFEST}
    if artifact_type:
        value["artifactType"] = artifact_type
    value["config"] = descriptor_json(config)
    value["layers"] = [descriptor_json(layer) for layer in layers]
    return _finish(value, annotations, subject)


def image_index(
    manifests: Sequence[Descriptor],
    *,
    artifact_type: str | None = None,
    annotations: Mapping[str, str] | None = None,
    subject: Descriptor | None = None,
) -> bytes:
    """Return the canonical bytes of an image index; raises `TooLargeError` over 4 MiB."""
    value: dict[str, Any] = {"schemaVersion": _SCHEMA_VERSION, "mediaType": MEDIA_TYPE_INDEX}
    if artifact_type:
        value["artifactType"] = artifact_type
    value["manifests"] = [descriptor_json(manifest) for manifest in manifests]
    return _finish(value, annotations, subject)


def _finish(
    value: dict[str, Any], annotations: Mapping[str, str] | None, subject: Descriptor | None
) -> bytes:
    if subject:
        plain = Descriptor(subject.media_type, subject.digest, subject.size_bytes)
        value["subject"] = descriptor_json(plain)
    if annotations:
        value["annotations"] = dict(sorted(annotations.items()))
    body = orjson.dumps(value)
    _check_length(body)
    return body


def _check_length(body: bytes) -> None:
    if len(body) > MAX_MANIFEST_BYTES:
        raise TooLargeError(
            f"The manifest has {len(body):,} bytes.",
            remedy=f"A manifest holds at most {MAX_MANIFEST_BYTES:,} bytes; name fewer layers.",
        )


def parse_manifest(body: bytes, *, media_type: str | None = None) -> ManifestContent:
    """Check the bytes of a manifest and return its fields.

    Parameters
    ----------
    body : bytes
    media_type : str, optional
        What the sender said that it is (``Content-Type``, a descriptor). Must agree with the
        body's own ``mediaType``.

    Raises
    ------
    ManifestInvalidError
        It is no manifest, contradicts itself or the sender, or names a digest that is none.
    TooLargeError
        Over 4 MiB.
    """
    _check_length(body)
    value = _load_object(body)
    kind = _media_type(value, media_type)
    is_index = IS_INDEX[kind]
    _check_shape(value, is_index=is_index)
    subject = value.get("subject")
    config = None if is_index else _descriptor(value.get("config"), "config")
    own_type = _optional_type(value.get("artifactType"), "artifactType")
    return ManifestContent(
        media_type=kind,
        is_index=is_index,
        artifact_type=own_type or (config.media_type if config else None),
        config=config,
        layers=() if is_index else _descriptors(value.get("layers"), "layers"),
        manifests=_descriptors(value.get("manifests"), "manifests") if is_index else (),
        subject=None if subject is None else _descriptor(subject, "subject"),
        annotations=_annotations(value.get("annotations"), "annotations"),
    )


def descriptor_from_json(value: object, *, where: str = "descriptor") -> Descriptor:
    """Check one JSON descriptor; raises `ManifestInvalidError` naming `where` it stands."""
    return _descriptor(value, where)


def as_referrer(descriptor: Descriptor, content: ManifestContent) -> Descriptor:
    """Return the descriptor under which a manifest stands in a list of referrers."""
    return replace(
        descriptor,
        media_type=content.media_type,
        annotations=dict(content.annotations),
        artifact_type=content.artifact_type,
        platform=None,
        data=None,
    )


def _invalid(message: str, remedy: str) -> ManifestInvalidError:
    return ManifestInvalidError(message, remedy=remedy)


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _invalid("The manifest repeats a member.", "Write every member of an object once.")
    return members


def _load_object(body: bytes) -> dict[str, Any]:
    try:
        # orjson is strict about UTF-8, NaN, lone surrogates and depth; json sees repeated members.
        orjson.loads(body)
        value = json.loads(body, object_pairs_hook=_no_repeats)
    except (ValueError, RecursionError) as error:
        raise _invalid("The manifest is no valid JSON.", "Send JSON in UTF-8.") from error
    if not isinstance(value, dict):
        raise _invalid("The manifest is no JSON object.", "Send one JSON object.")
    if value.get("schemaVersion") != _SCHEMA_VERSION or value["schemaVersion"] is True:
        raise _invalid("The manifest has no schemaVersion 2.", 'Write "schemaVersion": 2.')
    return value


def _media_type(value: dict[str, Any], given: str | None) -> str:
    own = value.get("mediaType")
    if given is not None and given not in IS_INDEX:
        raise _invalid(
            f"{given[:100]!r} is no media type of a manifest.",
            f"Send an OCI manifest ({MEDIA_TYPE_MANIFEST}) or index ({MEDIA_TYPE_INDEX}).",
        )
    if own is None:
        return given or (MEDIA_TYPE_INDEX if "manifests" in value else MEDIA_TYPE_MANIFEST)
    if not isinstance(own, str) or own not in IS_INDEX:
        raise _invalid(
            "The manifest's mediaType is not one that is taken here.",
            f"Send an OCI manifest ({MEDIA_TYPE_MANIFEST}) or index ({MEDIA_TYPE_INDEX}).",
        )
    if given is not None and own != given:
        raise _invalid(
            f"The manifest says that it is {own}, but was sent as {given}.",
            "Send it with the media type that stands in it.",
        )
    return own


def _check_shape(value: dict[str, Any], *, is_index: bool) -> None:
    foreign = ("config", "layers", "fsLayers") if is_index else ("manifests", "fsLayers")
    found = [name for name in foreign if name in value]
    if found:
        what = "an index" if is_index else "an image manifest"
        raise _invalid(
            f"The manifest is {what}, but has {', '.join(found)}.",
            "A manifest names either layers or manifests, never both.",
        )


def _descriptors(value: object, where: str) -> tuple[Descriptor, ...]:
    if not isinstance(value, list):
        raise _invalid(f"The manifest's {where} is no list.", f"Write {where} as a list.")
    return tuple(_descriptor(item, f"{where}[{number}]") for number, item in enumerate(value))


def _descriptor(value: object, where: str) -> Descriptor:
    if not isinstance(value, dict):
        raise _invalid(f"{where} is no descriptor.", "Write mediaType, digest and size.")
    size = value.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _MAX_SIZE_BYTES:
        raise _invalid(f"{where} has no valid size.", "Write its size in bytes.")
    digest = value.get("digest")
    try:
        check_digest(digest if isinstance(digest, str) else "")
    except NameInvalidError as error:
        raise _invalid(f"{where}: {error.message}", error.remedy) from error
    media_type = _optional_type(value.get("mediaType"), f"{where}.mediaType")
    if media_type is None:
        raise _invalid(f"{where} has no mediaType.", "Write its media type.")
    platform = value.get("platform")
    if platform is not None and not isinstance(platform, dict):
        raise _invalid(f"{where}.platform is no object.", "Write os and architecture in it.")
    return Descriptor(
        media_type=media_type,
        digest=str(digest),
        size_bytes=size,
        annotations=_annotations(value.get("annotations"), f"{where}.annotations"),
        artifact_type=_optional_type(value.get("artifactType"), f"{where}.artifactType"),
        platform=platform,
        data=_data(value.get("data"), str(digest), size, where),
    )


def _data(value: object, digest: str, size: int, where: str) -> bytes | None:
    if value is None:
        return None
    try:
        data = base64.b64decode(value if isinstance(value, str) else "!", validate=True)
    except (binascii.Error, ValueError) as error:
        raise _invalid(f"{where}.data is no base64.", "Encode it as RFC 4648 says.") from error
    if len(data) != size or digest_bytes(data, algorithm=split_digest(digest)[0]) != digest:
        raise _invalid(f"{where}.data is not what its digest names.", "Send the right bytes.")
    return data


def _optional_type(value: object, where: str) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not _MEDIA_TYPE.fullmatch(value):
        raise _invalid(f"{where} is no media type.", "Write it as RFC 6838 says: type/subtype.")
    return value


def _annotations(value: object, where: str) -> Mapping[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise _invalid(f"{where} holds something else than text.", "Write names and texts.")
    return value
