"""
Tests for L{ktcp.http.cache}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ktcp.http.cache import BoundedCache


class BoundedCacheTests(SynchronousTestCase):
    """
    Ten bytes of memory.
    """

    def setUp(self) -> None:
        self.dropped: list[str] = []
        self.cache: BoundedCache[str] = BoundedCache(10, self.dropped.append)

    def test_leastRecentlyUsedGoes(self) -> None:
        """
        Looking a value up keeps it longer.
        """
        self.cache.put("a", "A", 4)
        self.cache.put("b", "B", 4)
        self.assertEqual(self.cache.get("a"), "A")
        self.cache.put("c", "C", 4)
        self.assertEqual(self.dropped, ["B"])
        self.assertIsNone(self.cache.get("b"))
        self.assertEqual((self.cache.size, len(self.cache)), (8, 2))

    def test_clear(self) -> None:
        """
        All goes at once, and nobody is told.
        """
        self.cache.put("a", "A", 4)
        self.cache.clear()
        self.assertEqual((self.cache.get("a"), self.cache.size, self.dropped), (None, 0, []))

    def test_tooLarge(self) -> None:
        """
        What is larger than all of it pushes nothing out.
        """
        self.cache.put("a", "A", 10)
        self.cache.put("b", "B", 11)
        self.assertEqual((self.cache.get("a"), self.cache.get("b")), ("A", None))

    def test_resized(self) -> None:
        """
        What grows pushes out the oldest; what is not kept does not count.
        """
        self.cache.put("a", "A", 4)
        self.cache.put("b", "B", 4)
        self.cache.resize("nothere", 5)
        self.cache.resize("b", 6)
        self.assertEqual((self.cache.size, self.dropped), (10, []))
        self.cache.resize("b", 7)
        self.assertEqual((self.cache.size, self.dropped), (7, ["A"]))

    def test_replaced(self) -> None:
        """
        A new value under an old key counts once, even one that is too large.
        """
        self.cache.put("a", "A", 4)
        self.cache.put("a", "B", 6)
        self.assertEqual((self.cache.get("a"), self.cache.size), ("B", 6))
        self.cache.put("a", "C", 11)
        self.assertEqual((self.cache.get("a"), self.cache.size), (None, 0))
        self.assertEqual(self.dropped, ["A", "B"])
