"""MagiCodec's weights by their published names, against its computation written out here for a whole signal at once.

The authors' code runs on a GPU only, so there is no output of it to compare with.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from wavelex.codec.model import CodecModel
from wavelex.designs.convert import import_checkpoint
from wavelex.errors import WavelexError
from wavelex.nn.frame_noise import FrameNoise

WIDTH, PATCH, HIDDEN, HEADS, HOP, DIM, SIZE, LAYERS = 32, 24, 40, 2, 640, 6, 50, 2


def published() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator) * shape[-1] ** -0.5

    def gains(size: int) -> Tensor:
        return 1 + 0.3 * torch.randn(size, generator=generator)

    state = {
        "encoder.linear_1.weight": drawn(PATCH, HOP),
        "encoder.linear_2.weight": drawn(WIDTH, PATCH),
        "encoder.linear_2.bias": drawn(WIDTH),
        "encoder.linear_out.weight": drawn(DIM, WIDTH),
        "encoder.linear_out.bias": drawn(DIM),
        "quantizer.codebook.weight": 2 * drawn(SIZE, DIM),
        "quantizer.codebook_proj.weight": drawn(DIM, DIM),
        "quantizer.codebook_proj.bias": drawn(DIM),
        "decoder.linear_in.weight": drawn(WIDTH, DIM),
        "decoder.linear_in.bias": drawn(WIDTH),
        "decoder.linear_1.weight": drawn(PATCH, WIDTH),
        "decoder.linear_1.bias": drawn(PATCH),
        "decoder.linear_2.weight": drawn(HOP, PATCH),
    }
    for part in ("encoder", "decoder"):
        state[f"{part}.transformer.layers.ln_f.weight"] = gains(WIDTH)
        for index in range(LAYERS):
            layer = f"{part}.transformer.layers.layers.{index}"
            state |= {
                f"{layer}.mixer.Wqkv.weight": drawn(3 * WIDTH, WIDTH),
                f"{layer}.mixer.out_proj.weight": drawn(WIDTH, WIDTH),
                f"{layer}.mixer.q_norm.weight": gains(WIDTH // HEADS),
                f"{layer}.mixer.k_norm.weight": gains(WIDTH // HEADS),
                f"{layer}.norm1.weight": gains(WIDTH),
                f"{layer}.norm2.weight": gains(WIDTH),
                f"{layer}.mlp.fc1.weight": drawn(2 * HIDDEN, WIDTH),
                f"{layer}.mlp.fc2.weight": drawn(WIDTH, HIDDEN),
            }
    return state


def rms(x: Tensor, gains: Tensor) -> Tensor:
    return x / x.square().mean(-1, keepdim=True).sqrt() * gains


def turned(x: Tensor) -> Tensor:
    """Neighbouring channels (batch, frames, heads, width) as complex numbers, turned by the frame's angles."""
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())
    frequencies = 10_000.0 ** (-torch.arange(pairs.shape[-1]) / pairs.shape[-1])
    angles = torch.arange(x.shape[1])[:, None] * frequencies
    return torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)[:, None]).flatten(-2)


