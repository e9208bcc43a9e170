"""The rules of alarms: read, made, changed, imported."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET, UnsetType

from ic3.api.callers import actor_of, principal_of
from ic3.domain.alarm_rule_files import RuleDiff, read_rules, rules_csv
from ic3.domain.alarm_rules import Rule, RuleKind, check_rule
from ic3.domain.alarms import Priority
from ic3.domain.scope import AssetScope
from ic3.domain.users import Principal
from ic3.errors import ApiError
from ic3.store.alarm_rules import RuleStore, StoredRule

WORDS_LIMIT: Final = 1024
Word = Annotated[str, msgspec.Meta(max_length=WORDS_LIMIT)]
Version = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]


class RuleView(msgspec.Struct):
    """A rule as it is stored; a selector that is null matches every asset.

    Attributes:
        version: Name it with a change; it grows with each.
        changed_by: Null where it is as delivered.
    """

    id: int
    name: str
    kind: RuleKind
    enabled: bool
    parameter: str | None
    category: str | None
    domain: str | None
    dma_id: str | None
    serial: str | None
    limit: float | None
    states: list[float | str]
    priority: int
    deadband: float
    on_delay_s: float
    off_delay_s: float
    notify: list[str]
    text: str
    version: int
    changed_at: datetime
    changed_by: str | None


class Rules(msgspec.Struct):
    """Every rule, by number."""

    count: int
    rules: list[RuleView]


class RuleRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A rule to be made."""

    name: Word
    kind: RuleKind
    enabled: bool = True
    parameter: Word | None = None
    category: Word | None = None
    domain: Word | None = None
    dma_id: Word | None = None
    serial: Word | None = None
    limit: float | None = None
    states: list[float | str] = []
    priority: Priority = Priority.MEDIUM
    deadband: float = 0.0
    on_delay_s: float = 0.0
    off_delay_s: float = 0.0
    notify: list[str] = []
    text: Word = ""


class RuleChange(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is to be different; `version` is that of the rule as it was read."""

    version: Version
    name: Word | UnsetType = UNSET
    kind: RuleKind | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    parameter: Word | UnsetType | None = UNSET
    category: Word | UnsetType | None = UNSET
    domain: Word | UnsetType | None = UNSET
    dma_id: Word | UnsetType | None = UNSET
    serial: Word | UnsetType | None = UNSET
    limit: float | UnsetType | None = UNSET
    states: list[float | str] | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    deadband: float | UnsetType = UNSET
    on_delay_s: float | UnsetType = UNSET
    off_delay_s: float | UnsetType = UNSET
    notify: list[str] | UnsetType = UNSET
    text: Word | UnsetType = UNSET


class Gone(msgspec.Struct):
    """A rule is deleted."""

    id: int
    deleted: bool


class ImportAnswer(msgspec.Struct):
    """What a file did, or would do."""

    dry_run: bool
    diff: RuleDiff


class FileRefused(msgspec.Struct, kw_only=True):
    """What is wrong with a file, one line each; nothing was written."""

    type: str = "about:blank"
    title: str = HTTPStatus.UNPROCESSABLE_ENTITY.phrase
    status: int = 422
    error: str = "file refused"
    detail: str
    problems: list[str]


async def listed(
    rule_store: NamedDependency[RuleStore], asset_scope: NamedDependency[AssetScope],
    request: Request[Any, Any, Any],
) -> Rules:  # fmt: skip
    """Every rule but those that name another's domain or asset."""
    found = [
        _view(each) for each in await rule_store.all()
        if _is_shown(each.rule, principal_of(request), asset_scope)
    ]  # fmt: skip
    return Rules(len(found), found)


async def make(
    data: JSONBody[RuleRequest], rule_store: NamedDependency[RuleStore],
    asset_scope: NamedDependency[AssetScope], request: Request[Any, Any, Any],
) -> RuleView:  # fmt: skip
    """Make a rule; who does not see all names a domain or an asset of theirs."""
    rule = Rule(rule_id=0, **_fields(data))
    _check(rule)
    _check_scope(rule, principal_of(request), asset_scope)
    return _view(await rule_store.add(actor_of(request), rule))


async def change(
    rule_id: FromPath[int], data: JSONBody[RuleChange], rule_store: NamedDependency[RuleStore],
    asset_scope: NamedDependency[AssetScope], request: Request[Any, Any, Any],
) -> RuleView:  # fmt: skip
    """Change what is named of a rule; refused where it has changed since it was read."""
    principal = principal_of(request)
    before = await _theirs(rule_store, rule_id, principal, asset_scope)
    fields = _fields(data)
    version = fields.pop("version")
    rule = msgspec.structs.replace(before.rule, **fields)
    _check(rule)
    _check_scope(rule, principal, asset_scope)
    changed = await rule_store.change(actor_of(request), rule, version=version)
    if changed is None:
        now = await _known(rule_store, rule_id)
        raise ApiError(
            409, "rule has changed",
            f"it is of version {now.version} by {now.changed_by}; read it again",
        )  # fmt: skip
    return _view(changed)


async def remove(
    rule_id: FromPath[int], rule_store: NamedDependency[RuleStore],
    asset_scope: NamedDependency[AssetScope], request: Request[Any, Any, Any],
) -> Gone:  # fmt: skip
    """Delete a rule; alarms that it raised stay until they return."""
    await _theirs(rule_store, rule_id, principal_of(request), asset_scope)
    if not await rule_store.remove(actor_of(request), rule_id):
        raise _unknown(rule_id)
    return Gone(rule_id, deleted=True)


async def import_csv(
    rule_store: NamedDependency[RuleStore],
    request: Request[Any, Any, Any],
    dry_run: Annotated[bool, QueryParameter(description="Only say what it would do.")] = False,
) -> Response[ImportAnswer | FileRefused]:
    """Put the rules of a CSV file, sent as the body, beside those that are stored, by name.

    All or nothing: with one problem nothing is written, and the answer is 422 with all of them.
    """
    if principal_of(request).domains is not None:
        raise ApiError(403, "forbidden", "a file holds rules of all domains; your account does not")
    parsed = read_rules(await request.body())
    if parsed.problems:
        number = len(parsed.problems)
        refused = FileRefused(
            detail=f"{number} problems; the first: {parsed.problems[0]}", problems=parsed.problems
        )
        return Response(refused, status_code=422, media_type="application/problem+json")
    diff = await rule_store.import_rules(actor_of(request), parsed.rules, dry_run=dry_run)
    return Response(ImportAnswer(dry_run, diff), status_code=200)


async def csv(
    rule_store: NamedDependency[RuleStore], asset_scope: NamedDependency[AssetScope],
    request: Request[Any, Any, Any],
) -> Response[str]:  # fmt: skip
    """The rules as a file that the import takes again."""
    stored = [each.rule for each in await rule_store.all()]
    rules = [each for each in stored if _is_shown(each, principal_of(request), asset_scope)]
    return Response(
        rules_csv(rules), media_type="text/csv",
        headers={"content-disposition": 'attachment; filename="alarm-rules.csv"'},
    )  # fmt: skip


def _fields(data: RuleRequest | RuleChange) -> dict[str, Any]:
    """The fields that were sent, lists as the tuples that a rule has."""
    given = {name: getattr(data, name) for name in data.__struct_fields__}
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
        if value is not UNSET
    }


