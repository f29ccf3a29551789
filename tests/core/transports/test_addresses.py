"""How many connections one address may hold and how fast it may open them."""

import pytest

from kefu_core.limits import Limits
from kefu_core.transports.addresses import AddressLimiter, network_of

HERE, THERE = "203.0.113.1", "203.0.113.2"
FEW = Limits(
    address_connections_max=2,
    address_connections_per_s=100.0,
    address_connections_burst=100,
)
SLOW = Limits(
    address_connections_max=100,
    address_connections_per_s=1.0,
    address_connections_burst=3,
)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.1", "203.0.113.1"),
        ("::ffff:203.0.113.1", "203.0.113.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:DB8:1:2::9", "2001:db8:1:2::"),
        ("2001:db8:1:3::9", "2001:db8:1:3::"),
        ("", ""),
        ("unix:/run/kefu.sock", "unix:/run/kefu.sock"),
    ],
)
def test_an_address_counts_as_its_network(address: str, network: str) -> None:
    assert network_of(address) == network


def test_one_address_holds_so_many_connections_and_others_are_not_harmed() -> None:
    limiter = AddressLimiter(FEW)
    assert [limiter.enter(HERE, 0.0) for _ in range(3)] == [True, True, False]
    assert limiter.enter(THERE, 0.0)


def test_one_network_of_ipv6_counts_as_one_address() -> None:
    limiter = AddressLimiter(FEW)
    hosts = [f"2001:db8::{host}" for host in range(1, 4)]
    assert [limiter.enter(host, 0.0) for host in hosts] == [True, True, False]


def test_who_leaves_makes_room() -> None:
    limiter = AddressLimiter(FEW)
    assert limiter.enter(HERE, 0.0)
    assert limiter.enter(HERE, 0.0)
    limiter.leave(HERE)
    assert limiter.enter(HERE, 0.0)
    assert not limiter.enter(HERE, 0.0)


def test_who_was_refused_was_not_counted_in() -> None:
    limiter = AddressLimiter(FEW)
    for _ in range(10):
        limiter.enter(HERE, 0.0)
    limiter.leave(HERE)
    limiter.leave(HERE)
    assert [limiter.enter(HERE, 0.0) for _ in range(3)] == [True, True, False]


def test_a_leave_too_many_gives_no_extra_room() -> None:
    limiter = AddressLimiter(FEW)
    limiter.leave(HERE)
    assert [limiter.enter(HERE, 0.0) for _ in range(3)] == [True, True, False]


def test_new_connections_have_a_pace_even_when_the_old_ones_left() -> None:
    limiter = AddressLimiter(SLOW)
    for _ in range(3):
        assert limiter.enter(HERE, 0.0)
        limiter.leave(HERE)
    assert not limiter.enter(HERE, 0.0)
    assert not limiter.enter(HERE, 0.9)
    assert limiter.enter(HERE, 1.1)
    assert not limiter.enter(HERE, 1.1)


def test_many_addresses_are_not_remembered_for_ever() -> None:
    limiter = AddressLimiter(SLOW)
    for number in range(5_000):
        address = f"10.0.{number // 256}.{number % 256}"
        assert limiter.enter(address, number / 10)
        limiter.leave(address)
    assert len(limiter._paces) <= 11
    assert limiter._open == {}


def test_forgetting_addresses_gives_none_of_them_a_fresh_start() -> None:
    limiter = AddressLimiter(SLOW)
    for number in range(5_000):
        limiter.enter(f"10.0.{number // 256}.{number % 256}", 0.0)
    for _ in range(3):
        limiter.enter(HERE, 100.0)
    limiter.enter(THERE, 100.0)
    assert not limiter.enter(HERE, 100.0)
