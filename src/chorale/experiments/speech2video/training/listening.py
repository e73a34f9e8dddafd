"""The pre-training of the speech encoder: to tell what comes next from what does not."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor, nn

from chorale.core.seeds import seed_for
from chorale.experiments.speech2video.config.speech import SpeechConfig
from chorale.experiments.speech2video.corpus.speech import Speech
from chorale.experiments.speech2video.corpus.windows import Window, WindowSampler
from chorale.experiments.speech2video.losses.cpc import Contrast, draw_negatives, info_nce
from chorale.experiments.speech2video.networks.cpc import ContextNetwork
from chorale.experiments.speech2video.networks.predictions import Predictions
from chorale.experiments.speech2video.networks.shapes import STEP_SAMPLES
from chorale.ranks.backends.base import make_engine
from chorale.ranks.config import BackendConfig
from chorale.ranks.group import Group
from chorale.training.task import slice_of

_HELD_OUT_BATCHES: Final = 4


class ListeningModel(nn.Module):
    """Encoder, guesses and loss, trained as one.

    Args:
        config: Sizes.
    """

    def __init__(self, config: SpeechConfig) -> None:
        super().__init__()
        self.encoder = ContextNetwork(config.channels, config.hidden)
        self.predictions = Predictions(config.hidden, config.channels, config.ahead)

    def forward(self, waveforms: Tensor, negatives: Any) -> Contrast:
        """Return the loss of windows ``(batch, samples)``, summed over them."""
        encoded = self.encoder(waveforms)
        return info_nce(self.predictions(encoded.contexts), encoded.latents, negatives)


class ListeningTask:
    """The training, for the common loop.

    Args:
        speech: To learn from.
        held_out: To judge by.
        config: Sizes and recipe.
        backend: How ranks compute together.
        seed: Of first weights, windows and negatives.
        group: The ranks.
        device: Where this rank computes.

    Raises:
        InputError: No recording is as long as a window.
    """

    def __init__(
        self,
        speech: Speech,
        held_out: Speech,
        config: SpeechConfig,
        backend: BackendConfig,
        seed: int,
        group: Group,
        device: torch.device,
    ) -> None:
        self._speech, self._held_out, self._config = speech, held_out, config
        self._seed, self._group, self._device = seed, group, device
        self._part = slice_of(config.batch, group.rank, group.size)
        self._windows = WindowSampler(speech.lengths, config.window, config.batch, seed, "speech")
        self._held_out_windows = WindowSampler(held_out.lengths, config.window, config.batch, 0, "held-out speech")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_for(seed, "listening"))
            self.model = ListeningModel(config)
        self.engine = make_engine(
            "listening",
            self.model,
            lambda parameters: torch.optim.Adam(parameters, config.rate),
            backend,
            group,
            device,
        )
        self.engines = (self.engine,)

    def step(self, step: int) -> dict[str, float]:
        """Do one step on this rank's slice of the batch, and return its part of each mean."""
        engine = self.engine
        engine.module.train()
        engine.set_rate(self._rate(step))
        engine.zero_grad()
        drawn = self._windows.draw(step, self._part.first, self._part.last)
        with engine.autocast():
            found = engine.module(*self._batch(self._speech, drawn, seed_for(self._seed, "negatives", step)))
            loss = found.loss / self._part.total
        engine.backward(loss)
        engine.step()
        return {"loss/speech": float(loss.detach()), "hits/speech": float(found.hits) / self._part.total}

    def gauges(self, step: int) -> dict[str, float]:
        """Return the learning rate of the last step."""
        return {"rate/speech": self._rate(step - 1)}

    @torch.no_grad()
    def evaluate(self, step: int) -> dict[str, float]:
        """Return loss and hits on held-out speech, the same windows and negatives every time; on ALL ranks."""
        self.engine.module.eval()
        loss = hits = 0.0
        for batch in range(_HELD_OUT_BATCHES):
            drawn = self._held_out_windows.draw(batch, self._part.first, self._part.last)
            key = seed_for(0, "held-out negatives", batch)
            found = self.engine.module(*self._batch(self._held_out, drawn, key))
            loss, hits = loss + float(found.loss), hits + float(found.hits)
        windows = _HELD_OUT_BATCHES * self._part.total
        total = self._group.total([loss, hits])
        return {"loss/speech/held_out": total[0] / windows, "hits/speech/held_out": total[1] / windows}

    def state(self) -> dict[str, Any]:
        """Return nothing: every draw is keyed by its step."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take nothing back."""

    def _batch(self, speech: Speech, drawn: list[Window], key: int) -> tuple[Tensor, Any]:
        config = self._config
        waveforms = torch.stack([speech.read(window.clip, window.first, config.window) for window in drawn])
        steps = config.window // STEP_SAMPLES
        negatives = draw_negatives(key, self._part.first, self._part.last, steps, config.ahead, config.negatives)
        return waveforms.to(self._device), negatives

    def _rate(self, step: int) -> float:
        return self._config.rate * min(1.0, (step + 1) / max(1, self._config.warmup_steps))
