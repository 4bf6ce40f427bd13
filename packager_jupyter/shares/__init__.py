"""Who may read a package: shares, their passwords, capabilities, cookies, limits and the audit.

`shares.shares.Shares` owns the ``share`` table, `shares.audit.Audit` the ``audit`` table. The
other modules are pure parts of them: `tokens` (link secrets), `signed` (claims with a MAC),
`passwords` (argon2id off the caller's thread), `limits` (sliding windows), `gate` (what opens a
locked share) and `model` (what a share is to its owner and to its visitor).
"""
