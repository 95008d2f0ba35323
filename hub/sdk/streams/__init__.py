"""A source made of several streams: one cursor each, no holes whatever order a network lists in, a refused one stops no other.

    class BoardSource(StreamsSource[BoardOptions]):
        def streams(self, ctx: Context) -> Iterable[Stream]:
            for board in self.options.boards:
                yield Stream(f"board:{board}", partial(ask, ctx, board), ByTime(overlap=timedelta(minutes=5)))

`fetch(since, more)` asks for one page and gives a `StreamPage`; all else is done here. `since` is where reading begins (a
time, a number, a position; None: as far back as the network goes), `more` is None for the first page, then what the page
before named. A page's items stand as the stream's `newest_first` says.
"""

from hub.sdk.streams.orders import (
    ByNumber,
    ByPosition,
    ByTime,
    Fetch,
    Order,
    Stream,
    StreamItem,
    StreamPage,
)
from hub.sdk.streams.reading import Reading
from hub.sdk.streams.source import StreamHealth, StreamsSource, health

__all__ = [
    "ByNumber",
    "ByPosition",
    "ByTime",
    "Fetch",
    "Order",
    "Reading",
    "Stream",
    "StreamHealth",
    "StreamItem",
    "StreamPage",
    "StreamsSource",
    "health",
]
