import subprocess
import sys


def test_metrics_and_text_need_no_torch() -> None:
    modules = "alignment alignment_reference best_constant bootstrap error_rates"
    lines = [f"import lasasr.metrics.{name}" for name in modules.split()]
    lines += ["import lasasr.text.sentencepiece, lasasr.text.character, lasasr.text.transcript"]
    program = "\n".join([*lines, "import sys", "assert 'torch' not in sys.modules"])
    subprocess.run([sys.executable, "-c", program], check=True)
