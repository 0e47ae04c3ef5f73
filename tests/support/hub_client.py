"""Runs the loading code against a hub, one call after the other: JSON lines in, JSON lines out.

The libraries are imported once and every call is made in a fork, with the cache that it names. There `time.sleep`
takes a tenth of its time and adds up what it was asked for: waits between tries are counted, not waited for.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from dataclasses import asdict
from typing import Any

import torch

import crosslayer.data.hubfiles
from claimtrack.errors import UserError
from crosslayer.config import DataSpec
from crosslayer.data import hub
from crosslayer.encoders.hub import load_hub
from crosslayer.stages.diagnosis import findings


def corpus(task: Any, **data: Any) -> Any:
    """`read_corpus` as ``SPLIT LANGUAGE`` -> examples."""
    found = hub.read_corpus(task, DataSpec(source="hub", **data))
    return {" ".join(key): [asdict(example) for example in examples] for key, examples in found.items()}


def parallel(**data: Any) -> Any:
    """`read_parallel`."""
    return hub.read_parallel(DataSpec(source="hub", **data))


def encoder(name: str, revision: str, text: str) -> Any:
    """What an encoder is called, and what it makes of a text."""
    loaded = load_hub(name, revision)
    ids, types = loaded.tokenizer.wrap(loaded.tokenizer.encode_text(text), None)
    with torch.inference_mode():
        states = loaded.model(
            input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([types])
        ).last_hidden_state
    return {"name": loaded.name, "digest": loaded.digest, "ids": ids, "states": states[0].tolist()}


def doctor(place: str) -> Any:
    """What `crosslayer doctor` finds in a working directory."""
    os.chdir(place)
    return list(findings())


CALLS = {"corpus": corpus, "parallel": parallel, "encoder": encoder, "doctor": doctor}


def answer(
    call: str, cache: str, arguments: dict[str, Any], offline: bool = False, patience: float = 10
) -> dict[str, Any]:
    """The result of a call or its error, the seconds it took, and those it would have slept besides."""
    from huggingface_hub import constants

    slept, sleep = [0.0], time.sleep

    def nap(seconds: float) -> None:
        slept[0] += seconds
        sleep(seconds / 10)

    time.sleep = nap
    constants.HF_HUB_CACHE, constants.HF_HUB_OFFLINE = cache, offline
    constants.HF_HUB_DOWNLOAD_TIMEOUT = crosslayer.data.hubfiles.SHORT = patience  # type: ignore[assignment]
    start = time.monotonic()
    out: dict[str, Any] = {"error": None, "message": "", "value": None}
    try:
        out["value"] = CALLS[call](**arguments)
    except UserError as error:
        out |= {"error": type(error).__name__, "message": str(error)}
    except BaseException as error:
        out |= {"error": type(error).__name__, "message": traceback.format_exc()}
    return out | {"seconds": time.monotonic() - start, "slept": slept[0]}


def main() -> None:
    """Answer until the input ends."""
    import datasets.io.parquet  # not above: the settings of the hub's client are read when it is first imported
    import huggingface_hub
    from transformers import BertModel  # noqa: F401  here, not in every fork

    assert datasets.config.HF_UPDATE_DOWNLOAD_COUNTS is False
    assert huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY
    assert huggingface_hub.constants.HF_HUB_DISABLE_XET
    for line in sys.stdin:
        if child := os.fork():
            os.waitpid(child, 0)
        else:
            sys.stdout.write(json.dumps(answer(**json.loads(line))) + "\n")
            sys.stdout.flush()
            os._exit(0)


if __name__ == "__main__":
    main()