def _check(rule: Rule) -> None:
    problems = check_rule(rule)
    if problems:
        raise ApiError(422, "rule refused", "; ".join(problems))


def _is_shown(rule: Rule, who: Principal, scope: AssetScope) -> bool:
    """Whether a rule names nothing of another's."""
    return (rule.domain is None or who.sees(rule.domain)) and (
        rule.serial is None or scope.sees(who, rule.serial)
    )


def _check_scope(rule: Rule, who: Principal, scope: AssetScope) -> None:
    """Let nobody decide over alarms of others: what names neither domain nor asset is for all."""
    is_for_all = rule.domain is None and rule.serial is None
    if who.domains is not None and (is_for_all or not _is_shown(rule, who, scope)):
        raise ApiError(403, "forbidden", "name a domain or a serial number of your scope")


async def _theirs(
    rule_store: RuleStore, rule_id: int, who: Principal, scope: AssetScope
) -> StoredRule:
    found = await _known(rule_store, rule_id)
    if not _is_shown(found.rule, who, scope):
        raise _unknown(rule_id)
    _check_scope(found.rule, who, scope)
    return found


async def _known(rule_store: RuleStore, rule_id: int) -> StoredRule:
    found = await rule_store.one(rule_id)
    if found is None:
        raise _unknown(rule_id)
    return found


def _unknown(rule_id: int) -> ApiError:
    return ApiError(404, "rule not found", f"there is no rule {rule_id}")


def _view(stored: StoredRule) -> RuleView:
    rule = stored.rule
    return RuleView(
        rule.rule_id, rule.name, rule.kind, rule.enabled, rule.parameter, rule.category,
        rule.domain, rule.dma_id, rule.serial, rule.limit, list(rule.states), int(rule.priority),
        rule.deadband, rule.on_delay_s, rule.off_delay_s, list(rule.notify), rule.text,
        stored.version, stored.changed_at, stored.changed_by,
    )  # fmt: skip
