"""TLS of the guarded client: whose certificates it accepts."""

import ssl

import trustme

from router.outbound.client import OutboundClient, OutboundError
from tests.integration.outbound.calls import PAYLOAD, Names, fault
from tests.support.slack import SlackStandIn


class TestTls:
    """Certificates of an authority of the test's own."""

    authority = trustme.CA()

    def _server(self, certificate: trustme.LeafCert) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        return context

    def _trusting(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context

    async def _try(self, certificate: trustme.LeafCert, trust: ssl.SSLContext | None) -> str:
        client = OutboundClient(allow_private=True, ssl_context=trust, resolver=Names({"hooks.test": ["127.0.0.1"]}))
        async with SlackStandIn(ssl_context=self._server(certificate)) as slack:
            try:
                answer = await client.post_json(slack.url(host="hooks.test"), PAYLOAD)
            except OutboundError as error:
                assert not slack.posts
                return error.reason
            finally:
                await client.close()
            return answer.excerpt

    async def test_good(self) -> None:
        assert await self._try(self.authority.issue_cert("hooks.test"), self._trusting()) == "ok"

    async def test_another_host(self) -> None:
        reason = await self._try(self.authority.issue_cert("other.test"), self._trusting())
        assert reason == "the certificate is not valid for hooks.test"

    async def test_nobody_we_trust(self) -> None:
        reason = await self._try(self.authority.issue_cert("hooks.test"), None)
        assert reason == "certificate verification failed for hooks.test: its issuer is not trusted"

    async def test_no_tls_at_all(self, slack: SlackStandIn) -> None:
        client = OutboundClient(allow_private=True)
        url = slack.url().replace("http:", "https:")
        assert await fault(client, url) == "TLS handshake with 127.0.0.1 failed"
        await client.close()
