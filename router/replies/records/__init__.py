"""The DNS records that authenticate the mail of a domain: DKIM, SPF and DMARC."""
