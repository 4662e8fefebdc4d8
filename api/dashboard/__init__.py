"""The dashboard: HTML pages rendered on the server by the process that serves the API.

It is a client of the use cases in `router.services` and contains no SQL. It uses the API's middlewares and cookies,
loads nothing from other hosts and works without JavaScript.

How to add a page:

1. Add a module to `views/` that exports `PAGES`, and optionally `NAV_LINKS` and `FLASH_MESSAGES`. Add it to `MODULES`
   in `views/__init__.py`.
2. A handler takes a `Visit` and returns an `HtmlPage`, a `Redirect` or a response. A POST handler performs one action
   and returns a `Redirect`.
3. Handlers do not catch `Refused`. With `PageRoute.form_view` the form is shown again with `visit.error` and
   `visit.form`; without it the user gets an error page. Form fields have the names of the API's fields, so that
   `Refused.field` identifies the input.
4. Add a template that extends `layout.html`; use the macros of `form.html` and `inline.html`. Use no inline script,
   style attribute or `|safe`. Elements that update without a reload have an id and `data-live`.
5. Add the route to `REQUIRED_ROLES` in `tests/integration/dashboard/test_matrix.py` and its path to `VISITS` in
   `tests/integration/dashboard/visits.py`. Their tests fail otherwise.
"""
