"""GET /system_stats, in the shape of ComfyUI's answer."""

import os
import sys

import numexpr
import numpy
import psutil

VERSION = "sample-1"


def collect(argv: list[str]) -> dict:
    memory = psutil.virtual_memory()
    samples = numpy.arange(1, 100_001, dtype=numpy.float64)
    return {
        "system": {
            "os": os.name,
            "ram_total": memory.total,
            "ram_free": memory.available,
            "comfyui_version": VERSION,
            "python_version": sys.version,
            # The array library stands where torch stands in the other flavors, and says so.
            "pytorch_version": f"none (numpy {numpy.__version__})",
            "embedded_python": False,
            "argv": argv,
        },
        "devices": [
            {
                "name": f"cpu ({numexpr.ncores} cores)",
                "type": "cpu",
                "index": None,
                "vram_total": memory.total,
                "vram_free": memory.available,
                "torch_vram_total": memory.total,
                "torch_vram_free": memory.available,
            }
        ],
        # Shows that the native modules of the layers below work where this runs: pi**2 / 6, to five digits.
        "basel": round(float(numexpr.evaluate("sum(1 / samples**2)")), 4),
    }
