"""Decodes what `lasasr export --onnx` wrote, by onnxruntime and numpy alone: torch is not needed.

from lasasr.onnx import OnnxRecognizer

recognizer = OnnxRecognizer.load("folder")
print(recognizer.transcribe("a.wav").text)
"""

from lasasr.onnx.recognizer import OnnxRecognizer, Reading

__all__ = ["OnnxRecognizer", "Reading"]
