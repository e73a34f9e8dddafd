"""The loop of DFAD (Fang et al. 2019), written plainly with torch alone: what the bench measures against.

It knows nothing of engines, ranks, checkpoints or keys; its noise is whatever torch draws next. It wastes nothing
either: no graph is built where none is needed, and the generator's step computes no gradients of the student's weights.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Reference:
    """Several steps of the student, each on fresh images, then one of the generator.

    Attributes:
        images_per_round: That are generated; each is learnt from once, by the student or by the generator.

    Args:
        teacher: Frozen here, and evaluating.
        student: Trained by SGD.
        generator: Trained by Adam.
        batch: Images of each step.
        latent: Length of z.
        student_steps: In a round.
        student_rate: Of SGD.
        momentum: Of SGD.
        weight_decay: Of SGD.
        generator_rate: Of Adam.
    """

    def __init__(
        self,
        teacher: nn.Module,
        student: nn.Module,
        generator: nn.Module,
        batch: int,
        latent: int,
        student_steps: int = 5,
        student_rate: float = 0.1,
        momentum: float = 0.9,
        weight_decay: float = 5e-4,
        generator_rate: float = 1e-3,
    ) -> None:
        self.teacher = teacher.requires_grad_(False).eval()
        self.student, self.generator = student.train(), generator.train()
        self._size, self._steps = (batch, latent), student_steps
        self.images_per_round = (student_steps + 1) * batch
        self._device = next(generator.parameters()).device
        self._student_optimizer = torch.optim.SGD(
            student.parameters(), lr=student_rate, momentum=momentum, weight_decay=weight_decay
        )
        self._generator_optimizer = torch.optim.Adam(generator.parameters(), lr=generator_rate)

    def noise(self) -> Tensor:
        """Return z of one step, standard normal, ``(batch, latent)``."""
        return torch.randn(self._size, device=self._device)

    def round(self) -> tuple[float, float]:
        """Do one round; return the mean of the student's losses and the generator's loss.

        The student lessens the mean absolute difference of the logits, the generator raises it (Fang et al. 2019).
        """
        losses = []
        for _ in range(self._steps):
            with torch.no_grad():
                images = self.generator(self.noise())
                labels = self.teacher(images)
            loss = F.l1_loss(self.student(images), labels)
            self._student_optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch gives it no types
            self._student_optimizer.step()
            losses.append(loss.detach())
        images = self.generator(self.noise())
        challenge = -F.l1_loss(self.student(images), self.teacher(images))
        self._generator_optimizer.zero_grad()
        challenge.backward(inputs=list(self.generator.parameters()))  # type: ignore[no-untyped-call]
        self._generator_optimizer.step()
        return float(torch.stack(losses).mean()), float(challenge.detach())
