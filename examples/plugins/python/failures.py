"""How a run ends that did not do what it was asked to: `raise permanent("…")`.

Anything else that is raised is a mistake of the plugin and ends the run as a trap.
"""

from traceback import walk_tb

from componentize_py_types import Err
from wit_world.imports.types import Failure, Failure_Missing, Failure_Permanent, Failure_Retry, Retry


def permanent(reason: str) -> Err[Failure]:
    """It will never work: the job ends, and a person is told the reason."""
    return Err(Failure_Permanent(reason))


def missing(reason: str) -> Err[Failure]:
    """Something is missing that a person or a later event may bring. Only before the first effect."""
    return Err(Failure_Missing(reason))


def retry(reason: str, after_ms: int | None = None) -> Err[Failure]:
    """It may work later, no sooner than `after_ms`: the job is tried again."""
    return Err(Failure_Retry(Retry(reason, after_ms)))


def told(error: Exception) -> str:
    """What was raised, and where. `traceback` tells more, but reads source files for it, and a plugin that asks for a file ends."""
    frames = walk_tb(error.__traceback__)
    lines = [f"  {frame.f_code.co_filename}:{line} in {frame.f_code.co_name}" for frame, line in frames]
    return "\n".join([f"{type(error).__name__}: {error}", *lines])
