//! The sign-up policy: what is well-formed by the RFCs, and still refused, questioned or worth a note.

use icu_normalizer::ComposingNormalizerBorrowed;

use super::{Domain, LocalPart, eai, script};
use crate::reason::{Reason, ReasonCode};

/// Top-level domains that never receive mail from the internet (RFC 6761 registry; `internal` by ICANN, 2024).
///
/// `example` and the second-level example names are accepted: documentation and tests live on them.
const SPECIAL_USE: [&str; 8] = ["alt", "arpa", "internal", "invalid", "local", "localhost", "onion", "test"];

/// The first thing that the policy has against a local-part beyond ASCII.
pub(super) fn judge_local_part(local_part: &LocalPart) -> Option<Reason> {
    let text = local_part.content();
    if text.is_ascii() {
        return None;
    }
    let first = |found: fn(char) -> bool| text.chars().find(|&c| found(c));
    let character = |code: ReasonCode, c| Reason::new(code, format!("{} (U+{:04X})", code.summary(), u32::from(c)));
    let bidi = || text.split('.').any(eai::breaks_bidi_rule).then_some(ReasonCode::BidiLocalPart.into());
    let mixed = || script::is_mixed(text).then_some(ReasonCode::MixedScriptLocalPart.into());
    (first(eai::is_emoji).map(|c| character(ReasonCode::EmojiLocalPart, c)))
        .or_else(|| first(eai::is_unassigned).map(|c| character(ReasonCode::UnassignedCharacter, c)))
        .or_else(|| text.split('.').find_map(eai::first_unsafe).map(|c| character(ReasonCode::UnsafeCharacter, c)))
        .or_else(bidi)
        .or_else(mixed)
}

/// What the policy says about a domain.
pub(super) fn judge_domain(domain: &Domain) -> Vec<Reason> {
    if is_ordinary(domain) { Vec::new() } else { judge_unusual_domain(domain) }
}

/// Whether nothing below can apply: several labels, a top-level domain of letters, and no two hyphens in a row.
fn is_ordinary(domain: &Domain) -> bool {
    let (name, top_level) = (domain.as_str(), domain.top_level());
    let is_of_letters = 1 < top_level.len() && top_level.bytes().all(|octet| octet.is_ascii_lowercase());
    is_of_letters && top_level.len() < name.len() && !name.contains("--") && !SPECIAL_USE.contains(&top_level)
}

fn judge_unusual_domain(domain: &Domain) -> Vec<Reason> {
    let top_level = domain.top_level();
    let unicode = domain.unicode();
    let ipv4 = is_ipv4(domain);
    let checks = [
        (ReasonCode::SingleLabelDomain, top_level.len() == domain.as_str().len()),
        (ReasonCode::ShortTopLevelDomain, top_level.len() == 1 && !ipv4),
        (ReasonCode::BareIpAddress, ipv4),
        (ReasonCode::NumericTopLevelDomain, ends_in_number(top_level) && !ipv4),
        (ReasonCode::ReservedLabel, unicode.split('.').any(is_reserved)),
        (ReasonCode::SpecialUseDomain, SPECIAL_USE.contains(&top_level)),
    ];
    let mut found: Vec<Reason> =
        checks.into_iter().filter(|&(_, applies)| applies).map(|(code, _)| Reason::from(code)).collect();
    if !unicode.is_ascii() {
        found.extend(unicode.chars().any(eai::is_emoji).then_some(ReasonCode::EmojiDomain).map(Reason::from));
        found.extend(homograph(domain, &unicode));
    }
    found
}

/// Notes that a domain was written in A-labels, or in compatibility forms, which full-width and ideographic input methods produce.
/// Letter case and composition are no news; invisible characters, which UTS 46 would drop in silence, are refused.
pub(super) fn judge_mapping(written: &str, domain: &Domain) -> Option<Reason> {
    if written.is_ascii() && !domain.as_str().contains("--") {
        return None;
    }
    let unicode = domain.unicode();
    if written.is_ascii() {
        let decoded = || Reason::new(ReasonCode::DomainDecoded, format!("The domain reads {unicode}."));
        return (!unicode.is_ascii()).then(decoded);
    }
    let lower = written.to_lowercase();
    let folded = ComposingNormalizerBorrowed::new_nfc().normalize(&lower);
    let mapped = || folded.chars().filter(|&c| !c.is_ascii() && !unicode.contains(c));
    if mapped().any(eai::is_invisible) {
        return Some(ReasonCode::UnsafeCharacter.into());
    }
    mapped().next().map(|_| Reason::new(ReasonCode::DomainMapped, format!("The domain was read as {domain}.")))
}

