//! Tags of a DMARC record that say nothing (RFC 9989 §4.7): a name that nobody knows, a value that is none.

use super::{
    dmarc_policy::Policy,
    finding::{Finding, FindingCode},
};

/// Tags with a list of words for values; of `fo` there may be several, with colons.
const WITH_WORDS: [(&str, &[&str]); 8] = [
    ("p", &["none", "quarantine", "reject"]),
    ("sp", &["none", "quarantine", "reject"]),
    ("np", &["none", "quarantine", "reject"]),
    ("adkim", &["r", "s"]),
    ("aspf", &["r", "s"]),
    ("t", &["n", "y"]),
    ("psd", &["n", "u", "y"]),
    ("fo", &["0", "1", "d", "s"]),
];
/// Tags that are free, or judged elsewhere.
const OTHERS: [&str; 6] = ["v", "rua", "ruf", "pct", "rf", "ri"];

pub(super) fn findings(policy: &Policy<'_>) -> Vec<Finding> {
    let tags = policy.tags();
    let wrong = WITH_WORDS.into_iter().filter_map(|(name, words)| {
        let value = tags.iter().find(|(tag, _)| tag == name).map(|(_, value)| value)?;
        let is_word = |item: &str| words.iter().any(|word| item.trim().eq_ignore_ascii_case(word));
        (!value.split(':').all(is_word)).then(|| bad_value(policy, name, value, words))
    });
    let is_known = |tag: &str| OTHERS.contains(&tag) || WITH_WORDS.iter().any(|(name, _)| *name == tag);
    let unknown = tags.iter().filter(|(tag, _)| !is_known(tag)).map(|(tag, _)| unknown_tag(policy, tag));
    wrong.chain(unknown).collect()
}

fn bad_value(policy: &Policy<'_>, name: &str, value: &str, words: &[&str]) -> Finding {
    let detail = format!("{name}={value} at {} is none of {}, so it does not count.", policy.name, words.join(", "));
    let instead = if name == "p" { Some("reject") } else { None };
    policy.rewrite(FindingCode::DmarcBadValue, detail, &[(name, instead)])
}

fn unknown_tag(policy: &Policy<'_>, tag: &str) -> Finding {
    let detail = format!("Nobody knows the tag {tag} of the DMARC record at {}, so it is ignored.", policy.name);
    policy.rewrite(FindingCode::DmarcUnknownTag, detail, &[(tag, None)])
}
