//! Why an address was judged as it was: stable codes, each with its severity and the section it rests on.

use std::fmt;

/// How much weight a reason has. Ordered: the later, the stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; changes no decision.
    Info,
    /// A person or a further step (a confirmation mail, say) should look.
    Review,
    /// Enough by itself to refuse the address.
    Reject,
}

impl Severity {
    /// Every severity, the mildest first.
    pub const ALL: [Self; 3] = [Self::Info, Self::Review, Self::Reject];

    /// Reads the word of the wire format; `None` for any other.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.as_str() == word)
    }

    /// The word of the wire format.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Review => "review",
            Self::Reject => "reject",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One reason behind a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The stable code.
    pub code: ReasonCode,
    /// The weight it has here: [`ReasonCode::severity`], unless flow or client weigh it otherwise.
    pub severity: Severity,
    /// One sentence for a person, printable and free of the address itself.
    pub detail: String,
}

impl Reason {
    /// A reason with the default severity of its code.
    #[must_use]
    pub fn new(code: ReasonCode, detail: impl Into<String>) -> Self {
        Self { code, severity: code.severity(), detail: detail.into() }
    }
}

impl From<ReasonCode> for Reason {
    fn from(code: ReasonCode) -> Self {
        Self::new(code, code.summary())
    }
}

/// What a reason is about, which decides the flags that it raises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// The text is not a `Mailbox` of RFC 5321 §4.1.2 as extended by RFC 6531 §3.3.
    Syntax,
    /// A well-formed mailbox that the sign-up policy has something to say about.
    Form,
    /// The mail host behind the domain, or what is known about it.
    Host,
}

/// Declares every code once, so that the enum, `ALL` and the facts cannot drift apart.
macro_rules! reason_codes {
    ($($variant:ident = $code:literal, $subject:ident, $severity:ident, $reference:literal, $summary:literal;)+) => {
        /// The stable name of a reason. A code keeps its name and meaning once released.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ReasonCode {
            $(#[doc = $summary] $variant,)+
        }

        impl ReasonCode {
            /// Every code, in the order of the README table.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Reads the code of the wire format; `None` for any other.
            #[must_use]
            pub fn parse(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.as_str() == code)
            }

            /// The `snake_case` code of the wire format.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// What the code is about.
            #[must_use]
            pub const fn subject(self) -> Subject {
                match self { $(Self::$variant => Subject::$subject,)+ }
            }

            /// The severity, unless a flow or a client weighs it otherwise.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)+ }
            }

            /// The section or list that the code rests on.
            #[must_use]
            pub const fn reference(self) -> &'static str {
                match self { $(Self::$variant => $reference,)+ }
            }

            /// One sentence for the README table.
            #[must_use]
            pub const fn summary(self) -> &'static str {
                match self { $(Self::$variant => $summary,)+ }
            }
        }
    };
}

