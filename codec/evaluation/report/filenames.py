"""Names of files made from names that others chose (codecs, pictures): safe below a folder and in a URL."""

import hashlib
import re

LONGEST = 80


def file_name(name: str) -> str:
    """`name` itself if it is small ASCII letters, digits and `._@+-`; else made so, with a digest that keeps two
    names apart, also on a file system that ignores case.

    >>> file_name("wcae@0.13")
    'wcae@0.13'
    >>> file_name("../b")
    'b-95cd9069'
    """
    plain = re.sub(r"[^A-Za-z0-9._@+-]+", "_", name).strip("._-")[:LONGEST]
    if plain and plain == name == name.lower():
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain}-{digest}" if plain else digest
