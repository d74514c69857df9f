//! What a display name makes readers believe (RFC 5322 §3.4): it is free text, and often all that a reader sees.

use crate::{
    author::Author,
    finding::{Finding, Severity},
    reply_to::ReplyTo,
    spf::is_at_or_under,
};

/// Characters of a display name. A phone shows about 30; of 1,997 honest messages none has more than 60.
pub const MAX_DISPLAY_NAME: usize = 128;

/// White space in a row that no name has: it pushes what follows, and the address, out of sight.
pub const MAX_GAP: usize = 8;

/// Codes of the findings that this file makes, with the README's words.
pub const FINDING_CODES: &[(&str, &str)] = &[
    ("display_name_hides_address", "the display name is so long, or so padded, that the address is out of sight"),
    ("display_name_shows_other_address", "the display name shows an address of another domain than the author's"),
    ("display_name_turns_direction", "the display name has characters that turn the reading direction"),
    ("display_name_claims_protected_domain", "the display name claims a protected domain that the author is not of"),
];

/// What misleads about an author who may well be authentic. `reply_to` is the value of the `Reply-To` field: a mailing list
/// that writes in its own name shows the address of the poster, and replies go to nobody else.
#[must_use]
pub fn findings(author: &Author, reply_to: Option<&[u8]>, protected_domains: &[String]) -> Vec<Finding> {
    let name = author.display_name.as_deref().unwrap_or_default();
    let found = [
        hidden_address(name),
        turned(name),
        other_address(name, &author.domain, reply_to),
        claimed_domain(name, &author.domain, protected_domains),
    ];
    found.into_iter().flatten().collect()
}

/// What misleads about where replies go: a reader sees the name of the mailbox, too. A list that writes for its posters shows
/// their addresses.
#[must_use]
pub fn findings_of_reply(reply: &ReplyTo, author: &Author, is_from_list: bool, protected: &[String]) -> Vec<Finding> {
    let (name, domain) = (reply.display_name.as_deref().unwrap_or_default(), reply.domain.as_str());
    if domain == author.domain && reply.display_name == author.display_name {
        return Vec::new();
    }
    let other = shown_domains(name).into_iter().find(|shown| !are_related(shown, domain));
    let shows = other.map(|shown| {
        let severity = if is_from_list { Severity::Review } else { Severity::Quarantine };
        let detail = format!("Reply-To shows an address at {shown}, but replies go to {domain}.");
        Finding::new("display_name_shows_other_address", severity, detail)
    });
    let found = [hidden_address(name), turned(name), shows, claimed_domain(name, domain, protected)];
    found.into_iter().flatten().collect()
}

/// Domains of what looks like addresses in a display name: lower-case, as A-labels where they can be, in order.
#[must_use]
pub fn shown_domains(display_name: &str) -> Vec<String> {
    let domain = |rest: &str| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '-' && !is_dot(c)).unwrap_or(rest.len());
        let written = rest.get(..end).unwrap_or_default().replace(is_dot, ".");
        let domain = written.trim_matches(['.', '-']).to_lowercase();
        // Longer names are not converted: the work may grow faster than their length.
        let converted = if domain.is_ascii() || MAX_DISPLAY_NAME < domain.len() {
            None
        } else {
            idna::domain_to_ascii(&domain).ok()
        };
        converted.unwrap_or(domain)
    };
    display_name.split(is_at_sign).skip(1).map(domain).filter(|domain| domain.contains('.')).collect()
}

/// The full-width and small forms look the same.
#[must_use]
pub fn is_at_sign(character: char) -> bool {
    matches!(character, '@' | '\u{ff20}' | '\u{fe6b}')
}

/// The dots of other scripts count as dots in a domain (UTS 46 §4), and some others look like one.
#[must_use]
pub fn is_dot(character: char) -> bool {
    matches!(
        character,
        '.' | '\u{2024}' | '\u{3002}' | '\u{fe52}' | '\u{ff0e}' | '\u{ff61}' | '\u{a4f8}' | '\u{701}' | '\u{702}'
    )
}

