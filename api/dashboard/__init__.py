"""The dashboard: HTML pages rendered on the server by the process that serves the API.

It is a client of the use cases in `router.services` and uses the API's middlewares and cookies. It loads nothing from
other hosts and works without JavaScript.

How to add a page:

1. Add a module to `views/` that exports `PAGES`, and optionally `NAV_LINKS` and `FLASH_MESSAGES`.
2. Write handlers, which take a `Visit`. A POST handler performs one action and usually returns a `Redirect`. To
   report an error to the user, it raises `Refused`.
3. Name form fields like the API's fields, so that `Refused.field` identifies the input.
4. Add a template that extends `layout.html`. Use no inline script, style attribute or `|safe`. Elements that update
   without a reload have an id, `data-live` (the `newest_id` that the page shows) and `data-follow="yes"`.
5. Add the route to `REQUIRED_ROLES` in `tests/integration/dashboard/test_matrix.py` and its path to `VISITS` in
   `tests/integration/dashboard/visits.py`.
"""
