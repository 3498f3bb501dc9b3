"""What the curves of a running training call for: each note once, however often the run is taken up."""

from __future__ import annotations

from ftctl.advice.course import Course
from ftctl.events import Event
from ftctl.plan.model import Plan
from ftctl.run.directory import RunDir


class Advising:
    """Follows the events of one training and tells the notes that they call for."""

    def __init__(self, run: RunDir, plan: Plan) -> None:
        self.run = run
        self.course = Course(plan.job.train.task if plan.job.train is not None else "")
        self.done = set(plan.job.silence)
        for event in run.events():  # of attempts before this one
            self._heard(event)

    def _heard(self, event: Event) -> None:
        if event.kind == "note":
            self.done.add(str(event.data.get("name")))
        else:
            [*self.course.see(event)]

    def see(self, event: Event) -> None:
        """Follow an event, and tell what it calls for."""
        for name, seen in self.course.see(event):
            if name not in self.done:
                from ftctl.advice.told import as_event  # most trainings call for none

                self.done.add(name)
                self.run.emit("note", as_event(name, seen))
