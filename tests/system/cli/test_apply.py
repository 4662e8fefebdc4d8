"""The commands `export` and `apply`: a workspace document is applied, exported and applied again."""

import re
from pathlib import Path

import pytest

from tests.support.installation.command_line import WEBHOOK, CommandLine

# Both tests run many commands, each in a new process.
pytestmark = pytest.mark.timeout(600)


async def test_document_is_applied_exported_and_applied_again(both: CommandLine, tmp_path: Path) -> None:
    """A handwritten document is applied and exported. Applying the export changes nothing."""
    cli = both
    wanted = tmp_path / "wanted.toml"
    wanted.write_text(
        'domains = ["example.org", "müller.example"]\nmx_managed_upstream = ["müller.example"]\n'
        'blocked_senders = ["@spam.example"]\n'
        '[workspace]\nname = "Acme \\"Süd\\""\ndefault_integration = "general"\n'
        '[[integrations]]\nname = "general"\nwebhook_url = "env:HOOK"\n'
        '[[integrations]]\nname = "billing"\nwebhook_url = "file:hook"\n'
        '[[aliases]]\naddress = "support@example.org"\nintegration = "general"\n'
        '[[aliases]]\naddress = "*@müller.example"\nintegration = "billing"\nstatus = "disabled"\n'
        '[[users]]\nemail = "admin@example.org"\nrole = "admin"\n'
        '[[users]]\nemail = "eve@example.org"\nname = "Eve"\ndisabled = true\n'
    )
    (tmp_path / "hook").write_text(WEBHOOK)
    output = await cli.error_line("apply", "wanted.toml")
    assert "integrations[1].webhook_url: env:HOOK is not set" in output
    cli.env["HOOK"] = WEBHOOK
    dry = await cli.json("apply", "wanted.toml", "--dry-run")
    assert dry["applied"] is False
    assert len(dry["changes"]) == 10
    assert (await cli.json("domain", "list"))["domains"] == []
    assert "10 changes applied." in (await cli("apply", "wanted.toml")).ok().stdout
    assert "No changes." in (await cli("apply", "wanted.toml", "--prune")).ok().stdout

    (await cli("export", "-o", "exported.toml")).ok()
    text = (tmp_path / "exported.toml").read_text()
    assert WEBHOOK not in text
    assert "No changes." in (await cli("apply", "exported.toml", "--prune")).ok().stdout
    assert 'status = "disabled"' in text
    assert (await cli.json("domain", "show", "müller.example"))["mxManagedUpstream"] is True
    (tmp_path / "here.toml").write_text("mx_managed_upstream = []\n")
    output = (await cli("apply", "here.toml")).ok().stdout
    assert "~ domain xn--mller-kva.example: mx_managed_upstream: yes -> no" in output
    assert (await cli.json("domain", "show", "müller.example"))["mxManagedUpstream"] is False

    fewer = re.sub(r'\[\[aliases\]\]\naddress = "support.*?\n\n', "", text, flags=re.DOTALL)
    (tmp_path / "fewer.toml").write_text(fewer)
    kept = (await cli("apply", "fewer.toml")).ok().stdout
    assert "alias support@example.org is not in the file; --prune would remove it" in kept
    assert "--yes" in await cli.error_line("apply", "fewer.toml", "--prune", "--json", code=2)
    removed = await cli.json("apply", "fewer.toml", "--prune", "--yes")
    assert [(c["action"], c["name"]) for c in removed["changes"]] == [("remove", "support@example.org")]
    (tmp_path / "broken.toml").write_text("[[users]]\nmail = 1\n")
    assert "broken.toml: users[1].mail is not a known key" in await cli.error_line("apply", "broken.toml", code=2)
    assert "missing.toml" in await cli.error_line("apply", "missing.toml")


