"""A page on which one picture is compared at any rate: what `lpcodec serve` shows.

```
compare.py   a picture and a rate -> our file, and those of other codecs at the same bytes, decoded and measured
clients.py   who has which picture, within bounds; one comparison per client at a time
server.py    the web application: pictures in, comparisons out as they are made
page.*       the page itself
```
"""
