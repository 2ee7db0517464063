"""TensorRT and TensorRT for RTX behind one small face: finding them, compiling, refitting."""
