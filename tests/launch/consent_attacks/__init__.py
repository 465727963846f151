"""Attacks on consent, each with the honest call that must still work: one table, in files by what is attacked.

    arguments    an approval for one call is used for another
    replays      a decision is used again, elsewhere, or too late
    files        decisions on the disk that nobody has made
    signatures   high risk without the person's proof
    clients      a client that answers for its user, oddly
    prompts      words that imitate the guard's, hide, or push the question away
    floods       a person is worn out
    remembered   grants that are stretched, forged, or of another time
    reach        an agent's shell, the sandboxed server, another user

A row is a function with `@attack`: it is run in real sessions of the eras that it names, and says by `stage` what was refused and what ran.
"""
