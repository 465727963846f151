"""Which addresses are not the public internet, and what they are instead.

The ranges are those of IANA's special-purpose registries (RFC 6890 and its updates) and of the clouds' documentation, kept here because
`ipaddress.is_global` was corrected as late as in patch releases of Python 3.12 (CVE-2024-4032). Of IPv6 only global unicast, `2000::/3`,
is public at all, so that a form that is not listed, or not known yet, is refused too.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

NEVER = "never"
"""The mark of a range that nothing can grant: nobody is there, or it is another spelling of an address that is elsewhere."""

_RANGES = (
    ("0.0.0.0/8", "this machine under another name", NEVER),  # Linux connects 0.0.0.0 to itself
    ("10.0.0.0/8", "private", ""),
    ("100.64.0.0/10", "shared between customers of a carrier (RFC 6598)", ""),
    ("127.0.0.0/8", "loopback", ""),
    ("169.254.0.0/16", "link-local", ""),
    ("172.16.0.0/12", "private", ""),
    ("192.0.0.0/24", "reserved for protocols", ""),
    ("192.0.2.0/24", "for documentation", ""),
    ("192.88.99.0/24", "a relay of 6to4", ""),
    ("192.168.0.0/16", "private", ""),
    ("198.18.0.0/15", "for benchmarks", ""),
    ("198.51.100.0/24", "for documentation", ""),
    ("203.0.113.0/24", "for documentation", ""),
    ("224.0.0.0/4", "multicast", NEVER),
    ("240.0.0.0/4", "reserved", ""),
    ("::/128", "this machine under another name", NEVER),
    ("::1/128", "loopback", ""),
    ("::ffff:0:0/96", "IPv4 in disguise (IPv4-mapped)", NEVER),
    ("::ffff:0:0:0/96", "IPv4 in disguise (IPv4-translated)", NEVER),
    ("::/96", "IPv4 in disguise (IPv4-compatible)", NEVER),
    ("64:ff9b::/96", "IPv4 behind a translator (NAT64)", ""),
    ("64:ff9b:1::/48", "IPv4 behind a translator (NAT64)", ""),
    ("2001::/32", "IPv4 in disguise (Teredo)", NEVER),
    ("2001::/23", "reserved for protocols", ""),
    ("2001:db8::/32", "for documentation", ""),
    ("2002::/16", "IPv4 in disguise (6to4)", NEVER),
    ("3fff::/20", "for documentation", ""),
    ("fc00::/7", "private", ""),
    ("fe80::/10", "link-local", ""),
    ("fec0::/10", "private (site-local)", ""),
    ("ff00::/8", "multicast", NEVER),
)
"""Range, what it is, and whether it can be granted. Of nested ranges the narrower comes first."""

RANGES: tuple[tuple[Network, str, bool], ...] = tuple((ip_network(text), what, mark != NEVER) for text, what, mark in _RANGES)

METADATA = frozenset(
    map(
        ip_address,
        (
            "100.100.100.200",  # Alibaba
            "168.63.129.16",  # Azure's wire server, among public addresses
            "169.254.169.253",  # AWS: the resolver
            "169.254.169.254",  # AWS, Azure, Google, Oracle, DigitalOcean, OpenStack
            "169.254.170.2",  # AWS: credentials of ECS tasks
            "169.254.170.23",  # AWS: credentials of EKS pods
            "169.254.42.42",  # Scaleway
            "192.0.0.192",  # Oracle
            "fd00:ec2::23",  # AWS: credentials of EKS pods
            "fd00:ec2::253",  # AWS: the resolver
            "fd00:ec2::254",  # AWS
            "fd20:ce::254",  # Google
            "fd00:42::42",  # Scaleway
        ),
    )
)
"""Where clouds hand the machine's own credentials to whoever asks. Granted singly or not at all."""

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")


def special(address: Address) -> tuple[str, bool] | None:
    """Return what a non-public address is, in words, and whether it can be granted; None for a public one."""
    if address in METADATA:
        return "a cloud's metadata service", True
    for network, what, grantable in RANGES:
        if address in network:
            return what, grantable
    if address.version == 6 and address not in _GLOBAL_UNICAST:
        return "not assigned to anybody", True
    return None


def embedded(address: Address) -> IPv4Address | None:
    """Return the IPv4 address that a translator would make of a NAT64 address (RFC 6052), None for every other."""
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None


def problem(network: Network) -> str | None:
    """Tell why a network cannot be granted: it is one that never is, or it holds public addresses and others."""
    for special_range, what, grantable in RANGES:
        if network.version != special_range.version or not network.overlaps(special_range):
            continue
        if network.prefixlen >= special_range.prefixlen:
            return None if grantable else f"is {what}, which is never reached; name the address that is meant"
        return f'holds {special_range}, which is {what}, beside other addresses; name the ranges apart, or "*" for all that is public'
    if isinstance(network, IPv6Network) and network.overlaps(_GLOBAL_UNICAST) and not network.subnet_of(_GLOBAL_UNICAST):
        return 'holds public addresses beside others; name the ranges apart, or "*" for all that is public'
    return None