fn hidden_address(name: &str) -> Option<Finding> {
    let hides = MAX_DISPLAY_NAME < name.chars().count() || MAX_GAP < longest_gap(name);
    let detail = "The display name is so long, or has so much white space, that readers do not see the address.";
    hides.then(|| Finding::new("display_name_hides_address", Severity::Quarantine, detail))
}

/// Scripts that are written from right to left need no overrides: their letters turn by themselves.
fn turned(name: &str) -> Option<Finding> {
    let detail =
        "The display name has characters that turn the reading direction: it reads otherwise than it is written.";
    let is_turned = name.contains(['\u{202d}', '\u{202e}']);
    is_turned.then(|| Finding::new("display_name_turns_direction", Severity::Quarantine, detail))
}

fn other_address(name: &str, author_domain: &str, reply_to: Option<&[u8]>) -> Option<Finding> {
    let shown = shown_domains(name).into_iter().find(|domain| !are_related(domain, author_domain))?;
    let replies_go_there = reply_to.is_some_and(|value| Author::parse(value).is_ok_and(|reply| reply.domain == shown));
    let severity = if replies_go_there { Severity::Review } else { Severity::Quarantine };
    let detail = format!("The display name shows an address at {shown}, but the author is of {author_domain}.");
    Some(Finding::new("display_name_shows_other_address", severity, detail))
}

fn claimed_domain(name: &str, author_domain: &str, protected_domains: &[String]) -> Option<Finding> {
    let shown = name.to_lowercase().replace(is_dot, ".");
    let claimed = protected_domains.iter().find(|domain| has_as_word(&shown, domain))?;
    let detail = format!("The display name claims {claimed}, but the author is of {author_domain}.");
    let finding = Finding::new("display_name_claims_protected_domain", Severity::Quarantine, detail);
    (!is_at_or_under(author_domain, claimed)).then_some(finding)
}

/// With nothing before or after it that would make it another name.
fn has_as_word(text: &str, domain: &str) -> bool {
    let goes_on = |c: char| c.is_alphanumeric() || c == '-';
    text.match_indices(domain).any(|(start, _)| {
        let before = text.get(..start).unwrap_or_default();
        let after = text.get(start + domain.len()..).unwrap_or_default();
        !before.ends_with(goes_on) && !after.starts_with(goes_on)
    })
}

fn longest_gap(name: &str) -> usize {
    name.split(|c: char| !is_blank(c)).map(|gap| gap.chars().count()).max().unwrap_or(0)
}

/// White space and what looks like it.
fn is_blank(character: char) -> bool {
    let looks_blank = matches!(character, '\u{ad}' | '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}');
    character.is_whitespace() || looks_blank || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}')
}

