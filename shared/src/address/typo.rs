//! Misspelled domains of well-known providers, and misspelled `.com`, `.net` and `.org`.

use super::{Domain, provider};

/// What is typed instead of a top-level domain. None of these is delegated in the root zone.
const TOP_LEVEL_TYPOS: [(&str, &[&str]); 4] = [
    (
        "com",
        &[
            "c0m", "cim", "cmo", "coim", "colm", "comd", "comj", "comm", "comme", "comn", "con", "conm", "coom",
            "copm", "cpm", "cxom", "ocm", "vom", "xom",
        ],
    ),
    ("net", &["ner", "nett", "nry", "nt", "nte", "ney"]),
    ("org", &["og", "ogr", "or", "orgg", "orh", "rog"]),
    ("fr", &["fre", "frr"]),
];

/// What is misspelled often, the most used first. Names of fewer than five letters (`aol`, `gmx`, `live`) are missing:
/// they are one keystroke away from too many real ones.
const OFTEN_MISSPELLED: [(&str, &str); 35] = [
    ("gmail", "com"),
    ("yahoo", "com"),
    ("hotmail", "com"),
    ("outlook", "com"),
    ("icloud", "com"),
    ("protonmail", "com"),
    ("proton", "me"),
    ("googlemail", "com"),
    ("yandex", "com"),
    ("yandex", "ru"),
    ("comcast", "net"),
    ("sbcglobal", "net"),
    ("verizon", "net"),
    ("bellsouth", "net"),
    ("earthlink", "net"),
    ("btinternet", "com"),
    ("yahoo", "co.uk"),
    ("yahoo", "co.in"),
    ("yahoo", "com.br"),
    ("yahoo", "fr"),
    ("yahoo", "de"),
    ("yahoo", "it"),
    ("yahoo", "es"),
    ("yahoo", "ca"),
    ("hotmail", "co.uk"),
    ("hotmail", "fr"),
    ("hotmail", "de"),
    ("hotmail", "it"),
    ("hotmail", "es"),
    ("outlook", "fr"),
    ("outlook", "de"),
    ("orange", "fr"),
    ("wanadoo", "fr"),
    ("laposte", "net"),
    ("t-online", "de"),
];

/// Up to this length one keystroke may be wrong, beyond it two.
const SHORT_LABEL_OCTETS: usize = 6;
/// Longer names are nobody's misspelling; the bound keeps the comparison on the stack.
const MAX_LABEL_OCTETS: usize = 16;

/// The domain that was probably meant, or `None`: for a known provider, and whenever in doubt.
#[must_use]
pub fn suggest_domain(domain: &Domain) -> Option<Domain> {
    if provider::provider_kind(domain).is_some() {
        return None;
    }
    let mended = mend_top_level(domain.as_str());
    let candidate = mended.as_deref().unwrap_or(domain.as_str());
    let mended_domain = mended.as_deref().and_then(|name| Domain::parse(name).ok());
    if mended_domain.as_ref().is_some_and(|domain| provider::provider_kind(domain).is_some()) {
        return mended_domain;
    }
    let nearest = OFTEN_MISSPELLED.iter().find(|known| is_meant(candidate, known));
    nearest.and_then(|(label, top_level)| Domain::parse(&format!("{label}.{top_level}")).ok()).or(mended_domain)
}

fn mend_top_level(name: &str) -> Option<String> {
    let (rest, top_level) = name.rsplit_once('.')?;
    let (meant, _) = TOP_LEVEL_TYPOS.iter().find(|(_, typos)| typos.contains(&top_level))?;
    Some(format!("{rest}.{meant}"))
}

/// `gmail.co`, `gmailc.om` and `gmailcom` are slips; `gmail.fr` and `yahoo.cn` are other countries.
fn is_meant(name: &str, &(known, known_top_level): &(&str, &str)) -> bool {
    let (label, top_level) = name.split_once('.').unwrap_or((name, ""));
    if top_level == known_top_level {
        return is_misspelling(label, known);
    }
    let truncated = matches!(top_level, "co" | "cm" | "om") && known_top_level == "com";
    (truncated && is_misspelling(label, known)) || is_shifted(name, known, known_top_level)
}

