"""The one file that knows Automat from the inside.

A machine is written with Automat's typed API, one transition a line, each under the label that the
RFC gives it.  ``Rows.build`` lets Automat check the definition, then reads it back once and makes a
table of it, because Automat searches its transitions one after the other at each input: 2 to 14
microseconds, against 0.3 for a look-up.  Automat stays the only source of the table, and
``tests/machines/test_automat.py`` drives both side by side.

What the machines here have in common:

- an input has no arguments and returns the effects of its transition: a constant tuple of the
  members of one enumeration.  So an input cannot fail half way, and cannot be re-entered;
- a running machine has a ``state`` (its RFC name) and may be watched;
- an input without a row raises `UndefinedTransition` and leaves the state as it was.

Automat has no public way to list transitions, hence the pinned version in ``pyproject.toml``.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, Protocol, TypeVar, cast

import attrs
from automat import TypeMachineBuilder
from automat._typed import TransitionRegistrar, TypedState

from trioscsi.errors import UndefinedTransition

Effects = tuple[enum.Enum, ...]
"""What is to be done after a transition, in this order."""


@attrs.frozen
class State:
    """One state: the RFC's symbol (``S5``), its name and one sentence about it."""

    name: str
    symbol: str
    sentence: str


@attrs.frozen
class Transition:
    """One arrow of a machine's diagram: ``label`` is the RFC's (``T9``) or our own."""

    machine: str
    label: str
    source: str
    cause: str
    target: str
    effects: Effects


Watcher = Callable[[Transition], None]


class Running(Protocol):
    """What every running machine has besides its inputs.

    ``hears`` says whether an input has a row in the present state.
    """

    state: str
    watcher: Watcher | None

    def hears(self, cause: str) -> bool: ...


Inputs = TypeVar("Inputs", bound=Running)
Started = TypeVar("Started", bound=Running, covariant=True)


class Start(Protocol[Started]):
    """Makes running machines."""

    def __call__(self, watcher: Watcher | None = None) -> Started: ...


@attrs.frozen(eq=False)
class Machine(Generic[Inputs]):
    """A finished machine: its states and transitions as data, and the way to run it."""

    name: str
    section: str
    sentence: str
    states: tuple[State, ...]
    inputs: Mapping[str, str]
    """Each input with its sentence."""
    transitions: tuple[Transition, ...]
    automat: Callable[[object], Inputs]
    """The same machine run by Automat itself: slower, for comparison."""
    start: Start[Inputs]
    """A new running machine in its initial state: one is made for every command."""

    @property
    def initial(self) -> str:
        """The name of the state in which a machine starts."""
        return self.states[0].name


class Rows(Generic[Inputs]):
    """A machine while it is being written down."""

    def __init__(
        self, name: str, inputs: Callable[[], Inputs], *, section: str, sentence: str
    ) -> None:
        self._name, self._section, self._sentence = name, section, sentence
        self._inputs = inputs
        self._builder = TypeMachineBuilder(inputs, object)
        self._states: list[State] = []
        self._labels: dict[tuple[str, str], tuple[str, Effects]] = {}

    def state(self, name: str, symbol: str, sentence: str) -> TypedState[Inputs, object]:
        """Declare a state; the first one is the initial state."""
        if any(name == known.name for known in self._states):
            # Automat would merge the two in silence.
            raise ValueError(f"{self._name} has two states named {name}")
        self._states.append(State(name, symbol, sentence))
        return self._builder.state(name)

    def rfc(
        self,
        label: str,
        registrar: TransitionRegistrar[Any, Any, Effects],
        *effects: enum.Enum,
    ) -> None:
        """Declare a transition under its label, with the effects that it has."""
        registrar.returns(effects)
        key = (registrar._old.name, registrar._signature.__name__)
        self._labels[key] = (label, effects)

    def build(self) -> Machine[Inputs]:
        """Check the definition and make it runnable."""
        built = self._builder.build()
        order = {state.name: place for place, state in enumerate(self._states)}
        transitions = sorted(
            (
                Transition(self._name, label, old.name, cause, new.name, effects)
                for old, cause, new, _ in built.__automat_automaton__.allTransitions()
                for label, effects in [self._labels[old.name, cause]]
            ),
            key=lambda row: (order[row.source], order[row.target], row.cause),
        )
        inputs = {
            name: (method.__doc__ or "").strip()
            for name, method in vars(self._inputs).items()
            if callable(method) and not name.startswith("_")
        }
        return Machine(
            name=self._name,
            section=self._section,
            sentence=self._sentence,
            states=tuple(self._states),
            inputs=inputs,
            transitions=tuple(transitions),
            automat=built,
            start=_compile(self._name, self._section, self._states[0].name, inputs, transitions),
        )


def automat_state(running: object) -> str:
    """The state of a machine that Automat itself runs."""
    return cast("str", running.__automat_transitioner__._state.name)  # type: ignore[attr-defined]


def _compile(
    name: str,
    section: str,
    initial: str,
    inputs: Iterable[str],
    transitions: Iterable[Transition],
) -> Any:
    """A class with a method for each input that looks its transition up in a table."""
    tables: dict[str, dict[str, Transition]] = {cause: {} for cause in inputs}
    for row in transitions:
        tables[row.cause][row.source] = row

    def method(cause: str) -> Callable[[Any], Effects]:
        table = tables[cause]

        def feed(self: Any) -> Effects:
            try:
                row = table[self.state]
            except KeyError:
                raise UndefinedTransition(name, self.state, cause, section) from None
            self.state = row.target
            if self.watcher is not None:
                self.watcher(row)
            return row.effects

        feed.__name__ = feed.__qualname__ = cause
        return feed

    def start(self: Any, watcher: Watcher | None = None) -> None:
        self.state = initial
        self.watcher = watcher

    def hears(self: Any, cause: str) -> bool:
        return self.state in tables[cause]

    body: dict[str, object] = {cause: method(cause) for cause in inputs}
    return type(
        name, (), {"__slots__": ("state", "watcher"), "__init__": start, "hears": hears, **body}
    )
