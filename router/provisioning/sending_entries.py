"""The list `sending` of a workspace document: which domains send replies, and their smarthosts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from router.admin.domains.domain_names import normalize_domain_name
from router.admin.domains.sending import SendingService
from router.admin.domains.smarthost_setting import SmarthostSetting
from router.errors import Refused
from router.model import Domain
from router.provisioning.document import SendingDefinition
from router.provisioning.entry import InvalidDocument, differences, format_differences, index_unique, normalize

ResolveReference = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class SetSending:
    """Turns sending from a domain on or off, and sets its smarthost.

    Attributes:
        enabled: None for no change.
        smarthost: The new smarthost, unless `keeps_smarthost`; None stands for that of the installation.
    """

    domain: str
    enabled: bool | None
    smarthost: SmarthostSetting | None = field(default=None, repr=False)
    keeps_smarthost: bool = True


@dataclass(frozen=True, slots=True)
class PlannedSending:
    """A planned change of a domain for display, and its execution. `note`: a reference that is not set, or `""`."""

    domain: str
    detail: str
    step: SetSending | None
    note: str = ""


def export_sending(domains: Iterable[Domain], reference: Callable[[str], str]) -> list[SendingDefinition]:
    """Returns an entry for each domain that sends or has a smarthost. `reference` names the password of a domain."""
    return [
        SendingDefinition(
            domain=domain.name,
            enabled=domain.sending != "off",
            smarthost=domain.smarthost_hint,
            smarthost_password=reference(domain.name) if "@" in domain.smarthost_hint else None,
        )
        for domain in domains
        if domain.sending != "off" or domain.smarthost_hint
    ]


class SendingPlanner:
    """Compares the entries with the domains."""

    def __init__(self, sending: SendingService, resolve: ResolveReference) -> None:
        self._sending = sending
        self._resolve = resolve

    def plan(
        self, entries: Iterable[SendingDefinition], existing: Mapping[str, Domain], known: Iterable[str]
    ) -> Iterator[PlannedSending]:
        """Yields the changes of the domains with an entry. `known` has also the domains that the document adds.

        Raises:
            InvalidDocument: A domain is unknown, or listed twice.
            Refused: A smarthost is not allowed, or its password is missing.
        """
        names = set(known)
        keyed = [(_normalize(entry.domain, names, n), entry) for n, entry in enumerate(entries, start=1)]
        for n, (name, entry) in enumerate(index_unique("sending", "domain", keyed).items(), start=1):
            if name not in names:
                raise InvalidDocument(f"sending[{n}].domain: {name} is not a domain of this workspace or file")
            yield self._compare(name, entry, existing.get(name), f"sending[{n}]")

    def _compare(self, name: str, entry: SendingDefinition, domain: Domain | None, location: str) -> PlannedSending:
        was_enabled = domain is not None and domain.sending != "off"
        old_url = "" if domain is None else domain.smarthost_hint
        changed = differences(sending=(was_enabled, entry.enabled))
        enabled = entry.enabled if changed else None
        if not entry.smarthost:
            changed |= differences(smarthost=(old_url, ""))
            step = SetSending(name, enabled, None, keeps_smarthost=not old_url)
            return PlannedSending(name, format_differences(changed), step if changed else None)
        password, note = self._read_password(name, entry)
        setting = SmarthostSetting(entry.smarthost, password)
        try:
            url, is_changed = self._sending.compare_smarthost(domain, setting)
        except Refused as refused:
            raise Refused(refused.code, f"{location}.smarthost: {refused.message}") from None
        changed |= differences(smarthost=(old_url, url))
        if is_changed and url == old_url:
            changed["smarthost_password"] = ("set", entry.smarthost_password)
        step = SetSending(name, enabled, setting, keeps_smarthost=not is_changed)
        return PlannedSending(name, format_differences(changed), step if changed else None, note)

    def _read_password(self, name: str, entry: SendingDefinition) -> tuple[str | None, str]:
        """Returns the password, and a note if its reference is not set."""
        if entry.smarthost_password is None:
            return None, ""
        password = self._resolve(entry.smarthost_password)
        note = (
            f"sending {name}: {entry.smarthost_password} is not set, so the password of the smarthost stays unchanged"
        )
        return password, "" if password else note


def _normalize(text: str, known: set[str], n: int) -> str:
    return text if text in known else normalize(normalize_domain_name, text, f"sending[{n}].domain")
