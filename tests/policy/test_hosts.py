"""Hosts and rules have one spelling each: random texts, and the rules that are accepted, rewritten and refused."""

from __future__ import annotations

import ipaddress
import re
import socket

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stdioguard.policy import addresses, hosts
from stdioguard.policy.check import compile_profile
from stdioguard.policy.errors import ProfileError

HEAD = 'schema = 1\nname = "x"\ndescription = "d"\n[sandbox]\n'

ACCEPTED = [
    ("api.github.com:443", "api.github.com:443"),
    ("API.GitHub.com.:443", "api.github.com:443"),
    ("*.GitHubUserContent.com:443", "*.githubusercontent.com:443"),
    ("*:443", "*:443"),
    ("intranet:8080", "intranet:8080"),
    ("a_b.example:1", "a_b.example:1"),
    ("xn--bcher-kva.example:65535", "xn--bcher-kva.example:65535"),
    ("127.0.0.1:8080", "127.0.0.1:8080"),
    ("[::1]:443", "[::1]:443"),
    ("[0:0::1]:443", "[::1]:443"),
    ("[FD00::1]:443", "[fd00::1]:443"),
    ("10.0.0.0/8:443", "10.0.0.0/8:443"),
    ("192.168.7.0/24:80", "192.168.7.0/24:80"),
    ("8.8.8.0/24:53", "8.8.8.0/24:53"),
    ("[fd00::/8]:443", "[fd00::/8]:443"),
    ("[2606:4700::/32]:443", "[2606:4700::/32]:443"),
]

REFUSED = [
    ("*", "expected host and port"),
    ("example.com", "expected host and port"),
    ("https://example.com:443", "expected host and port"),
    ("example.com:443/path", "expected host and port"),
    ("user@example.com:443", "expected host and port"),
    ("exa mple.com:443", "expected host and port"),
    ("b\u00fccher.example:443", "expected host and port"),
    ("*example.com:443", "expected host and port"),
    ("api.*.com:443", "expected host and port"),
    ("**.example.com:443", "expected host and port"),
    ("::1:443", "expected host and port"),
    ("[fe80::1%eth0]:443", "expected host and port"),
    ("example.com:*", "expected host and port"),
    ("example.com:0", "a port is 1 to 65535"),
    ("example.com:080", "a port is 1 to 65535"),
    ("example.com:65536", "a port is 1 to 65535"),
    ("a..example.com:443", "neither a host's name nor an address"),
    ("api-.example.com:443", "neither a host's name nor an address"),
    ("*.10.0.0.1:443", "there is nothing below an address"),
    ("127.1:443", "an odd spelling of an address"),
    ("0x7f000001:443", "an odd spelling of an address"),
    ("2130706433:443", "an odd spelling of an address"),
    ("127.0.0.01:443", "an odd spelling of an address"),
    ("[::ffff:10.0.0.1]:443", "in disguise"),
    ("[2002:a00:1::]:443", "in disguise"),
    ("[::1/64]:443", "a range begins with its first address"),
    ("10.0.0.1/8:443", "a range begins with its first address"),
    ("10.0.0.0/33:443", "a range begins with its first address"),
    ("10.0.0.0/08:443", "a range is written"),
    ("0.0.0.0/0:443", "beside other addresses"),
    ("[::/0]:443", "beside other addresses"),
    ("[2000::/3]:443", "beside other addresses"),
    ("169.0.0.0/8:80", "beside other addresses"),
    ("0.0.0.0:80", "never reached"),
    ("[::]:80", "never reached"),
    ("224.0.0.1:80", "never reached"),
    ("localhost:8080", "127.0.0.1:8080"),
    ("*.localhost:8080", "127.0.0.1:8080"),
]


@pytest.mark.parametrize(("written", "canonical"), ACCEPTED)
def test_a_profile_keeps_a_rule_in_its_one_spelling(written: str, canonical: str) -> None:
    compiled = compile_profile(HEAD + f'network = ["{written}"]\n', "p.toml")
    assert compiled["sandbox"]["network"] == [canonical]
    assert hosts.rule(canonical).text == canonical


@pytest.mark.parametrize(("written", "expected"), REFUSED)
def test_a_rule_that_could_mean_something_else_is_refused(written: str, expected: str) -> None:
    with pytest.raises(ProfileError) as caught:
        compile_profile(HEAD + f'network = ["{written}"]\n', "p.toml")
    assert str(caught.value).startswith("p.toml:5: sandbox.network")
    assert expected in str(caught.value)
    with pytest.raises(hosts.HostError):
        hosts.rule(written)


def test_a_rule_with_a_line_break_is_one_line_of_refusal() -> None:
    with pytest.raises(ProfileError) as caught:
        compile_profile(HEAD + 'network = ["example.com:443\\n"]\n', "p.toml")
    assert "\n" not in str(caught.value)


TEXTS = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="0123456789abcdefx.:[]-_*%@/\\\0\r\n Aé", max_size=40),
    st.lists(
        st.sampled_from(["0x7f", "127", "0", "1", "0177", "com", "example", "EVIL", "", "xn--a", "-a", "a_b"]), max_size=6
    ).map(".".join),
    st.ip_addresses().map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address.exploded}]"),
)


@given(TEXTS)
@example("127.0.0.1\n")
@example("example.com.")
@example("\u2488.0.0.1")
def test_what_is_accepted_is_canonical_and_read_alike_by_everybody(text: str) -> None:
    try:
        found = hosts.host(text)
    except hosts.HostError:
        return
    shown = f"[{found}]" if isinstance(found, ipaddress.IPv6Address) else str(found)
    assert hosts.host(shown) == found
    assert hosts.host(shown.upper()) == found
    if isinstance(found, str):
        assert re.fullmatch(r"[a-z0-9_.\-]+", found)
        assert found == text.lower().removesuffix(".")
        with pytest.raises(OSError, match="."):
            socket.inet_aton(found)  # what a resolver would take for an address is none of our names
        with pytest.raises(OSError, match="."):
            socket.inet_pton(socket.AF_INET6, found)
        with pytest.raises(socket.gaierror):
            socket.getaddrinfo(found.encode(), None, flags=socket.AI_NUMERICHOST)


@given(st.ip_addresses())
def test_an_address_has_one_reading(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert hosts.host(str(address), bare=True) == address
    port = 443
    assert hosts.authority(hosts.written(address, port)) == (address, port)


@given(st.ip_addresses())
@example(ipaddress.ip_address("192.0.0.1"))
@example(ipaddress.ip_address("64:ff9b:1::1"))
def test_what_python_calls_private_is_not_public_here(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if not address.is_global or address.is_multicast or address.is_link_local or address.is_loopback or address.is_unspecified:
        exceptions = ("192.0.0.9/32", "192.0.0.10/32")  # anycast of protocols: refused here as well
        assert addresses.special(address) is not None or any(address in ipaddress.ip_network(one) for one in exceptions)


@given(st.ip_addresses(), st.integers(0, 128))
def test_a_range_that_can_be_granted_is_public_throughout_or_not_at_all(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, length: int
) -> None:
    network = ipaddress.ip_network((address, min(length, address.max_prefixlen)), strict=False)
    if addresses.problem(network) is None:
        ends = {addresses.special(end) is None for end in (network[0], network[-1]) if end not in addresses.METADATA}
        assert len(ends) <= 1
        for special_range, _, _ in addresses.RANGES:
            if special_range.version == network.version and special_range.overlaps(network):
                assert network.prefixlen >= special_range.prefixlen
