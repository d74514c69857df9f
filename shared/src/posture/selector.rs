//! DKIM selectors that many domains use. DNS cannot list selectors, so these are tried; a domain that signs with another
//! one looks the same as one that does not sign.

/// Selectors that providers give to all their customers, or that software proposes. One question each.
pub const SELECTORS: [&str; 25] = [
    "google",
    "selector1",
    "selector2",
    "s1",
    "s2",
    "k1",
    "k2",
    "k3",
    "default",
    "dkim",
    "mail",
    "smtp",
    "fm1",
    "fm2",
    "fm3",
    "protonmail",
    "protonmail2",
    "protonmail3",
    "sig1",
    "pm",
    "mandrill",
    "mailjet",
    "mxvault",
    "resend",
    "zoho",
];
