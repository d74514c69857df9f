//! Everything that the text of an address tells by itself.

use std::net::IpAddr;

use super::literal::{parse_literal, show_literal};
use super::mailbox::{exceeds_limit, split};
use super::provider::folded;
use super::{Domain, DomainError, LocalPart, LocalPartError, Mailbox, injection, policy};
use crate::reason::{Reason, ReasonCode, Severity, Subject};

/// Longer texts are refused unread.
pub const MAX_INPUT_OCTETS: usize = 1_000;

/// What the text of an address tells without asking anyone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examination {
    /// The address, unless its syntax is broken or its domain is an address literal.
    pub mailbox: Option<Mailbox>,
    /// Local-part and host, when the domain is an address literal.
    pub literal: Option<(LocalPart, IpAddr)>,
    /// What was found, in reading order, each code once.
    pub findings: Vec<Reason>,
}

impl Examination {
    /// The form to store and send to: local-part in NFC, domain as A-labels. `None` when nothing could be parsed.
    #[must_use]
    pub fn normalized(&self) -> Option<String> {
        let of_literal = || self.literal.as_ref().map(|(name, host)| format!("{name}@{}", show_literal(*host)));
        self.mailbox.as_ref().map(Mailbox::normalized).or_else(of_literal)
    }

    /// A comparison key, see [`Mailbox::canonical`]. `None` when nothing could be parsed.
    #[must_use]
    pub fn canonical(&self) -> Option<String> {
        let key = |(name, host): &(LocalPart, IpAddr)| format!("{}@{}", folded(name.content()), show_literal(*host));
        self.mailbox.as_ref().map(Mailbox::canonical).or_else(|| self.literal.as_ref().map(key))
    }

    /// Whether the text as sent is a `Mailbox` of RFC 5321 §4.1.2 as extended by RFC 6531 §3.3.
    #[must_use]
    pub fn syntax_valid(&self) -> bool {
        self.findings.iter().all(|reason| reason.code.subject() != Subject::Syntax)
    }

    /// Whether the text tries to be more than an address: control characters, line breaks plain or encoded, code.
    #[must_use]
    pub fn injection(&self) -> bool {
        let codes = [ReasonCode::ControlCharacter, ReasonCode::EncodedLineBreak, ReasonCode::InjectionPattern];
        codes.into_iter().any(|code| self.has(code))
    }

    /// Whether a message to it needs the SMTPUTF8 extension (RFC 6531 §3.2).
    #[must_use]
    pub fn requires_smtputf8(&self) -> bool {
        let local_part = self.mailbox.as_ref().map(|mailbox| &mailbox.local_part);
        let local_part = local_part.or(self.literal.as_ref().map(|(local_part, _)| local_part));
        local_part.is_some_and(|local_part| !local_part.content().is_ascii())
    }

    /// Whether the top-level domain is reserved for special use (RFC 6761).
    #[must_use]
    pub fn special_use(&self) -> bool {
        self.has(ReasonCode::SpecialUseDomain)
    }

    /// Whether the sign-up policy has nothing against the form of the address; its host is another matter.
    #[must_use]
    pub fn form_accepted(&self) -> bool {
        self.syntax_valid() && !self.is_refused()
    }

    /// Whether a finding is enough to reject, unless somebody weighs it otherwise. An address between spaces is not
    /// refused, though its syntax is not valid as sent.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.findings.iter().any(|reason| reason.severity == Severity::Reject)
    }

    fn has(&self, code: ReasonCode) -> bool {
        self.findings.iter().any(|reason| reason.code == code)
    }

    fn refused(findings: Vec<Reason>) -> Self {
        Self { mailbox: None, literal: None, findings }
    }
}

