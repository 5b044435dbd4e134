"""The checker finds what each promise forbids, and nothing in what it allows."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Hashable

import pytest

from tests.cluster import checker
from tests.cluster.history import History, Operation, Outcome
from tests.cluster.models import (
    IMPOSSIBLE,
    MODELS,
    Model,
    PasswordEpoch,
    RefreshCounter,
    UniqueName,
)

OK, REFUSED, UNKNOWN = Outcome.OK, Outcome.REFUSED, Outcome.UNKNOWN
A, B = "a@example.com", "b@example.com"


def op(
    start: float, end: float, action: str, *arguments: Hashable,
    outcome: Outcome = OK, result: Hashable = None,
) -> Operation:  # fmt: skip
    until = math.inf if outcome is UNKNOWN else end
    return Operation(f"c{start}", "key", action, arguments, start, until, outcome, result)


def holds(model: Model, *operations: Operation) -> bool:
    return checker.check("key", operations, model) is None


class TestUniqueName:
    model = UniqueName()

    def test_one_of_two_at_once_gets_the_name(self) -> None:
        first, second = op(0, 2, "register", A, outcome=REFUSED), op(1, 3, "register", B)
        assert holds(self.model, first, second, op(4, 5, "look", result=B))

    def test_a_lost_answer_may_have_been_either(self) -> None:
        lost = op(0, 1, "register", A, outcome=UNKNOWN)
        again = op(2, 3, "register", A, outcome=REFUSED)
        assert holds(self.model, lost, again, op(4, 5, "look", result=A))
        assert holds(self.model, lost, op(4, 5, "look", result=None))
        assert holds(self.model, lost, op(4, 5, "look"), op(6, 7, "look", result=A))
        assert not holds(self.model, lost, again, op(4, 5, "look", result=None))

    def test_a_lost_acknowledged_registration(self) -> None:
        assert not holds(self.model, op(0, 1, "register", A), op(2, 3, "look", result=None))

    def test_an_acknowledged_registration_that_another_one_replaced(self) -> None:
        late = op(0, 1, "register", B, outcome=UNKNOWN)
        assert not holds(self.model, late, op(2, 3, "register", A), op(4, 5, "look", result=B))

    def test_a_double_registration(self) -> None:
        assert not holds(self.model, op(0, 2, "register", A), op(1, 3, "register", B))

    def test_a_refusal_although_the_name_was_free(self) -> None:
        assert not holds(self.model, op(0, 1, "register", A, outcome=REFUSED))
        refused = op(0, 1, "register", A, outcome=REFUSED)
        assert not holds(self.model, refused, op(2, 3, "register", B))


class TestRefreshCounter:
    model = RefreshCounter()
    opened = op(0, 1, "open", result="t0")
    first = op(2, 3, "refresh", 0, "t0", result="t1")

    def holds(self, *operations: Operation) -> bool:
        return holds(self.model, self.opened, *operations)

    def test_the_predecessor_gets_the_identical_successor(self) -> None:
        again = op(2.5, 4, "refresh", 0, "t0", result="t1")
        then = op(5, 6, "refresh", 1, "t1", result="t2")
        assert self.holds(self.first, again, then, op(7, 8, "look", result=(2, True)))

    def test_a_lost_answer_is_asked_for_again(self) -> None:
        lost = op(2, 3, "refresh", 0, "t0", outcome=UNKNOWN)
        again = op(4, 5, "refresh", 0, "t0", result="t1")
        assert self.holds(lost, again, op(6, 7, "look", result=(1, True)))
        assert self.holds(lost, op(6, 7, "look", result=(1, True)))
        assert self.holds(lost, op(6, 7, "look", result=(0, True)))

    def test_a_lost_acknowledged_rotation(self) -> None:
        assert not self.holds(self.first, op(4, 5, "look", result=(0, True)))
        assert not self.holds(self.first, op(4, 5, "refresh", 1, "t1", outcome=REFUSED))

    def test_two_lineages(self) -> None:
        assert not self.holds(self.first, op(2, 3, "refresh", 0, "t0", result="other"))
        forked = op(6, 7, "refresh", 1, "other", result="t3")
        assert not self.holds(self.first, op(4, 5, "refresh", 1, "t1", result="t2"), forked)

    def test_a_lost_answer_does_not_hide_two_lineages(self) -> None:
        lost = op(2, 3, "refresh", 0, "t0", outcome=UNKNOWN)
        one = op(4, 6, "refresh", 0, "t0", result="t1")
        assert not self.holds(lost, one, op(5, 7, "refresh", 0, "t0", result="other"))

    def test_a_copy_ends_the_session(self) -> None:
        second = op(4, 5, "refresh", 1, "t1", result="t2")
        copy = op(6, 7, "refresh", 0, "t0", outcome=REFUSED)
        assert self.holds(self.first, second, copy, op(8, 9, "look", result=(2, False)))
        assert not self.holds(self.first, second, copy, op(8, 9, "look", result=(2, True)))

    def test_a_living_session_is_not_refused(self) -> None:
        assert not self.holds(op(2, 3, "refresh", 0, "t0", outcome=REFUSED))

    def test_a_logout(self) -> None:
        out, again = op(4, 5, "logout"), op(6, 7, "logout", outcome=REFUSED)
        refused = op(8, 9, "refresh", 1, "t1", outcome=REFUSED)
        assert self.holds(self.first, out, again, refused, op(10, 11, "look", result=(1, False)))
        assert not self.holds(self.first, out, op(6, 7, "refresh", 1, "t1", result="t2"))
        assert not self.holds(self.first, out, op(6, 7, "look", result=(1, True)))

    def test_a_logout_whose_answer_was_lost(self) -> None:
        out = op(2, 3, "logout", outcome=UNKNOWN)
        for found in (True, False):
            assert self.holds(out, op(4, 5, "look", result=(0, found)))
        assert not self.holds(op(2, 3, "logout", outcome=REFUSED))

    def test_a_session_that_is_gone(self) -> None:
        assert not self.holds(op(2, 3, "look", result=None))


class TestPasswordEpoch:
    model = PasswordEpoch()
    changed = op(2, 3, "change", "old", "new")

    def holds(self, *operations: Operation) -> bool:
        return holds(self.model, op(0, 1, "register", "old"), *operations)

    def test_either_password_while_it_changes_and_then_the_new_one(self) -> None:
        during = op(1.5, 4, "login", "old", outcome=REFUSED), op(1.6, 4, "login", "old")
        after = op(5, 6, "login", "new"), op(7, 8, "login", "old", outcome=REFUSED)
        assert self.holds(self.changed, *during, *after)

    def test_an_old_password_accepted_after_an_acknowledged_change(self) -> None:
        assert not self.holds(self.changed, op(4, 5, "login", "old"))

    def test_a_lost_acknowledged_change(self) -> None:
        assert not self.holds(self.changed, op(4, 5, "login", "new", outcome=REFUSED))

    def test_a_lost_answer_may_have_been_either(self) -> None:
        lost = op(2, 3, "change", "old", "new", outcome=UNKNOWN)
        again = op(4, 5, "change", "old", "new", outcome=REFUSED)
        assert self.holds(lost, again, op(6, 7, "login", "new"))
        assert self.holds(lost, op(6, 7, "login", "old"), op(8, 9, "login", "new"))
        back = op(8, 9, "login", "new"), op(10, 11, "login", "old")
        assert not self.holds(lost, *back), "there is no way back"

    def test_a_change_accepted_with_an_old_password(self) -> None:
        assert not self.holds(self.changed, op(4, 5, "change", "old", "newer"))


def test_every_object_is_checked_by_itself_with_its_own_model() -> None:
    history = History()
    for key in ("name/ada", "name/bob"):
        history.end(history.begin("c", key, "register", A), OK)
        history.look(key, A)
    assert checker.violations(history) == []
    history.look("name/bob", None)
    history.begin("c", "name/eve", "register", B)  # and no answer
    (found,) = checker.violations(history)
    assert found.key == "name/bob"
    assert found.stuck.result is None
    assert "→" in str(found)
    assert all(name == model.name for name, model in MODELS.items())


def test_many_lost_answers_do_not_slow_the_search_down() -> None:
    operations = [op(0, 1, "open", result="t0")]
    for n in range(60):
        for repeated in range(8):
            start = 2 + n * 10 + repeated
            operations.append(op(start, 0, "refresh", n, f"t{n}", outcome=UNKNOWN))
        start = 10 + n * 10
        operations.append(op(start, start + 1, "refresh", n, f"t{n}", result=f"t{n + 1}"))
    assert holds(RefreshCounter(), *operations)
    assert not holds(RefreshCounter(), *operations, op(999, 1000, "look", result=(59, True)))


def by_trying_every_order(operations: list[Operation], model: Model) -> bool:
    """The definition itself: some order, of which each unknown operation may be left out."""
    known = {o for o in operations if o.outcome is not UNKNOWN}
    unknown = [o for o in operations if o.outcome is UNKNOWN]
    for size in range(len(unknown) + 1):
        for some in itertools.combinations(unknown, size):
            for order in itertools.permutations([*known, *some]):
                if keeps_time(order) and allows(order, model):
                    return True
    return False


def keeps_time(order: tuple[Operation, ...]) -> bool:
    pairs = itertools.combinations(order, 2)
    return all(first.invoked <= second.returned for first, second in pairs)


def allows(order: tuple[Operation, ...], model: Model) -> bool:
    state: object = None
    for operation in order:
        state = model.step(state, operation)
        if state is IMPOSSIBLE:
            return False
    return True


@pytest.mark.parametrize("seed", range(300))
def test_the_search_agrees_with_trying_every_order(seed: int) -> None:
    chance = random.Random(seed)
    operations: list[Operation] = []
    for n in range(chance.randint(2, 5)):
        start = chance.uniform(0, 5) + n / 1000
        end = start + chance.uniform(0, 3)
        if chance.random() < 0.25:
            operations.append(op(start, end, "look", result=chance.choice([None, A, B])))
        else:
            outcome = chance.choice([OK, REFUSED, UNKNOWN])
            operations.append(op(start, end, "register", chance.choice([A, B]), outcome=outcome))
    expected = by_trying_every_order(operations, UniqueName())
    assert holds(UniqueName(), *operations) == expected
