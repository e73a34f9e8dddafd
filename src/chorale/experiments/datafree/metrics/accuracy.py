"""How often a student is right, and how often it says what its teacher says."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Counts(NamedTuple):
    """Of some images; counts of several ranks or batches are added up before they are divided.

    Attributes:
        images: All of them.
        right: Those whose label the student says.
        agreeing: Those of which student and teacher say the same, right or wrong.
    """

    images: int
    right: int
    agreeing: int


def count(student: Tensor, teacher: Tensor, labels: Tensor) -> Counts:
    """Return the counts of a batch; what a network says is its largest logit, the first of equal ones.

    Args:
        student: Logits ``(batch, classes)``.
        teacher: Likewise.
        labels: ``(batch,)``.
    """
    said, taught = student.argmax(dim=1), teacher.argmax(dim=1)
    return Counts(len(labels), int((said == labels).sum()), int((said == taught).sum()))
