"""Peers that need no library; each is named after what it does. The fields are those of the real list."""
import typing


class PeerInfo(typing.NamedTuple):
    name: str
    library: str
    wheels: tuple
    dense: bool
    precision: str
    products_only: bool
    reset: tuple
    what: str


def _info(name, dense=True, products_only=False, wheels=(), reset=("before",), precision="f32"):
    return PeerInfo(name, wheels[0] if wheels else "", wheels, dense, precision, products_only, reset, "a fake")


PEERS = {info.name: info for info in (
    _info("steady", reset=("before", "after")), _info("jumpy"), _info("wrong"), _info("absent"), _info("crash"), _info("slip"),
    _info("no-wheel", wheels=("unobtainable",)), _info("csr", dense=False, products_only=True), _info("fast-bf16", precision="bf16"))}
