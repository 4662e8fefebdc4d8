"""Which certificates the HTTP client accepts."""

import ssl

import trustme

from router.outbound.client import OutboundClient, OutboundError
from tests.integration.outbound.calls import PAYLOAD, StaticResolver, failure_reason, post_json
from tests.support.slack import SlackStandIn


class TestTls:
    authority = trustme.CA()

    def _server_context(self, certificate: trustme.LeafCert) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        return context

    def _trusting_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context

    async def _post(self, certificate: trustme.LeafCert, trust: ssl.SSLContext | None) -> str:
        client = OutboundClient(
            allow_private=True, ssl_context=trust, resolver=StaticResolver({"hooks.test": ["127.0.0.1"]})
        )
        async with SlackStandIn(ssl_context=self._server_context(certificate)) as slack:
            try:
                answer = await post_json(client, slack.url(host="hooks.test"), PAYLOAD)
            except OutboundError as error:
                assert not slack.posts
                return error.reason
            finally:
                await client.close()
            return answer.excerpt

    async def test_valid_certificate(self) -> None:
        assert await self._post(self.authority.issue_cert("hooks.test"), self._trusting_context()) == "ok"

    async def test_certificate_of_another_host(self) -> None:
        reason = await self._post(self.authority.issue_cert("other.test"), self._trusting_context())
        assert reason == "the certificate is not valid for hooks.test"

    async def test_untrusted_issuer(self) -> None:
        reason = await self._post(self.authority.issue_cert("hooks.test"), None)
        assert reason == "certificate verification failed for hooks.test: its issuer is not trusted"

    async def test_server_without_tls(self, slack: SlackStandIn) -> None:
        client = OutboundClient(allow_private=True)
        url = slack.url().replace("http:", "https:")
        assert await failure_reason(client, url) == "TLS handshake with 127.0.0.1 failed"
        await client.close()
