"""Greets a person by message."""

import json
from typing import Any

import wit_world
from componentize_py_types import Err
from failures import permanent, told
from wit_world.imports import log, messages
from wit_world.imports.log import Level
from wit_world.imports.messages import Body_Text, Error_Invalid, Error_Refused, Error_Undeliverable, Message, Sent
from wit_world.imports.types import Invocation, Outcome


class WitWorld(wit_world.WitWorld):
    """The plugin: `run` is called once for each job, on a fresh instance."""

    def run(self, call: Invocation) -> Outcome:
        try:
            return greet(json.loads(call.input), call.event.id)
        except Err:
            raise
        except Exception as error:
            # A mistake of the plugin's own ends the run as a trap, which says nothing. The job's log says where it was.
            log.write(Level.ERROR, told(error))
            raise


def greet(given: dict[str, Any], event: str) -> Outcome:
    to = text(given, "to")
    name = text(given, "name").strip()
    if not name:
        raise permanent("the name is empty")

    log.write(Level.INFO, f"greeting for event {event}")
    sent = send(Message(channel=None, to=to, body=Body_Text(f"Olá, {name}!"), attachments=[], buttons=[]))
    return Outcome(code="greeted", summary=f"Saudação enviada por {sent.channel}", output=None)


def text(given: dict[str, Any], name: str) -> str:
    """An input that must be a text."""
    value = given.get(name)
    if not isinstance(value, str):
        raise permanent(f"the input `{name}` is not a text")
    return value


def send(message: Message) -> Sent:
    """Sends a message. What reaches the plugin is final: troubles that pass end the attempt, and zelo tries the job again."""
    try:
        return messages.send(message)
    except Err as error:
        match error.value:
            case Error_Refused(reason):
                raise permanent(f"the message was refused: {reason}") from error
            case Error_Invalid(reason):
                raise permanent(f"the message is not valid: {reason}") from error
            case Error_Undeliverable(reason):
                raise permanent(f"the message cannot be delivered: {reason}") from error
        raise
