"""What a list of rules lets through: one table, in which each trick stands beside the honest request that it imitates."""

from __future__ import annotations

import pytest

from stdioguard.policy import hosts
from stdioguard.sandbox.network import dial
from stdioguard.sandbox.network.dial import Unreachable
from stdioguard.sandbox.network.rules import Refused, Rules

NAMES = {
    "example.com": ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"],
    "api.example.com": ["93.184.215.15"],
    "a.b.example.com": ["93.184.215.16"],
    "xn--bcher-kva.example": ["93.184.215.17"],
    "under_score.example.com": ["93.184.215.18"],
    "notexample.com": ["93.184.216.1"],
    "example.com.evil.test": ["93.184.216.2"],
    "example.comevil.test": ["93.184.216.3"],
    "evil.test": ["93.184.216.4"],
    "inside.example.com": ["10.1.2.3"],
    "rebound.example.com": ["127.0.0.1"],
    "cloud.example.com": ["169.254.169.254"],
    "zone.example.com": ["fe80::1%eth0"],
    "mapped.example.com": ["::ffff:127.0.0.1"],
    "nat64.example.com": ["64:ff9b::7f00:1"],
    "mixed.example.com": ["127.0.0.1", "93.184.215.19"],
    "intranet": ["10.1.2.4"],
    "0x7g.example.com": ["93.184.215.20"],
    "123.example.com": ["93.184.215.21"],
}
"""What the resolver of this table answers; it is asked for nothing else, and not for names that no rule grants."""

EXAMPLE = ["example.com:443"]
BELOW = ["*.example.com:443"]
PUBLIC = ["*:443"]
LOOPBACK = ["127.0.0.1:443", "[::1]:443"]
TEN = ["10.0.0.0/8:443", "[fd00::/8]:443"]

ALLOWED = [
    # the granted name, and its other spellings
    (EXAMPLE, "example.com:443"),
    (EXAMPLE, "EXAMPLE.com:443"),
    (EXAMPLE, "example.com.:443"),
    (["Example.COM.:443"], "example.com:443"),
    (["xn--bcher-kva.example:443"], "xn--bcher-kva.example:443"),
    (["XN--BCHER-KVA.example:443"], "xn--bcher-kva.EXAMPLE:443"),
    (["under_score.example.com:443"], "under_score.example.com:443"),
    (["evil.test:443", "example.com:443"], "example.com:443"),
    # below a name
    (BELOW, "api.example.com:443"),
    (BELOW, "a.b.example.com:443"),
    (BELOW, "0x7g.example.com:443"),
    (BELOW, "123.example.com:443"),
    # everything public
    (PUBLIC, "example.com:443"),
    (PUBLIC, "evil.test:443"),
    (PUBLIC, "93.184.215.14:443"),
    (PUBLIC, "[2606:2800:21f:cb07:6820:80da:af6b:8b2c]:443"),
    (PUBLIC, "mixed.example.com:443"),
    (PUBLIC, "1.1.1.1:443"),
    (PUBLIC, "100.63.255.255:443"),
    (PUBLIC, "100.128.0.0:443"),
    (PUBLIC, "172.15.255.255:443"),
    (PUBLIC, "172.32.0.0:443"),
    (PUBLIC, "[2001:200::1]:443"),
    # addresses, one by one and by range
    (["93.184.215.14:443"], "93.184.215.14:443"),
    (LOOPBACK, "127.0.0.1:443"),
    (LOOPBACK, "[::1]:443"),
    (LOOPBACK, "[0:0:0:0:0:0:0:1]:443"),
    (LOOPBACK, "localhost:443"),
    (LOOPBACK, "api.localhost:443"),
    (["[::1]:443"], "localhost:443"),
    (["127.0.0.0/8:443"], "127.9.9.9:443"),
    (TEN, "10.0.0.0:443"),
    (TEN, "10.255.255.255:443"),
    (TEN, "[fd12:3456::1]:443"),
    (["169.254.0.0/16:443"], "169.254.1.1:443"),
    (["169.254.169.254:443"], "169.254.169.254:443"),
    (["168.63.129.16:443"], "168.63.129.16:443"),
    (["100.64.0.0/10:443"], "100.64.0.1:443"),
    (["[64:ff9b::/96]:443"], "[64:ff9b::808:808]:443"),
    # a name inside needs both: the name and the address
    (["inside.example.com:443", "10.1.2.3:443"], "inside.example.com:443"),
    ([*BELOW, *TEN], "inside.example.com:443"),
    (["intranet:443", *TEN], "intranet:443"),
    ([*PUBLIC, *TEN], "intranet:443"),
    (["rebound.example.com:443", "127.0.0.1:443"], "rebound.example.com:443"),
]