fn is_misspelling(label: &str, known: &str) -> bool {
    let allowed = if known.len() <= SHORT_LABEL_OCTETS { 1 } else { 2 };
    if label.len().abs_diff(known.len()) > allowed || label.len() > MAX_LABEL_OCTETS {
        return false;
    }
    match distance(label.as_bytes(), known.as_bytes()) {
        0 | 1 => true,
        // Two slips are believed only when the word still begins as it should.
        2 => label.get(..1) == known.get(..1) && (allowed == 2 || is_anagram(label, known)),
        _ => false,
    }
}

/// Whether the letters are right and only the dot is missing or misplaced, or the last letter was cut off.
fn is_shifted(name: &str, known: &str, known_top_level: &str) -> bool {
    let letters = || name.bytes().filter(|&byte| byte != b'.');
    let cut_off = name
        .strip_prefix(known)
        .and_then(|rest| rest.strip_prefix('.'))
        .is_some_and(|top_level| top_level.len() == 1 && known_top_level.starts_with(top_level));
    cut_off || letters().eq(known.bytes().chain(known_top_level.bytes().filter(|&byte| byte != b'.')))
}

fn is_anagram(left: &str, right: &str) -> bool {
    let sorted = |text: &str| {
        let mut letters: Vec<u8> = text.bytes().collect();
        letters.sort_unstable();
        letters
    };
    sorted(left) == sorted(right)
}

/// Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours. Both sides have at most
/// [`MAX_LABEL_OCTETS`] octets.
fn distance(left: &[u8], right: &[u8]) -> usize {
    let at = |line: &[usize; MAX_LABEL_OCTETS + 1], column: usize| line.get(column).copied().unwrap_or(usize::MAX / 2);
    let mut before = [0; MAX_LABEL_OCTETS + 1];
    let mut above: [usize; MAX_LABEL_OCTETS + 1] = std::array::from_fn(|column| column);
    for (row, &a) in left.iter().enumerate() {
        let mut current = [row + 1; MAX_LABEL_OCTETS + 1];
        for (column, &b) in right.iter().enumerate() {
            let substituted = at(&above, column) + usize::from(a != b);
            let mut best = substituted.min(at(&above, column + 1) + 1).min(at(&current, column) + 1);
            if row > 0 && column > 0 && left.get(row - 1) == Some(&b) && right.get(column - 1) == Some(&a) {
                best = best.min(at(&before, column - 1) + 1);
            }
            if let Some(cell) = current.get_mut(column + 1) {
                *cell = best;
            }
        }
        before = above;
        above = current;
    }
    at(&above, right.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_gets_a_suggestion() {
        for (text, expected) in [
            ("gmial.com", Some("gmail.com")),
            ("gamil.com", Some("gmail.com")),
            ("gmail.con", Some("gmail.com")),
            ("gmail.co", Some("gmail.com")),
            ("gnail.con", Some("gmail.com")),
            ("gmailc.om", Some("gmail.com")),
            ("hotmial.com", Some("hotmail.com")),
            ("hotmal.com", Some("hotmail.com")),
            ("yaho.com", Some("yahoo.com")),
            ("outlok.com", Some("outlook.com")),
            ("iclod.com", Some("icloud.com")),
            ("small-company.cmo", Some("small-company.com")),
            ("hotail.co.uk", Some("hotmail.co.uk")),
            ("ymail.con", Some("ymail.com")),
            ("gmila.com", Some("gmail.com")),
            ("gmailcom", Some("gmail.com")),
            ("orange.f", Some("orange.fr")),
        ] {
            let domain = Domain::parse(text).expect(text);
            assert_eq!(suggest_domain(&domain).as_ref().map(Domain::as_str), expected, "{text}");
        }
    }

    #[test]
    fn known_providers_and_other_countries_get_none() {
        for text in [
            "gmail.com",
            "ymail.com",
            "mail.com",
            "gmx.fr",
            "yahoo.co.uk",
            "gmail.co.uk",
            "yahoo.cn",
            "gm.com",
            "something.co",
            "example.com",
            "fastmail.fm",
        ] {
            let domain = Domain::parse(text).expect(text);
            assert_eq!(suggest_domain(&domain), None, "{text}");
        }
    }

    #[test]
    fn distance_counts_keystrokes() {
        for (left, right, expected) in [
            ("gmail", "gmail", 0),
            ("gmial", "gmail", 1),
            ("gmil", "gmail", 1),
            ("", "abc", 3),
            ("abc", "", 3),
            ("htomali", "hotmail", 2),
        ] {
            assert_eq!(distance(left.as_bytes(), right.as_bytes()), expected, "{left} {right}");
        }
    }
}
