"""The bound on octets in memory, shared by all sessions: past it reading waits, then the mail is put off."""

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.network import address_key
from smtp import stream
from smtp.in_flight import InFlight
from tests.smtp.doubles import door
from tests.smtp.test_deadlines import in_data
from tests.support.smtp import RawSmtp, send_mail
from tests.support.waiting import until

LIMIT = 1_000_000


async def test_reading_waits_until_there_is_room() -> None:
    async with door(max_bytes_in_flight=LIMIT, max_message_bytes=LIMIT) as server:
        server.mails.gate = asyncio.Event()
        first = await in_data(server)
        await first.send_bytes(b"a" * (LIMIT - 2) + b"\r\n.\r\n")
        await server.mails.entered.wait()
        second = await in_data(server)
        mail = b"b" * (LIMIT // 2) + b"\r\n"
        sending = asyncio.ensure_future(second.send_bytes(mail + b".\r\n"))
        held = server.server._door.in_flight
        await until(lambda: held._held == 1, "the second one is held")
        assert held.total <= LIMIT + InFlight.PIECE
        server.mails.gate.set()
        assert (await first.read_reply()).code == 250
        await sending
        assert (await second.read_reply()).code == 250
        assert server.mails.contents[1] == mail
        assert held.total == 0
        await first.close()
        await second.close()


async def test_a_small_mail_never_waits() -> None:
    """Whoever fills the room with large mails does not stop everybody else's."""
    async with door(max_bytes_in_flight=LIMIT, max_message_bytes=LIMIT) as server:
        first, large = await in_data(server), await in_data(server)
        await first.send_bytes(b"a" * (LIMIT // 2))
        await until(lambda: server.server._door.in_flight.total == LIMIT // 2, "the first has half of the room")
        await large.send_bytes(b"a" * LIMIT)
        await until(lambda: server.server._door.in_flight._held == 1, "the second is held")
        content = b"b" * 60_000 + b"\r\n"
        reply = await send_mail(server.host, server.port, "a@client.test", ["support@example.com"], content)
        assert reply.code == 250
        assert server.mails.contents == [content]
        await large.abort()
        await first.abort()


async def test_one_address_has_half_of_the_room() -> None:
    """Past its half an address waits, whatever it opens; others' large mails, and its own small ones, go on."""
    async with door(max_bytes_in_flight=LIMIT, max_message_bytes=LIMIT // 4) as server:
        room = server.server._door.in_flight
        server.mails.gate = gate = asyncio.Event()
        greedy = [await in_data(server) for _ in range(3)]
        await greedy[0].send_bytes(b"a" * (LIMIT // 5) + b"\r\n.\r\n")
        await server.mails.entered.wait()
        server.mails.gate = None  # of the others
        for client in greedy[1:]:
            await client.send_bytes(b"a" * (LIMIT // 5))
        await until(lambda: room._held == 2, "all of the address that are sending are held")
        assert LIMIT // 2 <= room.total < LIMIT
        large = b"b" * (LIMIT // 5) + b"\r\n"
        for content, address in ((large, "127.0.0.2"), (b"small\r\n", "127.0.0.1")):
            reply = await send_mail(
                server.host,
                server.port,
                "a@client.test",
                ["support@example.com"],
                content,
                local_addr=(address, 0),
                timeout=5,
            )
            assert reply.code == 250
            assert server.mails.contents[-1] == content
        assert room._held == 2
        gate.set()
        await greedy[0].expect(250)
        for client in greedy[1:]:
            await client.send_bytes(b"\r\n.\r\n")
            await client.expect(250)
        for client in greedy:
            await client.close()
        assert (room.total, room._by_share) == (0, {})


async def test_past_its_half_an_address_is_put_off_at_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "IN_FLIGHT_PATIENCE", 0.1)
    async with door(max_bytes_in_flight=LIMIT, max_message_bytes=LIMIT // 2, data_timeout="400ms") as server:
        server.mails.gate = asyncio.Event()
        first = await in_data(server)
        await first.send_bytes(b"a" * (LIMIT // 2 - 2) + b"\r\n.\r\n")
        await server.mails.entered.wait()
        second = await in_data(server)
        await second.send_bytes(b"b" * (LIMIT // 4) + b"\r\n.\r\n")
        assert str(await second.read_reply()).startswith("452 4.3.1")
        server.mails.gate.set()
        assert (await first.read_reply()).code == 250
        await first.close()
        await second.close()


async def test_chunks_without_a_last_one_do_not_keep_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for its next chunk is a mail under way like any other: held where there is no room, and put off."""
    monkeypatch.setattr(stream, "IN_FLIGHT_PATIENCE", 0.1)
    async with door(max_bytes_in_flight=LIMIT, max_message_bytes=LIMIT // 2, data_timeout="400ms") as server:
        room = server.server._door.in_flight
        hoarders = []
        for address in ("127.0.0.2", "127.0.0.3"):
            client = await RawSmtp.connect(server.host, server.port, local_addr=(address, 0))
            await client.command("EHLO client.test", 250)
            await client.command("MAIL FROM:<a@client.test>", 250)
            await client.command("RCPT TO:<support@example.com>", 250)
            octets = LIMIT // 2 - 1000
            await client.send_bytes(b"BDAT %d\r\n" % octets + b"h" * octets)
            await client.expect(250)
            hoarders.append(client)
        first, second = hoarders
        large = b"b" * (LIMIT // 3) + b"\r\n"
        async with await in_data(server) as good:
            await good.send_bytes(large + b".\r\n")
            assert (await good.read_reply()).code == 250
        await second.send_line("BDAT 0 LAST")
        assert str(await second.read_reply()).startswith("452 4.3.1")
        # The oldest never waits, and its mail is whole.
        await first.send_line("BDAT 0 LAST")
        assert (await first.read_reply()).code == 250
        assert server.mails.contents[-1] == b"h" * (LIMIT // 2 - 1000)
        assert (room.total, room._held, room._large, room._by_share) == (0, 0, {}, {})
        await first.close()
        await second.close()


async def test_a_chunk_that_is_given_up_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "IN_FLIGHT_PATIENCE", 60.0)
    async with door(max_bytes_in_flight=LIMIT, max_message_bytes=LIMIT // 2) as server:
        room = server.server._door.in_flight
        for leave in (lambda client: client.command("RSET", 250), RawSmtp.abort, RawSmtp.quit):
            client = await RawSmtp.connect(server.host, server.port)
            await client.command("EHLO client.test", 250)
            await client.command("MAIL FROM:<a@client.test>", 250)
            await client.command("RCPT TO:<support@example.com>", 250)
            await client.send_bytes(b"BDAT 300000\r\n" + b"h" * 300_000)
            await client.expect(250)
            assert (room.total, len(room._large)) == (300_000, 1)
            await leave(client)
            await until(lambda: (room.total, room._large) == (0, {}), "all is given back")
            await client.close()


async def test_a_trusted_address_may_have_all_of_the_room() -> None:
    async with door(
        max_bytes_in_flight=LIMIT, max_message_bytes=LIMIT // 2, trusted_networks=["127.0.0.0/8"]
    ) as server:
        room = server.server._door.in_flight
        clients = [await in_data(server) for _ in range(3)]
        for client in clients:
            await client.send_bytes(b"a" * (LIMIT // 5))
        await until(lambda: room.total == 3 * (LIMIT // 5), "all is read")
        assert room._held == 0
        for client in clients:
            await client.abort()


@dataclass(eq=False)
class Connection:
    """A holder that does as it is told."""

    share: str | None
    held: bool = False

    def hold(self) -> None:
        self.held = True

    def go_on(self) -> None:
        self.held = False


def test_an_ipv6_network_is_one_address_here_too() -> None:
    room = InFlight(1_000_000)
    share = address_key("2001:db8::1")
    assert share == address_key("2001:db8::2")
    one, two, other = Connection(share), Connection(share), Connection(address_key("2001:db8:0:1::1"))
    room.take(one, 300_000, 300_000)
    room.take(other, 300_000, 300_000)
    room.take(two, 250_000, 250_000)
    assert (one.held, two.held, other.held) == (False, True, False)
    room.leave(one)
    room.release(one, 300_000)
    assert not two.held


def test_large_mails_become_whole_one_after_another() -> None:
    """If all of them stopped, each with its part, none would ever end: the oldest goes on, past the room's end."""
    room = InFlight(1_000_000, largest=900_000)
    senders = [Connection(f"192.0.2.{n}") for n in range(4)]
    for sender in senders:
        room.take(sender, 300_000, 300_000)
    for done, sender in enumerate(senders):
        assert not sender.held, f"the oldest of those that are left waits: {done}"
        if done == 0:
            assert all(other.held for other in senders[1:])
            room.take(sender, 600_000, 900_000)
            assert not sender.held
        room.leave(sender)
        room.release(sender, 900_000 if done == 0 else 300_000)
    assert room.total == 0


def test_the_largest_mail_has_room_in_a_share() -> None:
    """Whatever the settings say: a mail that may be sent must never wait for itself."""
    for limit, largest in ((1_000, 100_000), (120_000, 100_000), (10**9, 100_000)):
        room, alone = InFlight(limit, largest), Connection("192.0.2.1")
        room.take(alone, largest - 1, largest - 1)
        assert not alone.held
        room.leave(alone)
        room.release(alone, largest - 1)
        assert room.total == 0


PIECES = st.sampled_from([InFlight.PIECE] * 4 + [InFlight.PIECE // 2, 70_000, 1_000, 1])
STEPS = st.lists(
    st.tuples(st.integers(0, 7), PIECES, st.sampled_from(["piece"] * 60 + ["end", "gone"])), min_size=80, max_size=160
)


@given(STEPS, st.integers(4_000_000, 8_000_000))
def test_the_room_is_the_bound_and_somebody_always_moves(steps: list[tuple[int, int, str]], limit: int) -> None:
    """Whoever sends what in which order, from one address or several; two of the eight are trusted.

    Each mail begins with small pieces here: what comes before it is large is never held, however full the room.
    """
    largest, small = 2_000_000, InFlight.SMALL
    room = InFlight(limit, largest)
    shares = (None, "a", "a", "a", "b", "b", "c", None)
    sending = [Connection(share) for share in shares]
    octets = [0] * len(sending)
    whole: list[tuple[Connection, int]] = []

    def anew(n: int) -> None:
        sending[n], octets[n] = Connection(shares[n]), 0

    for n, most, what in steps:
        connection = sending[n]
        size = min(most, largest - octets[n], small // 2 if octets[n] <= small else most)
        if what == "piece" and not connection.held and size:
            octets[n] += size
            room.take(connection, size, octets[n])
        elif what == "gone" or (what == "piece" and size == 0):
            room.leave(connection)
            room.release(connection, octets[n])
            anew(n)
        elif what == "end" and not connection.held:
            room.leave(connection)
            whole.append((connection, octets[n]))
            anew(n)
        if what == "end" and len(whole) > 2:
            room.release(*whole.pop(0))
        assert room.total <= limit + InFlight.PIECE + (small + small // 2) * len(sending)
        assert room._held == sum(connection.held for connection in sending)
        large = [connection for connection, held in zip(sending, octets, strict=True) if held > small]
        assert whole or not large or not all(connection.held for connection in large)
    for connection, size in whole:
        room.release(connection, size)
    while any(octets):
        n = next(n for n, connection in enumerate(sending) if octets[n] and not connection.held)
        room.leave(sending[n])
        room.release(sending[n], octets[n])
        anew(n)
    assert (room.total, room._held, room._large, room._by_share, room._ending) == (0, 0, {}, {}, set())


def test_what_is_thrown_away_is_paced_for_all_together() -> None:
    """One connection rests a moment after each piece, a hundred of them wait for each other."""
    room = InFlight(1_000_000)
    assert room.rest(1_000, 10.0) == InFlight.REST
    for _ in range(100):
        last = room.rest(InFlight.PIECE, 10.0)
    assert last == pytest.approx((100 * InFlight.PIECE + 1_000) / InFlight.THROWN_AWAY)
    assert room.rest(1_000, 11.0) == InFlight.REST, "a quiet time is no credit and no debt"
    for _ in range(2_000):
        last = room.rest(InFlight.PIECE, 11.0)
    assert last == InFlight.LONGEST_REST


async def test_who_waited_too_long_is_put_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "IN_FLIGHT_PATIENCE", 0.1)
    async with door(max_bytes_in_flight=LIMIT, max_message_bytes=LIMIT, data_timeout="400ms") as server:
        server.mails.gate = asyncio.Event()
        first = await in_data(server)
        await first.send_bytes(b"a" * (LIMIT - 2) + b"\r\n.\r\n")
        await server.mails.entered.wait()
        second = await in_data(server)
        await second.send_bytes(b"b" * (LIMIT - 2) + b"\r\n.\r\n")
        reply = await second.read_reply()
        assert (reply.code, reply.enhanced) == (452, "4.3.1")
        server.mails.gate.set()
        assert (await first.read_reply()).code == 250
        # and the session that was put off goes on
        await second.command("MAIL FROM:<a@client.test>", 250)
        await second.command("RCPT TO:<support@example.com>", 250)
        assert (await second.data(b"again\r\n")).code == 250
        await first.close()
        await second.close()


async def test_whoever_leaves_gives_back_what_was_held() -> None:
    async with door(max_bytes_in_flight=LIMIT, max_message_bytes=LIMIT) as server:
        held = server.server._door.in_flight
        for leave in (RawSmtp.abort, RawSmtp.close):
            client = await in_data(server)
            await client.send_bytes(b"a" * 300_000)
            await until(lambda: held.total > 0, "the octets are counted")
            await leave(client)
            await until(lambda: held.total == 0, "the octets are given back")
        client = await RawSmtp.connect(server.host, server.port)
        await client.command("EHLO client.test", 250)
        await client.command("MAIL FROM:<a@client.test>", 250)
        await client.command("RCPT TO:<support@example.com>", 250)
        await client.send_bytes(b"BDAT 1000\r\n" + b"x" * 1000)
        assert (await client.read_reply()).code == 250
        assert held.total == 1000
        await client.command("RSET", 250)
        assert held.total == 0
        await client.close()


async def test_a_mail_that_was_thrown_away_for_its_size_is_not_waited_for() -> None:
    """While a whole mail is on its way out the oldest large one may wait; this one's octets have left already."""
    async with door(max_message_bytes=100_000) as server:
        room = server.server._door.in_flight
        async with await in_data(server) as client:
            await client.send_bytes(b"a" * 90_000)
            await until(lambda: room.total == 90_000, "most of it is here")
            await client.send_bytes(b"a" * 20_000 + b"\r\n.\r\n")
            assert (await client.read_reply()).code == 552
            assert (room.total, room._large, room._ending) == (0, {}, set())


async def test_a_mail_that_is_thrown_away_gives_up_its_place() -> None:
    """At once, not at its end: no room is kept for what is not kept, and the next one is the oldest."""
    async with door(max_message_bytes=LIMIT // 2, max_bytes_in_flight=LIMIT) as server:
        room = server.server._door.in_flight
        async with await in_data(server) as client, await in_data(server) as second:
            await client.send_bytes(b"a" * 200_000)
            await until(lambda: room.total == 200_000, "it is the oldest")
            assert room.room == LIMIT - 200_000 - (LIMIT // 2 - 200_000)
            await second.send_bytes(b"a" * 300_000)
            await until(lambda: room.total == 500_000, "the second is there")
            await client.send_bytes(b"a" * (LIMIT // 2))
            await until(lambda: room.total == 300_000, "the first is thrown away")
            assert [mail.octets for mail in room._large.values()] == [300_000]
            await second.send_bytes(b"\r\n.\r\n")
            await second.expect(250)
            await client.send_bytes(b"\r\n.\r\n")
            await client.expect(552)


def test_the_oldest_of_an_address_goes_on_when_others_have_left() -> None:
    """Its address's part is used up by its own mails: the oldest of them is what will make room there."""
    room = InFlight(4_000_000, largest=1_500_000)
    slow, x1, x2 = Connection("slow"), Connection("x"), Connection("x")
    others = [Connection("y"), Connection("z")]
    room.take(slow, 70_000, 70_000)
    room.take(x1, 1_000_000, 1_000_000)
    room.take(x2, 1_000_000, 1_000_000)
    assert (x1.held, x2.held) == (False, True)
    room.take(others[0], 500_000, 500_000)
    assert x1.held, "all of the room is full"
    room.leave(others[0])
    room.release(others[0], 500_000)
    assert (x1.held, x2.held) == (False, True)


def test_the_largest_mail_fits_beside_a_slow_one() -> None:
    """Who trickles keeps no more room than the largest of the others leave."""
    for limit in (1_000_000, 1_200_000, 1_999_999, 2_000_000, 4_000_000):
        room = InFlight(limit, largest=1_000_000)
        slow, large = Connection("192.0.2.1"), Connection("192.0.2.2")
        room.take(slow, 70_000, 70_000)
        for octets in range(100_000, 930_000 if limit < 1_100_000 else 1_000_000, 100_000):
            room.take(large, 100_000, octets)
            assert not large.held, (limit, octets)


async def test_an_endless_mail_is_cut_off_at_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_DISCARD_LIMIT", 100_000)
    async with door(max_message_bytes=1000) as server:
        client = await in_data(server)
        sending = asyncio.ensure_future(client.send_bytes(b"a" * 10_000_000))
        assert str(await client.read_reply()).startswith("552 5.3.4")
        await asyncio.wait([sending])
        assert not sending.cancelled()
        sending.exception()
        await client.close()
        reply = await send_mail(server.host, server.port, "a@client.test", ["support@example.com"], b"x" * 1002)
        assert (reply.code, reply.enhanced) == (552, "5.3.4")


async def test_an_endless_command_line_is_cut_off_at_last() -> None:
    async with door() as server, await RawSmtp.connect(server.host, server.port) as client:
        sending = asyncio.ensure_future(client.send_bytes(b"A" * 3_000_000))
        assert str(await client.read_reply()).startswith("421 4.7.0")
        await asyncio.wait([sending])
        sending.exception()
