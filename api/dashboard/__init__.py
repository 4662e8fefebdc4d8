"""The dashboard: pages for people, rendered on the server by the process that serves the API.

It is a third kind of client beside the REST API and the command line: it uses the use cases in `router.services` and
knows nothing they do not; it has no SQL, no settings and no state but the listeners of `live`. The middlewares are the
API's own: one request id, one authentication (the session cookie), one rate limit, one rule of roles and of where a
form may come from. It sets no cookie but the session's, loads nothing from elsewhere and works without JavaScript.

How to add a page:

1. One file in `views/`, named for the page or its noun. It exports `PAGES`, a tuple of `Page(method, path, handler,
   role)`, and where it has them `NAV` (a `Nav` is a link that those who may call its page see on top of every page)
   and `NOTES` (word -> sentence, for what was done; words are unique over all files).
2. One line: its module in `MODULES` in `views/__init__.py`.
3. A handler takes a `Visit` and returns `Html("things.html", "Title", {...})`, `See("/things", flash="thing-added")`
   or a response of its own. GET shows; POST does one thing and answers with `See` (Post/Redirect/Get). What a use case
   refuses (`Refused`) is not caught: name the handler that shows the form in `Page.again`, and the page comes again
   with `visit.problem` and what was typed in `visit.form`; without `again` it is an error page. Form fields have the
   names that the API gives them (`webhookUrl`), so that `Refused.field` finds its input.
4. A template in `templates/`: `{% extends "layout.html" %}`, `{% block main %}`; forms by the macros of `form.html`
   (`{% import "form.html" as f with context %}`: `f.text`, `f.select`, `f.area`, `f.submit`), words by those of
   `inline.html`. Show an action only where `visit.can("agent")` (the role of its page) says so; the server refuses a
   forged request anyway. No inline script, no style attribute, no `|safe`: the Content-Security-Policy forbids the
   first two. What should follow changes without reloading has `data-live` and an id (see `static/app.js`).
5. Tests: a row in `tests/integration/dashboard/test_matrix.py` (`LEAST`: who may call it) and one in
`tests/integration/dashboard/visits.py`
   (`VISITS`: how a browser gets there), or their tests fail. The second gives the axe, console, size, dark and phone
   checks for free. Forms and refusals are tested over plain HTTP (`tests/support/installation/dashboard.py`:
   `signed_in`, `Browser`).
"""