/// Examines one address as it came from a form, a file or a request; takes linear time, and no time beyond
/// [`MAX_INPUT_OCTETS`].
///
/// Outer spaces and tabs are removed and reported, nothing else is forgiven.
#[must_use]
pub fn examine(text: &str) -> Examination {
    if text.len() > MAX_INPUT_OCTETS {
        return Examination::refused(vec![ReasonCode::AddressTooLong.into()]);
    }
    let trimmed = text.trim_matches([' ', '\t']);
    let mut findings = judge_text(text, trimmed);
    let Some((local_part, host)) = split(trimmed) else {
        note(&mut findings, ReasonCode::MissingAtSign.into());
        return Examination::refused(findings);
    };
    let local_part_found = LocalPart::parse(local_part);
    match &local_part_found {
        Ok(parsed) => findings.extend(judge_local_part(local_part, parsed)),
        Err(error) => note(&mut findings, local_part_reason(error)),
    }
    if host.starts_with('[') {
        return examine_literal(local_part_found.ok(), host, findings);
    }
    let domain_found = Domain::parse(host);
    match &domain_found {
        Ok(parsed) => judge_host(host, parsed).into_iter().for_each(|reason| note(&mut findings, reason)),
        Err(error) => note(&mut findings, domain_reason(error)),
    }
    if domain_found.as_ref().is_ok_and(|domain| exceeds_limit(local_part.len(), domain)) {
        note(&mut findings, ReasonCode::AddressTooLong.into());
        return Examination::refused(findings);
    }
    join(local_part_found.ok(), domain_found.ok(), findings)
}

fn join(local_part: Option<LocalPart>, domain: Option<Domain>, mut findings: Vec<Reason>) -> Examination {
    let (Some(local_part), Some(domain)) = (local_part, domain) else {
        return Examination::refused(findings);
    };
    let Ok(mailbox) = Mailbox::new(local_part, domain) else {
        note(&mut findings, ReasonCode::AddressTooLong.into());
        return Examination::refused(findings);
    };
    Examination { mailbox: Some(mailbox), literal: None, findings }
}

fn examine_literal(local_part: Option<LocalPart>, host: &str, mut findings: Vec<Reason>) -> Examination {
    let Ok(address) = parse_literal(host) else {
        note(&mut findings, ReasonCode::MalformedAddressLiteral.into());
        return Examination::refused(findings);
    };
    note(&mut findings, ReasonCode::AddressLiteral.into());
    Examination { mailbox: None, literal: local_part.map(|local_part| (local_part, address)), findings }
}

fn judge_text(text: &str, trimmed: &str) -> Vec<Reason> {
    let mut findings = Vec::new();
    if let Some(c) = injection::first_control(trimmed) {
        findings.push(control_character(c));
    }
    let signs = injection::Signs::of(trimmed);
    if !signs.are_none() || !trimmed.is_ascii() || trimmed.starts_with('-') {
        findings.extend(judge_code(trimmed, signs));
    }
    if trimmed.len() < text.len() {
        findings.push(ReasonCode::OuterWhiteSpace.into());
    }
    findings
}

fn judge_code(text: &str, signs: injection::Signs) -> impl Iterator<Item = Reason> {
    let unveiled = injection::unveiled(text, signs);
    let line_break = injection::has_encoded_line_break(text, &unveiled, signs);
    let signs = signs.and(injection::Signs::of(&unveiled));
    let detail = |pattern| format!("The text looks like {pattern}, which no address needs.");
    let code = injection::pattern(&unveiled.to_ascii_lowercase(), signs);
    let code = code.map(|pattern| Reason::new(ReasonCode::InjectionPattern, detail(pattern)));
    line_break.then(|| ReasonCode::EncodedLineBreak.into()).into_iter().chain(code)
}

fn judge_local_part(written: &str, parsed: &LocalPart) -> Vec<Reason> {
    let mut findings = Vec::new();
    let quoted = written.starts_with('"');
    if quoted {
        findings.push(ReasonCode::QuotedLocalPart.into());
    }
    if !quoted && written != parsed.content() {
        findings.push(ReasonCode::LocalPartNormalized.into());
    }
    findings.extend(policy::judge_local_part(parsed));
    findings
}

fn judge_host(written: &str, parsed: &Domain) -> Vec<Reason> {
    let mut findings = policy::judge_domain(parsed);
    findings.extend(policy::judge_mapping(written, parsed));
    findings
}

/// Adds a finding unless its code is there already.
fn note(findings: &mut Vec<Reason>, reason: Reason) {
    if findings.iter().all(|known| known.code != reason.code) {
        findings.push(reason);
    }
}

