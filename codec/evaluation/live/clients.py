"""The clients of the server: each open page is one, with a picture and its last comparisons, all within bounds."""

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from lpcodec.codec.evaluation.live.compare import Comparison, Version

MOST_CLIENTS = 32
MOST_RATES = 6
"""Comparisons that are kept per client: those of the last rates."""


@dataclass
class Client:
    """An open page. `job` is its present comparison; beginning another cancels it."""

    name: str = ""
    comparison: Comparison | None = None
    original: bytes = b""
    rates: OrderedDict[str, dict[str, Version]] = field(default_factory=OrderedDict)
    job: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> threading.Event:
        """Begin a comparison in place of the present one: the event is set when nobody waits for it any more."""
        self.job.set()
        self.job = threading.Event()
        return self.job

    def take(self, name: str, comparison: Comparison, original: bytes) -> None:
        """Give the client another picture; what it had is forgotten."""
        self.begin()
        self.name, self.comparison, self.original = name, comparison, original
        self.rates.clear()

    def keep(self, rate: str, version: Version) -> None:
        """Keep a version for the pages that ask for its picture."""
        self.rates.setdefault(rate, {})[version.codec] = version
        self.rates.move_to_end(rate)
        while len(self.rates) > MOST_RATES:
            self.rates.popitem(last=False)


class Clients:
    """All clients by their key, which can't be guessed. A new one beyond the limit replaces the one away longest."""

    def __init__(self) -> None:
        self._clients: OrderedDict[str, Client] = OrderedDict()

    def add(self) -> str:
        """A new client's key."""
        key = secrets.token_urlsafe(16)
        self._clients[key] = Client()
        while len(self._clients) > MOST_CLIENTS:
            _, gone = self._clients.popitem(last=False)
            gone.job.set()
        return key

    def find(self, key: str) -> Client | None:
        """The client of a key, if it is still known."""
        client = self._clients.get(key)
        if client is not None:
            self._clients.move_to_end(key)
        return client
