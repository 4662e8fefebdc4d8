"""The dashboard: HTML pages rendered on the server by the process that serves the API.

Like the REST API and the command line, it is a client of the use cases in `router.services`. It contains no SQL, reads
no settings and keeps no state except the streams of `change_feed`. It uses the API's middlewares: request id,
authentication (by session cookie), rate limit, roles and origin checks. It sets only the cookies of `api.cookies`,
loads nothing from other hosts and works without JavaScript.

How to add a page:

1. Add a module to `views/`. It exports `PAGES`, a tuple of `PageRoute(method, path, handler, role)`, and optionally
   `NAV_LINKS` (links in the main navigation) and `FLASH_MESSAGES` (key to sentence; keys are unique over all modules).
2. Add the module to `MODULES` in `views/__init__.py`.
3. A handler takes a `Visit` and returns `HtmlPage("things.html", "Title", {...})`, `Redirect("/things",
   flash="thing-added")` or a response. A GET handler shows a page; a POST handler performs one action and returns a
   `Redirect`. Handlers do not catch `Refused`. If `PageRoute.form_view` names the handler that shows the form, the
   form is shown again with `visit.error` and the input in `visit.form`; otherwise the user gets an error page. Form
   fields have the names of the API's fields (`webhookUrl`), so that `Refused.field` identifies the input.
4. Add a template to `templates/` with `{% extends "layout.html" %}` and `{% block main %}`. Use the macros of
   `form.html` (`f.text`, `f.select`, `f.textarea`, `f.submit`) and `inline.html`. Show an action only if
   `visit.has_role(...)` allows it; the server checks the role anyway. Use no inline script, style attribute or `|safe`:
   the Content-Security-Policy forbids the first two. Elements that update without a reload have an id and `data-live`
   (see `static/app.js`).
5. Add the route to `REQUIRED_ROLES` in `tests/integration/dashboard/test_matrix.py` and its path to `VISITS` in
   `tests/integration/dashboard/visits.py`; their tests fail otherwise. `VISITS` also runs the accessibility, console,
   size, dark-mode and phone checks. Test forms and errors over plain HTTP with
   `tests/support/installation/dashboard.py` (`signed_in_client`).
"""
