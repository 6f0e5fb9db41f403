"""Whether the GPU that the image is made for is there, and its driver new enough."""

import os
import re
from dataclasses import dataclass
from glob import glob
from pathlib import Path

from faults import Fault

# /dev/dxg is the GPU under WSL 2.
DEVICES = ("/dev/nvidiactl", "/dev/nvidia[0-9]*", "/dev/dxg")
DRIVER = "libcuda.so.1"
VERSION = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True)
class Seen:
    devices: tuple[str, ...]
    # The folder of libcuda.so.1.
    library: str | None
    # What the kernel module says of itself.
    version: str | None


def look(search_path: str) -> Seen:
    devices = tuple(sorted(device for pattern in DEVICES for device in glob(pattern)))
    library = next((folder for folder in search_path.split(":") if folder and os.path.exists(f"{folder}/{DRIVER}")), None)
    try:
        version = VERSION.read_text(encoding="utf-8", errors="replace")
    except OSError:
        version = None
    return Seen(devices, library, version)


def driver_version(text: str) -> tuple[int, ...] | None:
    """`NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build …` -> (580, 95, 5)"""
    found = re.search(r"Kernel Module\s+(?:for\s+\S+\s+)?(\d+(?:\.\d+)+)", text)
    return tuple(int(part) for part in found[1].split(".")) if found else None


def faults(driver: str, search_path: str, seen: Seen) -> list[Fault]:
    """`driver`: the oldest that will do, as COMFYUI_NVIDIA_DRIVER has it ("580")."""
    if not seen.devices or seen.library is None:
        devices = ", ".join(seen.devices) or "no device " + " or ".join(DEVICES)
        library = f"{DRIVER} in {seen.library}" if seen.library else f"no {DRIVER} in {search_path or 'LD_LIBRARY_PATH, which is empty'}"
        return [
            Fault(
                "RUN_GPU_MISSING",
                "the GPU",
                "this image computes on an NVIDIA GPU, and the container has none",
                found=f"{devices}; {library}",
                expected=f"an NVIDIA GPU with driver {driver} or newer, handed to the container",
                fix="docker run --gpus all (with the NVIDIA Container Toolkit on the host), podman run --device nvidia.com/gpu=all, "
                "or the option --cpu to compute without a GPU, slowly",
            )
        ]
    version = driver_version(seen.version) if seen.version else None
    if version is None or version >= tuple(int(part) for part in driver.split(".")):
        return []
    return [
        Fault(
            "RUN_GPU_DRIVER",
            str(VERSION),
            "the host's NVIDIA driver is too old for this image's CUDA",
            found=".".join(map(str, version)),
            expected=f"{driver} or newer",
            fix="update the driver on the host, or give the option --cpu to compute without a GPU, slowly",
        )
    ]