REFUSED = [
    # nothing granted
    ([], "example.com:443"),
    ([], "93.184.215.14:443"),
    ([], "127.0.0.1:443"),
    ([], "localhost:443"),
    # another port
    (EXAMPLE, "example.com:80"),
    (EXAMPLE, "example.com:4430"),
    (PUBLIC, "example.com:80"),
    (LOOPBACK, "127.0.0.1:80"),
    (BELOW, "api.example.com:8443"),
    # names that look like it
    (EXAMPLE, "notexample.com:443"),
    (EXAMPLE, "api.example.com:443"),
    (EXAMPLE, "example.com.evil.test:443"),
    (EXAMPLE, "example.comevil.test:443"),
    (EXAMPLE, "evil.test:443"),
    (EXAMPLE, "xn--example-.com:443"),
    (BELOW, "example.com:443"),
    (BELOW, "notexample.com:443"),
    (BELOW, "example.com.evil.test:443"),
    (BELOW, ".example.com:443"),
    # text that two readers read differently
    (BELOW, "evil.test\0.example.com:443"),
    (BELOW, "evil.test\r\n.example.com:443"),
    (BELOW, "evil.test\n.example.com:443"),
    (BELOW, "evil.test%00.example.com:443"),
    (BELOW, "evil.test%2eexample.com:443"),
    (BELOW, "evil.test#.example.com:443"),
    (BELOW, "evil.test?.example.com:443"),
    (BELOW, "evil.test/.example.com:443"),
    (BELOW, "evil.test\\.example.com:443"),
    (BELOW, "evil.test@api.example.com:443"),
    (BELOW, "api.example.com@evil.test:443"),
    (BELOW, "evil.test .example.com:443"),
    (BELOW, "evil.test\t.example.com:443"),
    (BELOW, "evil.test:443.example.com:443"),
    (BELOW, "*.example.com:443"),
    (BELOW, "api.example.com..:443"),
    (BELOW, "api..example.com:443"),
    (BELOW, "api.ex\u0430mple.com:443"),
    (BELOW, "api.example\u3002com:443"),
    (BELOW, "\u212a.example.com:443"),  # the Kelvin sign, whose lower case is a plain k
    (BELOW, "api\u200b.example.com:443"),
    (EXAMPLE, "e\uff58ample.com:443"),
    (EXAMPLE, "[example.com]:443"),
    (EXAMPLE, "example.com:443:443"),
    (EXAMPLE, "example.com:"),
    (EXAMPLE, "example.com"),
    (EXAMPLE, "example.com:0443"),
    (EXAMPLE, "example.com:+443"),
    (EXAMPLE, "example.com:4_43"),
    (EXAMPLE, "example.com:\u0664\u0664\u0663"),
    (EXAMPLE, "example.com:65979"),
    (EXAMPLE, "example.com: 443"),
    (EXAMPLE, " example.com:443"),
    (EXAMPLE, ":443"),
    (EXAMPLE, "..:443"),
    (EXAMPLE, ""),
    (PUBLIC, f"{'a' * 64}.example.com:443"),
    (PUBLIC, f"{'a.' * 127}com:443"),
    (PUBLIC, "-api.example.com:443"),
    (PUBLIC, "api-.example.com:443"),
    # odd spellings of addresses, which a resolver takes for addresses and a comparison for names
    *[
        (rules, f"{spelling}:443")
        for rules in (PUBLIC, [*LOOPBACK, *PUBLIC])
        for spelling in (
            "2130706433", "0x7f000001", "0x7f.1", "0x7f.0.0.1", "0x7F.0x0.0x0.0x1", "017700000001", "0177.0.0.1", "127.1", "127.0.1",
            "127.0.0.01", "127.0.0.1.1", "0", "0x", "1.0x", "127.0.0.0x1", "127.0.0.256", "00000127.0.0.1", "evil.test.0x7f", "1.2.3.4.5",
            "[127.0.0.1]", "[::1", "::1", "[::1%lo]", "[::1%25lo]", "[fe80::1%eth0]", "[:::1]", "[1::2::3]", "[::1]]", "[]",
            "127。0。0。1", "①②⑦.0.0.1", "127.0.0.1\0", "127.0.0.1 ",
        )
    ],  # fmt: skip
    # addresses that are not the public internet
    *[
        (PUBLIC, f"{address}:443")
        for address in (
            "127.0.0.1", "127.255.255.254", "localhost", "LOCALHOST", "localhost.", "x.localhost", "0.0.0.0", "0.1.2.3", "10.0.0.1",
            "100.64.0.1", "100.127.255.255", "100.100.100.200", "169.254.1.1", "169.254.169.254", "169.254.170.2", "168.63.129.16",
            "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1",
            "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
            "[::]", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:93.184.215.14]", "[::ffff:0:127.0.0.1]", "[::127.0.0.1]",
            "[64:ff9b::7f00:1]", "[64:ff9b::808:808]", "[64:ff9b:1::7f00:1]", "[100::1]", "[2001::1]", "[2001:2::1]", "[2001:20::1]",
            "[2001:db8::1]", "[2002:7f00:1::]", "[2002:5db8:d70e::1]", "[3fff::1]", "[5f00::1]", "[4000::1]", "[fc00::1]", "[fd00:ec2::254]",
            "[fd20:ce::254]", "[fe80::1]", "[febf::1]", "[fec0::1]", "[ff02::1]", "[ff0e::1]",
        )
    ],  # fmt: skip
    # names that lead there
    (BELOW, "inside.example.com:443"),
    (PUBLIC, "inside.example.com:443"),
    (BELOW, "rebound.example.com:443"),
    (BELOW, "cloud.example.com:443"),
    (BELOW, "zone.example.com:443"),
    (BELOW, "mapped.example.com:443"),
    (BELOW, "nat64.example.com:443"),
    (PUBLIC, "intranet:443"),
    (["inside.example.com:443", "10.1.2.4:443"], "inside.example.com:443"),
    (["inside.example.com:443", "10.1.2.3:80"], "inside.example.com:443"),
    # a granted address grants no name, and a granted range neither its neighbours nor a metadata service
    (TEN, "inside.example.com:443"),
    (["127.0.0.1:443"], "rebound.example.com:443"),
    (TEN, "11.0.0.0:443"),
    (TEN, "[fc00::1]:443"),
    (TEN, "[fd00:ec2::254]:443"),
    (["169.254.0.0/16:443"], "169.254.169.254:443"),
    (["100.64.0.0/10:443"], "100.100.100.200:443"),
    (["[64:ff9b::/96]:443"], "[64:ff9b::a9fe:a9fe]:443"),
    (["[64:ff9b::/96]:443"], "[64:ff9b::7f00:1]:443"),
    (["127.0.0.1:443"], "127.0.0.2:443"),
    (["[::1]:443"], "127.0.0.1:443"),
    (["127.0.0.1:443"], "[::ffff:127.0.0.1]:443"),
]  # fmt: skip