fn are_related(one: &str, other: &str) -> bool {
    is_at_or_under(one, other) || is_at_or_under(other, one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Domain;

    fn codes(display_name: &str, reply_to: Option<&[u8]>) -> Vec<String> {
        let author = Author {
            display_name: Some(display_name.to_owned()),
            local_part: "x".to_owned(),
            domain: "news.shop.example".to_owned(),
        };
        let findings = findings(&author, reply_to, &["bank.example".to_owned()]);
        findings.iter().map(|finding| format!("{} {}", finding.severity.as_str(), finding.code)).collect()
    }

    #[test]
    fn a_name_that_tells_the_truth_has_no_finding() {
        for name in [
            "",
            "Ann Lee",
            "Ann Lee (Accounts Payable, Building 4) via Shop Announcements",
            "ann@shop.example",
            "ann@news.shop.example",
            "ann@de.news.shop.example",
            "Mybank.example and bank.examples",
            "Ann @ home",
            "\u{2067}\u{5d0}\u{5e0}\u{2069} Lee",
            "株式会社サンプル 東日本営業本部 第二営業部 カスタマーサポート",
        ] {
            assert_eq!(codes(name, None), [""; 0], "{name:?}");
        }
    }

    #[test]
    fn a_name_that_misleads_about_the_author_is_found() {
        let long = "Security ".repeat(15);
        let padded = format!("Ann{}x", " ".repeat(9));
        let blank = format!("Ann{}x", "\u{2800}\u{a0}\u{3164}".repeat(3));
        for (name, expected) in [
            (long.as_str(), &["quarantine display_name_hides_address"][..]),
            (&padded, &["quarantine display_name_hides_address"]),
            (&blank, &["quarantine display_name_hides_address"]),
            ("\u{202e}nnA\u{202c} Lee", &["quarantine display_name_turns_direction"]),
            ("ceo@other.example", &["quarantine display_name_shows_other_address"]),
            ("ceo\u{ff20}other.example", &["quarantine display_name_shows_other_address"]),
            ("ceo@other\u{2024}example", &["quarantine display_name_shows_other_address"]),
            ("ceo@other\u{3002}example", &["quarantine display_name_shows_other_address"]),
            ("www.bank.example/help", &["quarantine display_name_claims_protected_domain"]),
            ("ceo@notshop.example", &["quarantine display_name_shows_other_address"]),
            ("Bank.Example Support", &["quarantine display_name_claims_protected_domain"]),
        ] {
            assert_eq!(codes(name, None), expected, "{name:?}");
        }
    }

    #[test]
    fn the_name_of_a_mailbox_that_replies_go_to_is_judged_like_the_author_s() {
        let author = Author {
            display_name: Some("Ann".to_owned()),
            local_part: "ann".to_owned(),
            domain: "shop.example".to_owned(),
        };
        let codes = |name: &str, domain: &str, is_from_list| {
            let domain = Domain::parse(domain).expect("a domain");
            let reply = ReplyTo { display_name: Some(name.to_owned()), domain };
            let findings = findings_of_reply(&reply, &author, is_from_list, &["bank.example".to_owned()]);
            findings.iter().map(|finding| format!("{} {}", finding.severity.as_str(), finding.code)).collect::<Vec<_>>()
        };
        assert_eq!(codes("ann@shop.example", "evil.example", false), ["quarantine display_name_shows_other_address"]);
        assert_eq!(codes("ann@shop.example", "evil.example", true), ["review display_name_shows_other_address"]);
        assert_eq!(codes("Bank.example", "evil.example", false), ["quarantine display_name_claims_protected_domain"]);
        assert_eq!(codes("\u{202e}nnA", "evil.example", false), ["quarantine display_name_turns_direction"]);
        assert_eq!(codes("ann@desk.example", "desk.example", false), [""; 0]);
        assert_eq!(codes("Help desk", "desk.example", false), [""; 0]);
    }

    #[test]
    fn a_domain_is_the_same_in_either_script() {
        for (name, expected) in
            [("ann@bücher.example", "xn--bcher-kva.example"), ("ann@Bücher。EXAMPLE", "xn--bcher-kva.example")]
        {
            assert_eq!(shown_domains(name), [expected]);
        }
    }

    #[test]
    fn a_list_may_show_the_poster_to_whom_replies_go() {
        let shows = |reply_to| codes("ann@other.example via Shop News", reply_to);
        assert_eq!(shows(Some(b" Ann <ann@other.example>")), ["review display_name_shows_other_address"]);
        for elsewhere in [
            " x@evil.example",
            " \"ann@other.example\" <x@evil.example>",
            " ann@other.example, x@evil.example",
            " ann@sub.other.example",
            "",
        ] {
            assert_eq!(
                shows(Some(elsewhere.as_bytes())),
                ["quarantine display_name_shows_other_address"],
                "{elsewhere}"
            );
        }
    }
}
