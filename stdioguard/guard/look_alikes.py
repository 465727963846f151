"""Letters that are drawn like other ones: for comparing text, never for showing it."""

from __future__ import annotations

# Letters of other scripts (and small capitals) that are drawn like a Latin one: those of Unicode's confusables (UTS 39) that spell
# English.
LOOK_ALIKE = dict(
    zip(
        "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb\u0501\u051b\u051d\u0475\u0491\u043a\u043c"
        "\u0442\u0432\u043d\u0433\u04cf\u03b1\u03bf\u03c1\u03bd\u03b9\u03ba\u03c4\u03c5\u03c7\u03b5\u03b7\u03bc\u0261"
        "\u0251\u0131\u0237\u026a\u0280\u0274\u1d00\u0299\u1d04\u1d05\u1d07\u0262\u029c\u1d0a\u1d0b\u029f\u1d0d\u1d0f"
        "\u1d18\ua731\u1d1b\u1d1c\u1d20\u1d21\u028f\u1d22\u0578\u057d\u0585\u0570\u0581\u0566",
        "aeopcyxijshdqwvrkmtbhrlaopviktuxenmgaijirnabcdeghjklmopstuvwyznuohgq",
        strict=True,
    )
)
