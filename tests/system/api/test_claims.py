"""50 users claim the same tickets through three API processes on PostgreSQL, and one user gets each ticket."""

import asyncio
from collections import Counter
from pathlib import Path

import aiohttp

from tests.support import seeds
from tests.support.installation import Installation, migrated_installation
from tests.support.process import program_starter
from tests.support.slack import SlackStandIn

USERS = 50
TICKETS = 100
PROCESSES = 3


async def test_exactly_one_concurrent_claim_succeeds(tmp_path: Path, postgres_url: str, slack: SlackStandIn) -> None:
    async with migrated_installation(tmp_path, slack, postgres_url) as installation, program_starter() as start:
        unlimited = {"api.requests_per_minute": 0, "api.requests_per_day": 0}
        programs = [await start("api", env=installation.settings | unlimited, cwd=tmp_path) for _ in range(PROCESSES)]
        tickets = await create_tickets(installation)
        users = dict([await installation.add_user_with_key() for _ in range(USERS)])
        roots = [f"http://{(await program.ready())['api']}/api/emails/tickets" for program in programs]

        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:

            async def claim(root: str, key: str) -> list[tuple[int, str, str]]:
                """Claims all tickets in the same order as every other user, so that every ticket is contested."""
                answers = []
                for ticket in tickets:
                    headers = {"Authorization": f"Bearer {key}"}
                    async with http.post(f"{root}/{ticket}/claim", headers=headers) as response:
                        body = await response.json()
                    result = body["assignedTo"] if response.status == 200 else body["error"]["code"]
                    answers.append((response.status, ticket, result))
                return answers

            answers = await asyncio.gather(
                *(claim(roots[number % PROCESSES], key) for number, key in enumerate(users.values()))
            )

        outcomes = Counter((status, ticket) for answer in answers for status, ticket, _ in answer)
        assert outcomes == Counter({(200, ticket): 1 for ticket in tickets} | {(409, t): USERS - 1 for t in tickets})
        winners = {
            ticket: user_id
            for user_id, answer in zip(users, answers, strict=True)
            for status, ticket, result in answer
            if status == 200 and result == user_id
        }
        assert {result for answer in answers for status, _, result in answer if status == 409} == {"already_claimed"}
        rows = await installation.execute("SELECT id, assigned_to, status FROM tickets")
        assert {str(row["id"]): row["assigned_to"] for row in rows} == winners
        assert {row["status"] for row in rows} == {"in_progress"}
        assert await installation.count_rows("ticket_events", "type = 'ticket.claimed'") == TICKETS
        assert len(set(winners.values())) > 1  # if claims did not overlap, one user would get all tickets


async def create_tickets(installation: Installation) -> list[str]:
    return [
        await seeds.insert_ticket(installation.database, installation.workspace_id, number)
        for number in range(1, TICKETS + 1)
    ]
