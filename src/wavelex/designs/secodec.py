"""SECodec: one frozen codebook whose size and vectors come of the structural entropy of a graph of latents, 50 frames a second.

samples -> STFT 640/320 -> 4 x ConvNeXt 256 -> latents 64 -> nearest of K centres, K found by the fit (151 on speech-16k's latents)
samples <- inverse STFT, 2 spectra a frame <- 4 x ConvNeXt 384 <- latents 64 <-
"""

from __future__ import annotations

from wavelex.codec.model import CodecModel
from wavelex.designs.base import Card, Design
from wavelex.designs.bodies import DEVIATION, SAMPLE_RATE, SMALL, spectral_body, three_stages
from wavelex.quantizers.structural import StructuralVQ
from wavelex.training.recipe import Recipe


def secodec(
    dim: int = 64,
    most: int = 4096,
    sub_graph: int = 1000,
    neighbours: int = 3,
    encoder_width: int = 256,
    encoder_hidden: int = 768,
    decoder_width: int = 384,
    decoder_hidden: int = 768,
) -> CodecModel:
    """At most `most` codes; fewer `neighbours` in the graph give more of them."""
    encoder, decoder = spectral_body(dim, encoder_width, encoder_hidden, decoder_width, decoder_hidden)
    return CodecModel(encoder, StructuralVQ(dim, most, sub_graph=sub_graph, neighbours=neighbours), decoder, SAMPLE_RATE)


def recipe() -> Recipe:
    """An autoencoder, the fit to its latents, then the decoder alone: the encoder stays where the codebook was fitted."""
    return three_stages(commitment=0.0, prefix_odds=(1.0,))


DESIGN = Design(
    "secodec",
    Card(
        paper='Wang et al., "SECodec: Structural Entropy-based Compressive Speech Representation Codec" (arXiv 2501.00018)',
        summary="How many codes there are is not chosen but found: the clustering of a graph of latents of least structural entropy.",
        aims_at="reconstruction comparable to EnCodec's; the paper's figures and its code are not to be had",
        deviations=(
            DEVIATION,
            "The graph joins each latent to its three nearest by cosine; how the paper's is made sparse is not known.",
            "A latent is coded by the nearest centre, the paper's by the cluster that raises the entropy least.",
            "Sizes, rates and stages of the paper are not known.",
        ),
    ),
    secodec,
    recipe,
    small=SMALL,
)