async def test_every_kind_of_change_and_removal_is_applied(cli: CommandLine, tmp_path: Path) -> None:
    cli.env |= {"HOOK": WEBHOOK, "OTHER": WEBHOOK + "x"}
    before = (
        'domains = ["a.test", "b.test"]\nallowed_senders = ["@partner.example"]\n'
        'blocked_senders = ["@spam.example", { sender = "kept.example", note = "May" }, "@changed.example"]\n'
        '[[integrations]]\nname = "one"\nwebhook_url = "env:HOOK"\n'
        '[[integrations]]\nname = "two"\nwebhook_url = "env:HOOK"\n'
        '[[aliases]]\naddress = "x@a.test"\nintegration = "one"\nforwarded_from = "a@acme.example"\n'
        'sender_checks = { on_fail = "show" }\nacknowledge = "old"\n'
        '[[aliases]]\naddress = "y@a.test"\nintegration = "one"\n'
        '[[users]]\nemail = "admin@example.org"\nrole = "admin"\n'
        '[[users]]\nemail = "eve@example.org"\n'
        '[[tags]]\nname = "VIP"\ncolor = "#1D76DB"\n[[tags]]\nname = "old"\n'
        '[[templates]]\nname = "Old"\nbody = "Hi"\n[[canned_responses]]\ntitle = "Y"\nalias = "y@a.test"\nbody = "Y"\n'
    )
    after = (
        'domains = ["a.test"]\nmx_managed_upstream = ["a.test"]\nallowed_senders = ["192.0.2.0/24"]\n'
        '[[blocked_senders]]\nsender = "@kept.example"\nnote = " May"\n'
        '[[blocked_senders]]\nsender = "@changed.example"\naction = "spam"\n'
        '[workspace]\nname = "Renamed"\ndefault_integration = "two"\ntimezone = "Europe/Berlin"\nlocale = "de"\n'
        'sender_checks = { on_spam = "flag", spam_score = 7 }\n'
        '[[integrations]]\nname = "two"\nwebhook_url = "env:OTHER"\n'
        '[[aliases]]\naddress = "x@a.test"\nintegration = "two"\nstatus = "disabled"\nforwarded_from = ""\n'
        'sender_checks = { spam_score = 6.5 }\nsignature = "{agent}"\nreply_to_token = true\nacknowledge = "new"\n'
        '[[users]]\nemail = "admin@example.org"\nname = "Ada"\nrole = "admin"\ntimezone = "Asia/Tokyo"\n'
        '[[tags]]\nname = "vip"\n[[tags]]\nname = "new"\n'
        '[[templates]]\nname = "New"\nbody = "<p>Hi {name}</p>"\nmode = "static_html"\n'
        '[[canned_responses]]\ntitle = "X"\nalias = "x@a.test"\nbody = "X"\n'
    )
    (tmp_path / "before.toml").write_text(before)
    (tmp_path / "after.toml").write_text(after)
    (await cli("apply", "before.toml")).ok()
    made = await cli.json("apply", "after.toml", "--prune", "--yes")
    assert [(change["action"], change["kind"], change["name"]) for change in made["changes"]] == [
        ("change", "user", "admin@example.org"),
        ("change", "integration", "two"),
        ("add", "template", "New"),
        ("change", "domain", "a.test"),
        ("change", "alias", "x@a.test"),
        ("remove", "alias", "y@a.test"),
        ("remove", "allowed_sender", "@partner.example"),
        ("add", "allowed_sender", "192.0.2.0/24"),
        ("remove", "blocked_sender", "@spam.example"),
        ("change", "blocked_sender", "@changed.example"),
        ("remove", "canned_response", "Y"),
        ("add", "canned_response", "X"),
        ("remove", "tag", "old"),
        ("change", "tag", "VIP"),
        ("add", "tag", "new"),
        ("change", "workspace", "Email Router"),
        ("remove", "domain", "b.test"),
        ("remove", "user", "eve@example.org"),
        ("remove", "integration", "one"),
        ("remove", "template", "Old"),
    ]
    details = {change["name"]: change["detail"] for change in made["changes"]}
    assert "on_fail: show -> none, spam_score: none -> 6.5" in details["x@a.test"]
    assert "on_spam: quarantine -> flag, spam_score: none -> 7.0" in details["Email Router"]
    assert "No changes." in (await cli("apply", "after.toml", "--prune")).ok().stdout
    exported = (await cli("export")).ok().stdout
    assert 'sender_checks = { on_fail = "flag", on_spam = "flag", spam_score = 7.0 }' in exported
    assert "sender_checks = { spam_score = 6.5 }" in exported
    (tmp_path / "wrong.toml").write_text("[workspace.sender_checks]\nspam_score = 0\n")
    assert "workspace.sender_checks: spamScore must be" in await cli.error_line("apply", "wrong.toml", code=2)
    (tmp_path / "wrong.toml").write_text('[workspace.sender_checks]\non_fial = "show"\n')
    assert "did you mean on_fail?" in await cli.error_line("apply", "wrong.toml", code=2)