def resolver(name: str) -> list[str]:
    return NAMES[name]


def decide(rules: list[str], authority: str) -> list[str]:
    """What the proxy does with a request, up to the addresses that it would dial."""
    host, port = hosts.authority(authority)
    addresses, rule = dial.judge(host, port, Rules(rules), resolver)
    assert rule in [hosts.rule(entry).text for entry in rules]
    return [str(address) for address in addresses]


@pytest.mark.parametrize(("rules", "authority"), ALLOWED)
def test_what_is_granted_is_reached(rules: list[str], authority: str) -> None:
    assert decide(rules, authority)


@pytest.mark.parametrize(("rules", "authority"), REFUSED)
def test_what_is_not_granted_is_refused(rules: list[str], authority: str) -> None:
    with pytest.raises((Refused, hosts.HostError)):
        decide(rules, authority)


def test_the_rule_that_a_refusal_names_is_the_one_that_was_missing() -> None:
    suggested = 0
    for rules, authority in REFUSED:
        try:
            decide(rules, authority)
        except hosts.HostError:
            continue
        except Refused as refusal:
            if not refusal.rule:
                continue
            suggested += 1
            try:
                decide([*rules, refusal.rule], authority)
            except Refused as second:
                # A name inside takes two: its own rule first, then the one of its address.
                decide([*rules, refusal.rule, second.rule], authority)
            except (Unreachable, KeyError):
                pass  # granted now, and nobody of that name is in the table
    assert suggested > 50


def test_of_a_name_with_several_addresses_only_those_that_are_granted_are_dialled() -> None:
    assert decide(PUBLIC, "mixed.example.com:443") == ["93.184.215.19"]
    assert decide(["mixed.example.com:443", "127.0.0.1:443"], "mixed.example.com:443") == ["127.0.0.1", "93.184.215.19"]


def test_a_name_that_no_rule_grants_is_not_looked_up() -> None:
    asked = []

    def resolver(name: str) -> list[str]:
        asked.append(name)
        return ["93.184.215.14"]

    with pytest.raises(Refused):
        dial.judge("c2VjcmV0.evil.test", 443, Rules(EXAMPLE), resolver)
    assert asked == []
    dial.judge("example.com", 443, Rules(EXAMPLE), resolver)
    assert asked == ["example.com"]


def test_the_name_of_this_machine_is_not_looked_up() -> None:
    def resolver(name: str) -> list[str]:
        raise AssertionError(name)

    addresses, _ = dial.judge("localhost", 443, Rules(LOOPBACK), resolver)
    assert [str(address) for address in addresses] == ["127.0.0.1", "::1"]


def test_an_address_of_this_machine_is_refused_though_its_number_is_public(monkeypatch: pytest.MonkeyPatch) -> None:
    assert decide(PUBLIC, "93.184.215.14:443")
    monkeypatch.setattr(dial, "is_own", lambda address: str(address) == "93.184.215.14")
    with pytest.raises(Refused, match="this machine's own"):
        decide(PUBLIC, "93.184.215.14:443")
    assert decide(["93.184.215.14:443"], "93.184.215.14:443")


def test_the_kernel_tells_which_addresses_are_this_machines() -> None:
    assert dial.is_own(hosts.host("127.0.0.1"))  # type: ignore[arg-type]
    assert not dial.is_own(hosts.host("93.184.215.14"))  # type: ignore[arg-type]


@pytest.mark.parametrize("entries", [["example.com"], ["example.com:443", "*"], [""], ["127.1:80"]])
def test_a_list_that_cannot_be_read_grants_nothing(entries: list[str]) -> None:
    with pytest.raises(hosts.HostError):
        Rules(entries)
