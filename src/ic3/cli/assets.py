"""`ic3 asset show`: one asset as the running server knows it."""

from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

import typer

from ic3.cli import app
from ic3.cli.read import AsJson
from ic3.errors import AnswerError, InputError
from ic3.settings import load

# A serial number may be a part of others; more of those than this are not searched.
SEARCHED: Final = 1000
LONGEST_SEARCH: Final = 200
REGISTER: Final = ("name", "category", "domain", "dma_id", "site", "criticality", "status")

asset_app = typer.Typer(help="Assets.", no_args_is_help=True)
app.add_typer(asset_app, name="asset")


@asset_app.callback()
def asset() -> None:
    """One asset of the plant."""


@asset_app.command("show")
def show(
    serial: Annotated[str, typer.Argument(help="Serial number, as the gateway's key has it.")],
    as_json: AsJson = False,
) -> None:
    """One asset: register, state with age, newest reading of every tag, open alarms."""
    from ic3.cli.connect import put_json, run

    found = run(_read(serial))
    if as_json:
        put_json(found)
    else:
        _put(found)


async def _read(serial: str) -> dict[str, Any]:
    from ic3.cli.client import client

    async with client(load()) as server:

        async def known(path: str) -> Any:
            try:
                return await server.get(path)
            except AnswerError as error:
                if error.status == 404:
                    return None
                raise

        name = quote(serial, safe="")
        register = await known(f"/api/assets/{name}")
        readings = await known(f"/api/cmms/assets/{name}")
        envelope = await known(f"/api/assets/{name}/envelope")
        searched = urlencode({"q": serial[:LONGEST_SEARCH], "limit": SEARCHED})
        states = await server.get(f"/api/assets/states?{searched}")
        alarms = await server.get(f"/api/alarms?{urlencode({'source': serial})}")
    state = next((each for each in states["states"] if each["serial"] == serial), None)
    if register is None and state is None:
        raise InputError(
            f"asset: {serial!r} is neither in the register nor at the gateway;"
            " ic3 tags lists what is not in the register"
        )
    return {
        "serial": serial, "register": register, "state": state,
        "readings": readings["monitoring"] if readings else [], "envelope": envelope,
        "alarms": alarms["alarms"],
    }  # fmt: skip


def _put(found: dict[str, Any]) -> None:
    from ic3.cli.connect import put_table, say

    register, state = found["register"], found["state"]
    rows = [["serial number", found["serial"]]]
    if register is None:
        rows.append(["register", "not in it: import it, or map it with ic3 tags"])
    else:
        rows += [[name, str(register[name])] for name in REGISTER if register[name] is not None]
    rows.append(["state", _state(state)])
    put_table(["", "asset"], rows)
    if found["readings"]:
        columns = ["tag", "parameter", "value", "unit", "at (UTC)", "quality"]
        put_table(columns, [_reading(each) for each in found["readings"]], right={2})
    elif found["envelope"] and found["envelope"]["envelope"]:
        values = found["envelope"]["envelope"]["values"]
        put_table(["tag", "value"], [[tag, str(value)] for tag, value in values.items()], right={1})
        say("none of its tags is mapped to a parameter: ic3 tags map")
    else:
        say("no readings of it are known")
    if found["alarms"]:
        put_table(
            ["alarm", "priority", "state", "what"],
            [[str(each["id"]), str(each["priority"]), each["state"], each["text"]]
             for each in found["alarms"]],
            right={0, 1},
        )  # fmt: skip


def _state(state: dict[str, Any] | None) -> str:
    from ic3.cli.connect import age

    if state is None:
        return "never seen at the gateway"
    old = "" if state["age_s"] is None else f", newest record {age(state['age_s'])} old"
    known = "quality" if state["state"] == "fresh" else "last known quality"
    quality = f", {known} {state['quality']}" if state["quality"] else ""
    return f"{state['state']}{old}{quality}"


def _reading(row: dict[str, Any]) -> list[str]:
    value = row["value_num"] if row["value_num"] is not None else row["value_text"]
    at = datetime.fromisoformat(row["recorded_at"])
    reason = f" ({row['quality_reason']})" if row["quality_reason"] else ""
    return [
        row["tag_code"], row["parameter_name"], "–" if value is None else str(value),
        row["unit"] or "", f"{at:%Y-%m-%d %H:%M:%S}Z", row["quality"] + reason,
    ]  # fmt: skip
