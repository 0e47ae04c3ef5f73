"""What a project offers claimtrack: its settings, rules and measurements, named in the registry.

``plugin: module:ATTRIBUTE`` in ``claims/registry.yaml`` names a `Plugin`. The module is imported from what is
installed or from the project's folder; it should import quickly, since every command imports it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Any, Protocol

from typing_extensions import TypeVar  # comes with pydantic; typing's own has no default before Python 3.13

from claimtrack.errors import ClaimError
from claimtrack.report.sections import Sections
from claimtrack.rules import COMMON, Rule

if TYPE_CHECKING:
    from pydantic import BaseModel

    from claimtrack.evidence import Evidence, Trial
    from claimtrack.seal import Planned


class Setting(Protocol):
    """What claimtrack needs of a project's settings."""

    @property
    def profile(self) -> str:
        """Their name."""
        ...

    @property
    def claims(self) -> Sequence[str]:
        """The ids of the claims that they measure."""
        ...


SettingT = TypeVar("SettingT", bound=Setting, default=Any, covariant=True)
Condition = Callable[[Any], bool]


@dataclass(frozen=True)
class Plugin:
    """What a project offers.

    Attributes:
        name: of the project.
        settings: the model of its settings, a `Setting`.
        measure: from a claim id, the folder of a run and its settings to the evidence.
        conditions: what each ``when`` of the registry means for the settings; ``any`` always holds.
        rules: the project's verdict rules, beside `claimtrack.rules.COMMON`.
        trials: from the folder of a run to its trials that count, by key.
        planned: from settings to the trials that they plan, for a sealed plan; ``None`` where nothing is planned.
        shipped: whether settings specify what the file of their name in the project's ``profiles/`` does, whatever
            machine they run on; only such a run is compared with its pins.
        titles: how names are shown, for example ``{"xnli": "XNLI"}``: values of dimensions, words of measures.
        sections: what the project adds to the report, made when a report is.
    """

    name: str
    settings: type[BaseModel]
    measure: Callable[[str, Path, Any], Evidence]
    conditions: Mapping[str, Condition] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict)
    trials: Callable[[Path], Mapping[str, Trial]] = lambda folder: {}
    planned: Callable[[Any], Planned] | None = None
    shipped: Callable[[Any, Path], bool] = lambda settings, project: True
    titles: Mapping[str, str] = field(default_factory=dict)
    sections: Callable[[], Sections] = Sections

    @property
    def all_rules(self) -> Mapping[str, Rule]:
        """The common rules and the project's own, by name."""
        return {**COMMON, **self.rules}

    @property
    def all_conditions(self) -> Mapping[str, Condition]:
        """The project's conditions, and ``any``."""
        return {**self.conditions, "any": lambda settings: True}


def load_plugin(name: str, folder: Path) -> Plugin:
    """Import a plugin.

    Args:
        name: ``module:ATTRIBUTE``.
        folder: of the project; its modules, and those in its ``src``, can be imported from now on.

    Raises:
        ClaimError: there is no such module or attribute, or it is no plugin.
    """
    module, _, attribute = name.partition(":")
    for home in map(str, (folder.resolve(), folder.resolve() / "src")):
        if home not in sys.path:
            sys.path.append(home)
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        if inside := _frame(error, folder.resolve()):
            told = f"{error}; correct it"
            if isinstance(error, ModuleNotFoundError) and error.name:
                told = f"it imports {error.name}, which is missing; install it or correct the import"
            raise ClaimError(f"plugin {name!r:.80} fails at {inside}: {told}") from None
        raise ClaimError(f"plugin {name!r:.80} cannot be imported ({error}); write module:ATTRIBUTE") from None
    if not isinstance(found, Plugin):
        raise ClaimError(f"plugin {name!r:.80} is a {type(found).__name__}; it must be a claimtrack.plugin.Plugin")
    return found


def _frame(error: BaseException, folder: Path) -> str | None:
    """``file:line`` of the last frame below the folder, where claimtrack itself is not counted."""
    ours = Path(__file__).resolve().parent
    for frame in reversed(extract_tb(error.__traceback__)):
        path = Path(frame.filename).resolve()
        inside = path.is_file() and path.is_relative_to(folder) and "site-packages" not in path.parts
        if inside and not path.is_relative_to(ours):
            return f"{path.relative_to(folder)}:{frame.lineno}"
    return None
