"""Who is told what is here, and how many videos a neighbour may follow."""

from typing import cast

import pytest

from headwater.errors import RemoteProtocolError
from headwater.store.store import Store
from headwater.transfer.followers import MAX_FOLLOWED_PER_NEIGHBOUR, Followers
from headwater.transfer.port import Neighbour, Neighbours
from headwater.wire.ids import NodeId, VideoId
from headwater.wire.messages import Control, Have


class _Stored:
    problem, is_whole = "", False

    def pieces_have(self) -> bytes:
        return b"\x80"


class _Store:
    def get(self, video: VideoId) -> _Stored:
        return _Stored()


class _Neighbour:
    def __init__(self, number: int) -> None:
        self.node = NodeId(bytes([number]) * 32)
        self.told: list[Control] = []

    def send(self, message: Control) -> None:
        self.told.append(message)


def _video(number: int) -> VideoId:
    return VideoId(number.to_bytes(32, "big"))


def _follow(followers: Followers, neighbour: _Neighbour, number: int) -> None:
    followers.follow(cast(Neighbour, neighbour), _video(number))


def _followers(*neighbours: _Neighbour) -> Followers:
    by_node = {neighbour.node: neighbour for neighbour in neighbours}
    return Followers(cast(Store, _Store()), cast(Neighbours, by_node))


def test_a_follower_hears_at_once_what_is_here() -> None:
    anna = _Neighbour(1)
    _follow(_followers(anna), anna, 7)
    assert anna.told == [Have(_video(7), 0, b"\x80")]


def test_as_many_videos_as_the_bound_and_not_one_more() -> None:
    anna = _Neighbour(1)
    followers = _followers(anna)
    for number in range(MAX_FOLLOWED_PER_NEIGHBOUR):
        _follow(followers, anna, number)
    _follow(followers, anna, 0)  # again is not more
    with pytest.raises(RemoteProtocolError):
        _follow(followers, anna, MAX_FOLLOWED_PER_NEIGHBOUR)
    followers.unfollow(anna.node, _video(0))
    _follow(followers, anna, MAX_FOLLOWED_PER_NEIGHBOUR)


def test_who_left_or_unfollowed_hears_no_more() -> None:
    anna, ben, cleo = _Neighbour(1), _Neighbour(2), _Neighbour(3)
    followers = _followers(anna, ben, cleo)
    for neighbour in (anna, ben, cleo):
        _follow(followers, neighbour, 7)
    followers.neighbour_down(ben.node)
    followers.unfollow(cleo.node, _video(7))
    followers.gone(_video(7))
    assert anna.told[-1] == Have(_video(7), gone=True)
    assert len(ben.told) == len(cleo.told) == 1
