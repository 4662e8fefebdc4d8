"""The alert about a failing smarthost: once for each failure, to the workspaces whose replies wait."""

import json

from router.dispatch.smarthost_alerts import SmarthostAlerts
from tests.support.behaviours import FixedResponse
from tests.support.replies import ManualSubmissions, open_submissions, queue_reply
from tests.support.slack import SlackStandIn
from tests.support.stores import Store


async def fail(submissions: ManualSubmissions) -> None:
    installation = submissions.installation
    await queue_reply(installation, await installation.accept_ticket())
    submissions.smarthost.answers["mail"] = "535 5.7.8 Authentication failed"
    await submissions.submit_due()


async def test_each_failure_is_posted_once(store: Store, slack: SlackStandIn) -> None:
    async with open_submissions(store) as submissions:
        installation = submissions.installation
        integration_id = await installation.add_integration("operators", webhook=slack.url("operators"))
        await installation.services.workspaces.change(installation.actor, default_integration_id=integration_id)
        hosts = [
            SmarthostAlerts(installation.database, installation.clock, installation.core.poster, link_base=None)
            for _ in range(2)
        ]
        assert await hosts[0].post_due() == 0
        await fail(submissions)
        slack.script("operators", FixedResponse(503, "later"))
        assert [await host.post_due() for host in hosts] == [0, 1]
        assert await hosts[0].post_due() == 0
        text = json.loads(slack.posts[-1].raw)["text"]
        assert text.startswith(
            "Replies cannot be sent: 1 reply waits: the smarthost of this installation is failing: 535"
        )

        del submissions.smarthost.answers["mail"]
        installation.clock.advance(minutes=5)
        assert await submissions.submit_due() == 1
        installation.clock.advance(1)
        assert await hosts[0].post_due() == 0
        await fail(submissions)
        assert await hosts[1].post_due() == 1
