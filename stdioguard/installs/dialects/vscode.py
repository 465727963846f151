"""VS Code and Visual Studio: `servers`, with `inputs` beside it that a text may ask for (`${input:id}`)."""

from __future__ import annotations

from stdioguard.installs.dialects.standard import Standard

VSCODE = Standard(client="VS Code", off=(), on=())
VISUAL_STUDIO = Standard(client="Visual Studio", off=(), on=())
COPILOT_JETBRAINS = Standard(client="Copilot for JetBrains")
