"""Gemini CLI and Qwen Code: an address counts before a command, and the shell's own variables are filled in."""

from __future__ import annotations

from stdioguard.installs.dialects.standard import BRACES, DOLLAR, PERCENT, Standard

GEMINI = Standard(client="Gemini CLI", variables=(BRACES, DOLLAR, PERCENT), url=("httpUrl", "url"), url_first=True)
QWEN = Standard(client="Qwen Code", variables=(BRACES, DOLLAR, PERCENT), url=("httpUrl", "url"), url_first=True)
