"""The section "Sending" of `/manage/domains/{id}`: records, DKIM keys and smarthost."""

from __future__ import annotations

from api.dashboard.page import PageRoute, Redirect, Visit
from api.dashboard.views.domains import show_domain
from router.admin.domains.smarthost_setting import SmarthostSetting
from router.errors import Refused

# Names of form fields and of the fields in errors.
URL, PASSWORD = "smarthost.url", "smarthost.password"


async def set_sending(visit: Visit) -> Redirect:
    enabled = visit.form.get("enabled") == "true"
    view = await visit.services.sending.set_enabled(visit.actor, visit.path_params["id"], enabled)
    flash = {"off": "sending-off", "active": "sending-active"}.get(view.domain.sending, "sending-waits")
    return _redirect(visit, flash)


async def rotate(visit: Visit) -> Redirect:
    await visit.services.sending.rotate(visit.actor, visit.path_params["id"])
    return _redirect(visit, "sending-rotated")


async def set_smarthost(visit: Visit) -> Redirect:
    removes = visit.form.get("remove") == "true"
    setting = None if removes else SmarthostSetting(visit.form.get(URL, ""), visit.form.get(PASSWORD) or None)
    await visit.services.sending.set_smarthost(visit.actor, visit.path_params["id"], setting)
    return _redirect(visit, "smarthost-removed" if removes else "smarthost-saved")


async def test_smarthost(visit: Visit) -> Redirect:
    """Tests the connection. A failure is shown as the error of the page."""
    result = await visit.services.sending.test_smarthost(visit.actor, visit.path_params["id"])
    if result.kind != "accepted":
        code = "" if result.code is None else f"{result.code} "
        raise Refused("unavailable", f"The smarthost cannot be used ({result.stage}): {code}{result.text}")
    return _redirect(visit, "smarthost-works")


def _redirect(visit: Visit, flash: str) -> Redirect:
    return Redirect(f"/manage/domains/{visit.path_params['id']}#sending", flash=flash)


FLASH_MESSAGES = {
    "sending-off": "Sending turned off.",
    "sending-active": "Sending turned on. The records are correct.",
    "sending-waits": "Sending turned on. Add the DKIM record to the DNS.",
    "sending-rotated": "Add the record of the next key to the DNS.",
    "smarthost-saved": "Smarthost saved. Test the connection.",
    "smarthost-removed": "Smarthost removed.",
    "smarthost-works": "The smarthost accepts replies. Nothing was sent.",
}
PAGES = (
    PageRoute("POST", "/manage/domains/{id}/sending", set_sending, "admin", form_view=show_domain),
    PageRoute("POST", "/manage/domains/{id}/sending/rotate", rotate, "admin", form_view=show_domain),
    PageRoute("POST", "/manage/domains/{id}/sending/test", test_smarthost, "admin", form_view=show_domain),
    PageRoute("POST", "/manage/domains/{id}/smarthost", set_smarthost, "admin", form_view=show_domain),
)