fn is_ipv4(domain: &Domain) -> bool {
    domain.top_level().bytes().all(|byte| byte.is_ascii_digit())
        && domain.as_str().parse::<std::net::Ipv4Addr>().is_ok()
}

/// Whether the label, or what follows its last hyphen, is all digits; A-labels are spared.
fn ends_in_number(label: &str) -> bool {
    let last = label.rsplit('-').next().unwrap_or_default();
    !label.starts_with("xn--") && !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit())
}

/// Expects a U-label: a decoded A-label has lost its prefix.
fn is_reserved(label: &str) -> bool {
    let mut from_third = label.chars().skip(2);
    from_third.next() == Some('-') && from_third.next() == Some('-')
}

/// A Cyrillic name under a Cyrillic top-level domain deceives nobody, so look-alikes count under ASCII ones only.
fn homograph(domain: &Domain, unicode: &str) -> Option<Reason> {
    if unicode.split('.').any(script::is_mixed) {
        return Some(Reason::new(ReasonCode::HomographDomain, "A label of the domain mixes scripts."));
    }
    if domain.top_level().starts_with("xn--") {
        return None;
    }
    let twin = unicode.split('.').find_map(script::ascii_look_alike)?;
    Some(Reason::new(ReasonCode::HomographDomain, format!("A label of the domain reads like \"{twin}\".")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes<'a>(reasons: impl IntoIterator<Item = &'a Reason>) -> Vec<&'static str> {
        reasons.into_iter().map(|reason| reason.code.as_str()).collect()
    }

    #[test]
    fn the_policy_refuses_domains_that_cannot_receive_mail_from_the_internet() {
        for (text, expected) in [
            ("example.com", vec![]),
            ("example.example", vec![]),
            ("xn--bcher-kva.example", vec![]),
            ("iana.co-uk", vec![]),
            ("localhost", vec!["single_label_domain", "special_use_domain"]),
            ("com", vec!["single_label_domain"]),
            ("iana.a", vec!["short_top_level_domain"]),
            ("iana.123", vec!["numeric_top_level_domain"]),
            ("bad.tld-2", vec!["numeric_top_level_domain"]),
            ("127.0.0.1", vec!["bare_ip_address"]),
            ("192.0.2.77", vec!["bare_ip_address"]),
            ("yy--0.com", vec!["reserved_label"]),
            ("a--b.com", vec![]),
            ("host.onion", vec!["special_use_domain"]),
            ("📻.fm", vec!["emoji_domain"]),
            ("pаypal.com", vec!["homograph_domain"]),
            ("аррӏе.com", vec!["homograph_domain"]),
            ("оса.рф", vec![]),
            ("bücher.de", vec![]),
        ] {
            let domain = Domain::parse(text).expect(text);
            assert_eq!(codes(&judge_domain(&domain)), expected, "{text}");
        }
    }

    #[test]
    fn the_policy_refuses_local_parts_that_nobody_can_read() {
        for (text, expected) in [
            ("ann", vec![]),
            ("квіточка!", vec![]),
            ("二ノ宮", vec![]),
            ("💩", vec!["emoji_local_part"]),
            ("\u{fdef}", vec!["unassigned_character"]),
            ("a\u{200b}", vec!["unsafe_character"]),
            ("annדוד", vec!["bidi_local_part"]),
            ("аdmin", vec!["mixed_script_local_part"]),
        ] {
            let local_part = LocalPart::parse(text).expect(text);
            assert_eq!(codes(&judge_local_part(&local_part)), expected, "{text}");
        }
    }

    #[test]
    fn a_labels_and_compatibility_forms_of_a_domain_are_noted_and_case_is_not() {
        for (text, noted) in [
            ("ｇｍａｉｌ.com", Some(ReasonCode::DomainMapped)),
            ("例え。jp", Some(ReasonCode::DomainMapped)),
            ("exam\u{200b}ple.com", Some(ReasonCode::UnsafeCharacter)),
            ("BÜCHER.de", None),
            ("bu\u{308}cher.de", None),
            ("bücher.xn--p1ai", None),
            ("xn--bcher-kva.de", Some(ReasonCode::DomainDecoded)),
            ("faß.de", None),
        ] {
            let domain = Domain::parse(text).expect(text);
            assert_eq!(judge_mapping(text, &domain).map(|reason| reason.code), noted, "{text}");
        }
    }
}