reason_codes! {
    // What is not an address at all.
    ControlCharacter = "control_character", Syntax, Reject, "RFC 5321 §4.1.2",
        "A control character, carriage return or line feed: the usual way to inject a header.";
    MissingAtSign = "missing_at_sign", Syntax, Reject, "RFC 5321 §4.1.2",
        "There is no @ between a local-part and a domain.";
    AddressTooLong = "address_too_long", Syntax, Reject, "RFC 5321 §4.5.3.1.3",
        "The whole address is longer than 254 octets.";
    OuterWhiteSpace = "outer_white_space", Syntax, Info, "RFC 5321 §4.1.2",
        "White space around the address was removed; the text as sent is not a mailbox, what is left may be one.";
    WhiteSpace = "white_space", Syntax, Reject, "RFC 5322 §3.2.2",
        "White space inside the address.";
    Comment = "comment", Syntax, Reject, "RFC 5322 §3.2.2",
        "A comment in parentheses, which SMTP does not carry.";
    EmptyLocalPart = "empty_local_part", Syntax, Reject, "RFC 5321 §4.1.2",
        "Nothing stands before the @.";
    LocalPartTooLong = "local_part_too_long", Syntax, Reject, "RFC 5321 §4.5.3.1.1",
        "The local-part is longer than 64 octets.";
    MisplacedDot = "misplaced_dot", Syntax, Reject, "RFC 5322 §3.2.3",
        "The local-part begins or ends with a dot, or has two in a row.";
    LocalPartCharacter = "local_part_character", Syntax, Reject, "RFC 5321 §4.1.2",
        "The local-part has a character that needs quoting.";
    MalformedQuotedString = "malformed_quoted_string", Syntax, Reject, "RFC 5321 §4.1.2",
        "The quoted local-part is not closed, or something follows its closing quote.";
    ObsoleteLocalPart = "obsolete_local_part", Syntax, Reject, "RFC 5322 §4.4",
        "Quoted and unquoted words joined by dots, which RFC 5322 calls obsolete and RFC 5321 does not know.";
    EmptyDomain = "empty_domain", Syntax, Reject, "RFC 5321 §4.1.2",
        "Nothing stands after the @.";
    EmptyDomainLabel = "empty_domain_label", Syntax, Reject, "RFC 1035 §2.3.1",
        "The domain begins with a dot or has two in a row.";
    TrailingDot = "trailing_dot", Syntax, Reject, "RFC 5321 §2.3.5",
        "The domain ends with a dot.";
    DomainCharacter = "domain_character", Syntax, Reject, "RFC 5321 §4.1.2",
        "The domain has a character other than letters, digits, hyphens and dots.";
    LabelHyphen = "label_hyphen", Syntax, Reject, "RFC 1035 §2.3.1",
        "A label of the domain begins or ends with a hyphen.";
    LabelTooLong = "label_too_long", Syntax, Reject, "RFC 1035 §2.3.4",
        "A label of the domain is longer than 63 octets.";
    DomainTooLong = "domain_too_long", Syntax, Reject, "RFC 1035 §2.3.4",
        "The domain is longer than 253 octets.";
    InvalidIdn = "invalid_idn", Syntax, Reject, "RFC 5891 §5, UTS 46",
        "A label is neither a valid U-label nor a decodable A-label.";
    MalformedAddressLiteral = "malformed_address_literal", Syntax, Reject, "RFC 5321 §4.1.3",
        "What stands in brackets is no IPv4 or IPv6 address literal.";

    // Well-formed, but refused or questioned at sign-up.
    QuotedLocalPart = "quoted_local_part", Form, Reject, "RFC 5321 §4.1.2",
        "The local-part is quoted; RFC 5321 itself advises against mailboxes that need it.";
    AddressLiteral = "address_literal", Form, Reject, "RFC 5321 §4.1.3",
        "The domain is an IP address in brackets.";
    SingleLabelDomain = "single_label_domain", Form, Reject, "RFC 5321 §2.3.5, RFC 7085",
        "The domain has only one label.";
    ShortTopLevelDomain = "short_top_level_domain", Form, Reject, "IANA root zone database",
        "The top-level domain has one letter; none exists.";
    NumericTopLevelDomain = "numeric_top_level_domain", Form, Reject, "RFC 3696 §2",
        "The top-level domain, or what follows its last hyphen, is a number; none exists.";
    BareIpAddress = "bare_ip_address", Form, Reject, "RFC 5321 §4.1.3",
        "The domain is an IPv4 address without the brackets of an address literal.";
    ReservedLabel = "reserved_label", Form, Reject, "RFC 5890 §2.3.1",
        "A label has hyphens in its third and fourth place and is no A-label.";
    SpecialUseDomain = "special_use_domain", Form, Reject, "RFC 6761 §6",
        "The top-level domain is reserved for special use and never receives mail.";
    EmojiLocalPart = "emoji_local_part", Form, Reject, "UTS 51",
        "The local-part has an emoji.";
    UnassignedCharacter = "unassigned_character", Form, Reject, "RFC 8264 §9.10",
        "The local-part has a code point that Unicode has not assigned.";
    UnsafeCharacter = "unsafe_character", Form, Reject, "RFC 8264 §9.11",
        "The address has an invisible, space or private-use character, or its local-part begins with a combining mark.";
    BidiLocalPart = "bidi_local_part", Form, Reject, "RFC 5893 §2",
        "A dot-separated piece of the local-part mixes writing directions.";
    MixedScriptLocalPart = "mixed_script_local_part", Form, Reject, "UTS 39 §5.2",
        "The local-part mixes scripts that no language writes together.";
    EncodedLineBreak = "encoded_line_break", Form, Review, "RFC 3986 §2.1, RFC 2047 §2",
        "The text has a line break in percent-encoding or in an encoded word, which a careless decoder turns into a header.";
    InjectionPattern = "injection_pattern", Form, Review, "CWE-74",
        "The text has a fragment of SQL, a template, a shell command or markup that no address needs.";
    HomographDomain = "homograph_domain", Form, Review, "UTS 39 §4, §5.2",
        "A label of the domain mixes scripts, or reads like ASCII without being it.";
    LookAlikeDomain = "look_alike_domain", Form, Review, "UTS 39 §4",
        "The domain reads like a protected or well-known one: digits for letters, or letters swapped.";
    UnknownTopLevelDomain = "unknown_top_level_domain", Form, Review, "IANA root zone database",
        "The top-level domain was not in the root zone when the list was built.";
    DomainDecoded = "domain_decoded", Form, Info, "RFC 5891 §4",
        "The domain was written in A-labels; people see it decoded.";
    EmojiDomain = "emoji_domain", Form, Review, "RFC 5892 §2",
        "The domain has an emoji, which IDNA2008 does not allow.";
    DomainMapped = "domain_mapped", Form, Info, "UTS 46 §4",
        "The domain was written in compatibility forms (full-width letters, ideographic dots) and was mapped.";
    LocalPartNormalized = "local_part_normalized", Form, Info, "RFC 6532 §3.1",
        "The local-part was brought into Unicode Normalization Form C.";

    // The host behind the domain.
    NxDomain = "nxdomain", Host, Reject, "RFC 8020",
        "The domain does not exist.";
    NullMx = "null_mx", Host, Reject, "RFC 7505 §3",
        "The domain states that it accepts no mail.";
    NoMailHost = "no_mail_host", Host, Reject, "RFC 5321 §5.1",
        "The domain exists but has neither MX nor address records.";
    DeniedDomain = "denied_domain", Host, Reject, "overlay",
        "The domain is kept out by a decision of the team.";
    DisposableDomain = "disposable_domain", Host, Reject, "domain list",
        "The domain hands out throw-away mailboxes.";
    DisposableMailHost = "disposable_mail_host", Host, Review, "domain list",
        "A provider of throw-away mailboxes receives the mail of the domain or runs its name servers.";
    LikelyTypo = "likely_typo", Host, Review, "domain list",
        "The domain is probably a misspelling of a well-known provider or top-level domain.";
    MxUnresolvable = "mx_unresolvable", Host, Review, "RFC 5321 §5.1",
        "No mail host of the domain has an address.";
    MxNotPublic = "mx_not_public", Host, Review, "RFC 6890",
        "Every mail host has only loopback, private or reserved addresses.";
    MxPartlyPublic = "mx_partly_public", Host, Info, "RFC 6890",
        "Some mail hosts have loopback, private or reserved addresses, others do not.";
    DnsTemperror = "dns_temperror", Host, Review, "RFC 5321 §5.1",
        "The name servers did not answer in time; ask again later.";
    ImplicitMx = "implicit_mx", Host, Info, "RFC 5321 §5.1",
        "The domain has no MX record; its address record serves as the mail host.";
    DnsNotChecked = "dns_not_checked", Host, Info, "RFC 5321 §5.1",
        "The domain was not looked up.";
    AllowedDomain = "allowed_domain", Host, Info, "overlay",
        "The domain is let in by a decision of the team, whatever lists and similarity say.";
    AliasDomain = "alias_domain", Host, Info, "domain list",
        "The domain belongs to a forwarding service that hides a lasting mailbox.";
    RoleAccount = "role_account", Host, Info, "RFC 2142",
        "The local-part names a function, not a person.";
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_code_is_snake_case_and_unique() {
        let codes: HashSet<&str> = ReasonCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(codes.len(), ReasonCode::ALL.len());
        for code in codes {
            assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{code}");
        }
    }

    #[test]
    fn a_released_code_keeps_its_severity() {
        for (code, wire, severity) in [
            (ReasonCode::NullMx, "null_mx", Severity::Reject),
            (ReasonCode::NxDomain, "nxdomain", Severity::Reject),
            (ReasonCode::NoMailHost, "no_mail_host", Severity::Reject),
            (ReasonCode::DnsTemperror, "dns_temperror", Severity::Review),
            (ReasonCode::ImplicitMx, "implicit_mx", Severity::Info),
            (ReasonCode::MxUnresolvable, "mx_unresolvable", Severity::Review),
            (ReasonCode::MxNotPublic, "mx_not_public", Severity::Review),
            (ReasonCode::DnsNotChecked, "dns_not_checked", Severity::Info),
            (ReasonCode::RoleAccount, "role_account", Severity::Info),
            (ReasonCode::DisposableDomain, "disposable_domain", Severity::Reject),
            (ReasonCode::LikelyTypo, "likely_typo", Severity::Review),
        ] {
            assert_eq!((code.as_str(), code.severity()), (wire, severity));
        }
    }

    #[test]
    fn severities_are_ordered_from_info_to_reject() {
        assert!(Severity::Info < Severity::Review && Severity::Review < Severity::Reject);
    }
}
