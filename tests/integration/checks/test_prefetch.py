"""The questions about a sender are asked at RCPT, by the SMTP server, and once for a busy sender."""

from router.ports import NullPrefetch
from tests.support.dns import DnsStandIn
from tests.support.installation import Installation
from tests.support.smtp import SmtpConversation
from tests.support.stores import Store
