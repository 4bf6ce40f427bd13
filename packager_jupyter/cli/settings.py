"""The settings of a command: Jupyter's configuration files, then the flags.

The same files serve the Jupyter server, which reads them by itself: ``jupyter_packager_config.py``
and ``.json`` in every folder of Jupyter's configuration path, the nearest folder winning. The
current folder is not searched: running a command in somebody's folder must not run their code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packager_jupyter.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from traitlets.config import Config

    from packager_jupyter.config import Settings

CONFIG_NAME = "jupyter_packager_config"
_ENV = {"data_dir": "PACKAGER_DATA_DIR", "secrets_dir": "PACKAGER_SECRETS_DIR"}


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings with their origin.

    Attributes
    ----------
    settings : Settings
    files : list of Path
        The configuration files that were read, the winning one last.
    origins : mapping of str to str
        Setting to ``flag``, ``environment``, ``configuration file`` or ``default``.
    """

    settings: Settings
    files: list[Path]
    origins: Mapping[str, str] = field(default_factory=dict)


def load_settings(*, flags: Mapping[str, Any]) -> LoadedSettings:
    """Read the configuration files and lay `flags` (setting to value) over them.

    Raises
    ------
    BadInputError
        When a file cannot be read as configuration, or a value has the wrong type.
    """
    import os

    from traitlets import TraitError

    from packager_jupyter.config import Settings

    config, files = _read_files()
    try:
        settings = Settings(config=config)
        for name, value in flags.items():
            setattr(settings, name, value)
    except TraitError as error:
        raise BadInputError(
            f"A setting has a value of the wrong kind: {error}",
            remedy="Correct it in " + (", ".join(map(str, files)) or "the flags") + ".",
        ) from error
    origins = {}
    for name in settings.traits(config=True):
        if name in flags:
            origins[name] = "flag"
        elif name in config.Settings:
            origins[name] = "configuration file"
        elif os.environ.get(_ENV.get(name, ""), ""):
            origins[name] = "environment"
        else:
            origins[name] = "default"
    return LoadedSettings(settings=settings, files=files, origins=origins)


def _read_files() -> tuple[Config, list[Path]]:
    from jupyter_core.paths import jupyter_config_path
    from traitlets.config.loader import Config, JSONFileConfigLoader, PyFileConfigLoader

    config, files = Config(), []
    for folder in reversed(jupyter_config_path()):
        for suffix, loader in ((".py", PyFileConfigLoader), (".json", JSONFileConfigLoader)):
            path = Path(folder) / (CONFIG_NAME + suffix)
            if not path.is_file():
                continue
            try:
                config.merge(loader(path.name, path=str(path.parent)).load_config())
            except Exception as error:
                raise BadInputError(
                    f"The configuration file {path} cannot be read: "
                    f"{type(error).__name__}: {error}.",
                    remedy="Correct or remove it, then run: packager config --show",
                ) from error
            files.append(path)
    return config, files