def transformed(x: Tensor, state: dict[str, Tensor], part: str, past: int, ahead: int) -> Tensor:
    """(batch, frames, width), with all scores at once and those outside the window left out."""
    distance = torch.arange(x.shape[1])[None] - torch.arange(x.shape[1])[:, None]
    hidden = (distance < -past) | (distance > ahead)
    for index in range(LAYERS):
        layer = {key.removeprefix(f"{part}.transformer.layers.layers.{index}."): value for key, value in state.items()}
        q, k, v = (rms(x, layer["norm1.weight"]) @ layer["mixer.Wqkv.weight"].T).unflatten(-1, (3, HEADS, -1)).unbind(2)
        q, k = turned(rms(q, layer["mixer.q_norm.weight"])), turned(rms(k, layer["mixer.k_norm.weight"]))
        scores = torch.einsum("bqhd,bkhd->bhqk", q, k) / (WIDTH // HEADS) ** 0.5
        weights = scores.masked_fill(hidden, float("-inf")).softmax(-1)
        x = x + torch.einsum("bhqk,bkhd->bqhd", weights, v).flatten(-2) @ layer["mixer.out_proj.weight"].T
        value, gate = (rms(x, layer["norm2.weight"]) @ layer["mlp.fc1.weight"].T).chunk(2, -1)
        x = x + (value * nn.functional.silu(gate)) @ layer["mlp.fc2.weight"].T
    return rms(x, state[f"{part}.transformer.layers.ln_f.weight"])


def encoded(samples: Tensor, state: dict[str, Tensor]) -> Tensor:
    frames = nn.functional.pad(samples, (0, -samples.shape[-1] % HOP)).unflatten(-1, (-1, HOP))[:, 0]
    x = frames @ state["encoder.linear_1.weight"].T @ state["encoder.linear_2.weight"].T + state["encoder.linear_2.bias"]
    x = transformed(x, state, "encoder", past=16, ahead=0)
    return x @ state["encoder.linear_out.weight"].T + state["encoder.linear_out.bias"]


def decoded(vectors: Tensor, state: dict[str, Tensor]) -> Tensor:
    x = transformed(vectors @ state["decoder.linear_in.weight"].T + state["decoder.linear_in.bias"], state, "decoder", past=16, ahead=1)
    x = x @ state["decoder.linear_1.weight"].T + state["decoder.linear_1.bias"]
    return (x @ state["decoder.linear_2.weight"].T).flatten(1)[:, None]


def imported(state: dict[str, Tensor], folder: Path) -> CodecModel:
    save_file({key: value.contiguous() for key, value in state.items()}, folder / "published.safetensors")
    return import_checkpoint(folder / "published.safetensors").model


def test_latents_codes_and_samples_are_those_of_the_computation_written_out(tmp_path: Path) -> None:
    state = published()
    model = imported(state, tmp_path)
    samples = torch.randn(2, 1, 40 * HOP - 77, generator=torch.Generator().manual_seed(1))
    codebook = state["quantizer.codebook.weight"] @ state["quantizer.codebook_proj.weight"].T + state["quantizer.codebook_proj.bias"]
    with torch.no_grad():
        latents = encoded(samples, state)
        torch.testing.assert_close(model.latents(samples), latents.transpose(1, 2), atol=1e-5, rtol=1e-4)
        codes = torch.cdist(latents, codebook[None]).argmin(-1)
        assert torch.equal(model.encode(samples)[:, 0], codes)
        assert len(codes.unique()) > 10
        torch.testing.assert_close(model.decode(codes[:, None]), decoded(codebook[codes], state), atol=1e-5, rtol=1e-4)


def test_tables_of_frequencies_are_known_and_all_else_is_refused(tmp_path: Path) -> None:
    table = {"encoder.transformer.layers.layers.0.mixer.rotary_emb.inv_freq": torch.ones(8)}
    assert imported({**published(), **table}, tmp_path).hop_length == HOP
    with pytest.raises(WavelexError, match=r"looks like MagiCodec.*left over: decoder\.more"):
        imported({**published(), "decoder.more": torch.ones(8)}, tmp_path)


def test_noise_takes_the_place_of_some_frames_in_training_alone() -> None:
    torch.manual_seed(0)
    noise, x = FrameNoise(0.25, 3.0), torch.full((4, 8, 500), 100.0)
    found = noise.train()(x)
    replaced = (found != x).any(1)
    assert torch.equal(replaced, (found != x).all(1))
    assert 0.2 < replaced.float().mean() < 0.3
    assert 2.8 < found.transpose(1, 2)[replaced].std() < 3.2
    assert torch.equal(noise.eval()(x), x)
    with torch.no_grad():
        assert torch.equal(noise.train()(x), x)
    with pytest.raises(ValueError, match="cannot be"):
        FrameNoise(1.5, 1.0)