fn local_part_reason(error: &LocalPartError) -> Reason {
    match error {
        LocalPartError::Empty => ReasonCode::EmptyLocalPart.into(),
        LocalPartError::TooLong => ReasonCode::LocalPartTooLong.into(),
        LocalPartError::MisplacedDot => ReasonCode::MisplacedDot.into(),
        LocalPartError::MalformedQuotedString => ReasonCode::MalformedQuotedString.into(),
        LocalPartError::Obsolete => ReasonCode::ObsoleteLocalPart.into(),
        LocalPartError::Character(c) => character_reason(*c, ReasonCode::LocalPartCharacter),
    }
}

fn domain_reason(error: &DomainError) -> Reason {
    match error {
        DomainError::Empty => ReasonCode::EmptyDomain.into(),
        DomainError::EmptyLabel => ReasonCode::EmptyDomainLabel.into(),
        DomainError::TrailingDot => ReasonCode::TrailingDot.into(),
        DomainError::Hyphen => ReasonCode::LabelHyphen.into(),
        DomainError::LabelTooLong => ReasonCode::LabelTooLong.into(),
        DomainError::TooLong => ReasonCode::DomainTooLong.into(),
        DomainError::Idn => ReasonCode::InvalidIdn.into(),
        DomainError::Character(c) => character_reason(*c, ReasonCode::DomainCharacter),
    }
}

/// Names the three kinds of stray characters that a person would call by name.
fn character_reason(c: char, otherwise: ReasonCode) -> Reason {
    match c {
        ' ' => ReasonCode::WhiteSpace.into(),
        '(' | ')' => ReasonCode::Comment.into(),
        c if injection::is_control(c) => control_character(c),
        c => Reason::new(otherwise, format!("{} (U+{:04X})", otherwise.summary(), u32::from(c))),
    }
}

