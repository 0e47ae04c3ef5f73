"""What a project offers claimtrack: its settings, rules and measurements, named in the registry.

``plugin: module:ATTRIBUTE`` in ``claims/registry.yaml`` names a `Plugin`. The module is imported from what is
installed or from the project's folder; it should import quickly, since every command imports it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from traceback import extract_tb
from typing import Any

from pydantic import BaseModel

from claimtrack.errors import ClaimError, own_place
from claimtrack.evidence import Evidence, Trial
from claimtrack.rules import COMMON, Rule
from claimtrack.seal import Planned
from claimtrack.sections import Sections
from claimtrack.settings import load_settings

Condition = Callable[[Any], bool]


def _as_in_profiles(settings: Any, project: Path) -> bool:
    path = project / "profiles" / f"{settings.profile}.yaml"
    return path.exists() and load_settings(path, type(settings)) == settings


@dataclass(frozen=True)
class Plugin:
    """What a project offers. Only the first three are needed::

        PLUGIN = Plugin(name="dice", settings=Settings, measure=measure, titles={"d6": "D6"},
                        conditions={"few_rolls": lambda settings: settings.rolls < 100})

    Attributes:
        name: of the project.
        settings: the pydantic model of its settings, with the fields of `claimtrack.runs.Setting`. It checks
            ``params.yaml``, the files of ``profiles/`` and the ``profile.yaml`` of recorded runs when read.
        measure: ``measure("C01", Path("results/full"), settings)`` gives the `Evidence` of a claim. The notebook
            of each claim calls it once, through `claimtrack.project.measure`. Evidence that cannot be measured has
            status ``missing`` and says why.
        conditions: by the name that ``when`` of the registry has, whether a condition holds for the settings.
            Asked for the relevance of each verdict, in the order of the registry; ``any`` always holds.
        rules: verdict rules by name, beside `claimtrack.rules.COMMON`. A rule is called with a
            `claimtrack.rules.Case` where there is evidence of at least three seeds, and gives a `Judgement`.
        trials: ``trials(Path("results/full"))`` gives the `Trial` records of a run that count, by key; of a
            recorded run too (``claims/ledger/NAME``). Called whenever a run is loaded: for seals, plans, hours and
            the report. Without it no verdict is known to be sealed before its trials.
        planned: the trials that settings plan (`claimtrack.seal.Planned`). Called by ``claimtrack seal --plan``,
            and by ``seal --check`` to compare; ``None`` where nothing is planned.
        shipped: ``shipped(settings, project_folder)``: whether settings specify what the file of their name in
            ``profiles/`` does, whatever machine they run on; by default whether they are equal. Asked before a
            present run is pinned or checked.
        titles: how names are shown, for example ``{"xnli": "XNLI"}``: values of dimensions, words of measures.
        sections: makes what the project adds to the report; called once a report.
    """

    name: str
    settings: type[BaseModel]
    measure: Callable[[str, Path, Any], Evidence]
    conditions: Mapping[str, Condition] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict)
    trials: Callable[[Path], Mapping[str, Trial]] = lambda folder: {}
    planned: Callable[[Any], Planned | None] = lambda settings: None
    shipped: Callable[[Any, Path], bool] = _as_in_profiles
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
    """Import the plugin called ``module:ATTRIBUTE``; a `ClaimError` where there is none.

    Modules in the project's folder, and those in its ``src``, can be imported from now on.
    """
    module, _, attribute = name.partition(":")
    for home in map(str, (folder.resolve(), folder.resolve() / "src")):
        if home not in sys.path:
            sys.path.append(home)
    try:
        found = getattr(import_module(module), attribute)
    except Exception as error:  # whatever the project's own code raises
        frames = [(frame.filename, frame.lineno or 0) for frame in extract_tb(error.__traceback__)]
        if isinstance(error, SyntaxError):
            frames = [(error.filename or "", error.lineno or 0)]
        if inside := own_place(frames, folder.resolve()):
            told = f"{type(error).__name__} {error}".strip() + "; correct it"
            if isinstance(error, ModuleNotFoundError) and error.name:
                told = f"it imports {error.name}, which is missing; install it or correct the import"
            raise ClaimError(f"plugin {name!r:.80} fails at {inside}: {told}") from None
        raise ClaimError(f"plugin {name!r:.80} cannot be imported ({error}); write module:ATTRIBUTE") from None
    if not isinstance(found, Plugin):
        raise ClaimError(f"plugin {name!r:.80} is a {type(found).__name__}; it must be a claimtrack.plugin.Plugin")
    return found
