"""A page to try recognizers on (`lasasr app`); `page` alone imports gradio."""
