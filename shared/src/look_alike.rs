//! Names that read like other names: characters of other scripts (UTS 39), digits for letters, letters swapped.

use unicode_security::confusable_detection::skeleton;

use crate::address::{Domain, slip_cost};

/// Names that are imitated often, each long enough that nothing else reads like it by chance.
const WELL_KNOWN: [&str; 56] = [
    "paypal",
    "amazon",
    "google",
    "microsoft",
    "facebook",
    "instagram",
    "whatsapp",
    "netflix",
    "linkedin",
    "twitter",
    "dropbox",
    "spotify",
    "docusign",
    "coinbase",
    "binance",
    "wellsfargo",
    "bankofamerica",
    "citibank",
    "barclays",
    "santander",
    "revolut",
    "stripe",
    "shopify",
    "github",
    "gitlab",
    "salesforce",
    "oracle",
    "intuit",
    "quickbooks",
    "royalmail",
    "roblox",
    "discord",
    "telegram",
    "tiktok",
    "youtube",
    "walmart",
    "costco",
    "bestbuy",
    "alibaba",
    "aliexpress",
    "airbnb",
    "expedia",
    "office365",
    "samsung",
    "mastercard",
    "americanexpress",
    "capitalone",
    "fidelity",
    "schwab",
    "metamask",
    "cloudflare",
    "mailchimp",
    "sendgrid",
    "twilio",
    "atlassian",
    "slack",
];

/// Shorter labels are near to too many others to be compared by more than their shape.
const LEAST_SWAPPED_OCTETS: usize = 6;

/// One wrong letter, whichever it is.
const ONE_SLIP: u32 = 2;

/// Names to compare with. Built once, from the configuration.
#[derive(Debug, Clone)]
pub struct LookAlikes {
    /// What each name reads like, and the name; in the order of the former.
    by_shape: Vec<(String, String)>,
    /// First labels of protected domains, and the domains.
    protected: Vec<(String, String)>,
}

impl LookAlikes {
    /// `protected` domains are compared more strictly than the well-known names: one wrong letter is enough.
    #[must_use]
    pub fn new(protected: &[Domain]) -> Self {
        let first_label = |domain: &Domain| domain.labels().next().unwrap_or_default().to_owned();
        let protected: Vec<_> = protected.iter().map(|domain| (first_label(domain), domain.to_string())).collect();
        let well_known = WELL_KNOWN.iter().map(|&label| (label.to_owned(), label.to_owned()));
        let names = well_known.chain(protected.iter().cloned());
        let mut by_shape: Vec<_> = names.map(|(label, name)| (shape(&label), name)).collect();
        by_shape.sort_unstable();
        Self { by_shape, protected }
    }

    /// The protected domain or well-known name that a label of this domain reads like without being it.
    #[must_use]
    pub fn imitated(&self, domain: &Domain) -> Option<&str> {
        if self.protected.iter().any(|(_, name)| domain.ancestors().any(|parent| parent == name)) {
            return None;
        }
        let unicode = domain.unicode();
        let mut labels = unicode.rsplit('.').skip(1);
        labels.find_map(|label| self.imitated_by(label))
    }

    fn imitated_by(&self, label: &str) -> Option<&str> {
        if WELL_KNOWN.contains(&label) || self.protected.iter().any(|(protected, _)| protected == label) {
            return None;
        }
        let by_shape = || self.of_shape(&shape(label));
        let is_near = |(protected, _): &&(String, String)| {
            LEAST_SWAPPED_OCTETS <= protected.len() && slip_cost(label, protected) <= ONE_SLIP
        };
        let near_protected = || self.protected.iter().find(is_near).map(|(_, name)| name.as_str());
        by_shape().or_else(near_protected).or_else(|| swapped(label))
    }

    fn of_shape(&self, shape: &str) -> Option<&str> {
        let place = self.by_shape.binary_search_by(|(known, _)| known.as_str().cmp(shape)).ok()?;
        self.by_shape.get(place).map(|(_, name)| name.as_str())
    }
}

/// The well-known name of which two neighbouring letters are swapped.
fn swapped(label: &str) -> Option<&'static str> {
    let same_length = WELL_KNOWN.iter().filter(|name| LEAST_SWAPPED_OCTETS <= name.len() && name.len() == label.len());
    same_length.copied().find(|name| is_swap(label.as_bytes(), name.as_bytes()))
}

fn is_swap(one: &[u8], other: &[u8]) -> bool {
    let mut differing = one.iter().zip(other).enumerate().filter(|(_, (a, b))| a != b);
    match (differing.next(), differing.next(), differing.next()) {
        (Some((at, (a, b))), Some((next, (c, d))), None) => at + 1 == next && a == d && b == c,
        _ => false,
    }
}

/// What a label reads like: its skeleton (UTS 39 §4), with the digits and pairs of letters that pass for others at a glance.
fn shape(label: &str) -> String {
    let mut shape = String::with_capacity(label.len());
    for c in label.chars() {
        if c.is_ascii() {
            push_folded(&mut shape, c);
        } else {
            skeleton(c.encode_utf8(&mut [0; 4])).for_each(|prototype| push_folded(&mut shape, prototype));
        }
    }
    shape
}

/// Appends a character; `rn` becomes `m`, and `vv` becomes `w`.
fn push_folded(shape: &mut String, c: char) {
    let folded = match c.to_ascii_lowercase() {
        '0' => 'o',
        '1' | 'i' | '|' => 'l',
        '3' => 'e',
        '4' => 'a',
        '5' => 's',
        '8' => 'b',
        other => other,
    };
    let pair = match (shape.chars().next_back(), folded) {
        (Some('r'), 'n') => Some('m'),
        (Some('v'), 'v') => Some('w'),
        _ => None,
    };
    if pair.is_some() {
        shape.pop();
    }
    shape.push(pair.unwrap_or(folded));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(text: &str) -> Domain {
        Domain::parse(text).expect(text)
    }

    #[test]
    fn a_name_that_reads_like_another_is_told_from_it() {
        let look_alikes = LookAlikes::new(&[domain("fabrikam.example")]);
        for (text, expected) in [
            ("paypa1.com", Some("paypal")),
            ("paypai.com", Some("paypal")),
            ("PAYPAI.com", Some("paypal")),
            ("g00gle.com", Some("google")),
            ("googIe.com", Some("google")),
            ("rnicrosoft.com", Some("microsoft")),
            ("t\u{43e}w.paypa\u{4cf}.com", Some("paypal")),
            ("login.paypa1.example", Some("paypal")),
            ("amazno.com", Some("amazon")),
            ("fabr1kam.example", Some("fabrikam.example")),
            ("fabrkam.com", Some("fabrikam.example")),
            ("fabrikan.com", Some("fabrikam.example")),
            ("paypal.com", None),
            ("paypal.de", None),
            ("mail.fabrikam.example", None),
            ("amazing.com", None),
            ("example.com", None),
            ("paypa1", None),
        ] {
            assert_eq!(look_alikes.imitated(&domain(text)), expected, "{text}");
        }
    }
}