fn control_character(c: char) -> Reason {
    let code = ReasonCode::ControlCharacter;
    Reason::new(code, format!("{} (U+{:04X})", code.summary(), u32::from(c)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn codes(text: &str) -> Vec<&'static str> {
        examine(text).findings.iter().map(|reason| reason.code.as_str()).collect()
    }

    #[test]
    fn a_plain_address_is_normalized_without_findings() {
        for (text, normalized, canonical) in [
            ("Ann@GMIAL.com", "Ann@gmial.com", "ann@gmial.com"),
            ("Ann.Smith+news@GoogleMail.com", "Ann.Smith+news@googlemail.com", "annsmith@gmail.com"),
            ("user@bücher.example", "user@xn--bcher-kva.example", "user@xn--bcher-kva.example"),
            ("Dörte@Sörensen.example.com", "Dörte@xn--srensen-90a.example.com", "dörte@xn--srensen-90a.example.com"),
        ] {
            let examination = examine(text);
            assert_eq!(examination.findings, [], "{text}");
            assert_eq!(examination.normalized().as_deref(), Some(normalized));
            assert_eq!(examination.canonical().as_deref(), Some(canonical));
        }
    }

    #[test]
    fn broken_syntax_is_named_and_leaves_nothing_to_send_to() {
        for (text, expected) in [
            ("", vec!["missing_at_sign"]),
            ("ann", vec!["missing_at_sign"]),
            ("@example.com", vec!["empty_local_part"]),
            ("ann@", vec!["empty_domain"]),
            ("a..b@c..d", vec!["misplaced_dot", "empty_domain_label"]),
            ("a@b@example.com", vec!["domain_character"]),
            ("a b@example.com", vec!["white_space"]),
            ("a(c)@example.com", vec!["comment"]),
            ("a@(c)example.com", vec!["comment"]),
            ("a@example.com.", vec!["trailing_dot"]),
            ("a@b_c.com", vec!["domain_character"]),
            ("a@xn--example.com", vec!["invalid_idn"]),
            ("\"a\".b@example.com", vec!["obsolete_local_part"]),
            ("\"a@example.com", vec!["malformed_quoted_string"]),
            ("a@[1.2.3]", vec!["malformed_address_literal"]),
            ("a@example.com\r\nBcc: b@example.com", vec!["control_character"]),
            ("a\u{2028}@example.com", vec!["control_character"]),
            ("a\u{2028}@[192.0.2.1]", vec!["control_character", "address_literal"]),
        ] {
            let examination = examine(text);
            assert_eq!(codes(text), expected, "{text:?}");
            assert_eq!((examination.normalized(), examination.canonical(), examination.mailbox), (None, None, None));
        }
    }

    #[test]
    fn the_policy_speaks_about_valid_syntax_without_denying_it() {
        for (text, normalized, expected) in [
            ("\"ann\"@example.com", "ann@example.com", "quoted_local_part"),
            ("\"a b\"@example.com", "\"a b\"@example.com", "quoted_local_part"),
            ("ann@[192.0.2.1]", "ann@[192.0.2.1]", "address_literal"),
            ("ann@example", "ann@example", "single_label_domain"),
            ("ann@mail.local", "ann@mail.local", "special_use_domain"),
        ] {
            let examination = examine(text);
            assert_eq!(codes(text), [expected], "{text}");
            assert_eq!(examination.normalized().as_deref(), Some(normalized));
            assert!(examination.syntax_valid() && !examination.form_accepted(), "{text}");
        }
    }

    #[test]
    fn outer_spaces_are_removed_and_reported_but_line_breaks_are_an_injection() {
        let spaced = examine(" ann@example.com\t");
        assert_eq!(spaced.normalized().as_deref(), Some("ann@example.com"));
        assert_eq!(codes(" ann@example.com\t"), ["outer_white_space"]);
        assert!(!spaced.syntax_valid() && !spaced.injection() && !spaced.is_refused());
        for text in ["ann@example.com\n", "\r\nann@example.com", "ann%0abcc@example.com"] {
            assert!(examine(text).injection(), "{text:?}");
        }
    }

    #[test]
    fn text_beyond_the_limit_is_refused_unread() {
        let text = "\n".repeat(MAX_INPUT_OCTETS + 1);
        assert_eq!(codes(&text), ["address_too_long"]);
    }

    #[test]
    fn smtputf8_is_judged_after_composition() {
        for (text, expected) in
            [("änne@example.com", true), ("\u{212a}@example.com", false), ("a@bücher.example", false)]
        {
            assert_eq!(examine(text).requires_smtputf8(), expected, "{text}");
        }
    }

    /// Text that comes near an address, so that chance finds the rules.
    const NEAR_ADDRESS: &str = concat!(
        r#"("[a-z. @é]{0,6}(\\[ -~])?[a-z.\u{301}]{0,4}"|[a-zA-Zé\u{301}\u{323}\u{37e}א漢\u{200d}+!-]{1,6}(\.[a-z1]{1,3})?)"#,
        r"@([a-zA-Z0-9éｇx-]{1,8}[.。]){1,2}[a-zA-Zß]{1,5}",
    );

    proptest! {
        #[test]
        fn any_text_is_examined_without_a_panic(text in any::<String>()) {
            prop_assert!(examine(&text).findings.len() < 20);
        }

        #[test]
        fn what_was_normalized_once_stays_as_it_is(text in NEAR_ADDRESS) {
            let first = examine(&text);
            if let Some(normalized) = &first.normalized() {
                let second = examine(normalized);
                prop_assert_eq!(&second.normalized(), &first.normalized());
                prop_assert_eq!(&second.mailbox, &first.mailbox);
                prop_assert!(second.syntax_valid());
            }
        }

        #[test]
        fn a_mailbox_is_read_back_from_what_it_shows(text in NEAR_ADDRESS) {
            if let Ok(mailbox) = Mailbox::parse(&text) {
                prop_assert_eq!(Mailbox::parse(&mailbox.to_string()), Ok(mailbox.clone()));
                prop_assert_eq!(mailbox.normalized(), mailbox.to_string());
            }
        }

        #[test]
        fn a_well_formed_mailbox_is_accepted_as_it_stands(
            local_part in "[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}(\\.[a-z0-9]{1,20}){0,2}",
            domain in "[a-z0-9]([a-z0-9]{0,20}[a-z0-9])?\\.(com|de|example)",
        ) {
            let text = format!("{local_part}@{domain}");
            prop_assert!(examine(&text).form_accepted());
            prop_assert_eq!(examine(&text).normalized(), Some(text));
        }

        #[test]
        fn no_normalized_form_has_a_line_break(text in "\\PC{0,10}[\r\n\u{2028}\u{85}]?\\PC{0,10}@([a-z.\r\n]{0,10}|\\[192\\.0\\.2\\.1\\])") {
            let normalized = examine(&text).normalized().unwrap_or_default();
            let broken = normalized.contains(['\r', '\n', '\u{2028}', '\u{85}']);
            prop_assert!(!broken);
        }
    }
}
