//! Names that read like other names: characters of other scripts (UTS 39), digits for letters, letters swapped.

use std::borrow::Cow;

use icu_normalizer::DecomposingNormalizerBorrowed;
use icu_properties::CodePointMapData;
use icu_properties::props::{GeneralCategory, GeneralCategoryGroup};
use unicode_security::confusable_detection::skeleton;

use crate::address::{Domain, slip_cost};

/// Names that are imitated often, each long enough that nothing else reads like it by chance.
pub(crate) const WELL_KNOWN: [&str; 58] = [
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
    "apple",
    "chase",
];

/// Shorter labels are near to too many others to be compared by more than their shape.
const LEAST_SWAPPED_OCTETS: usize = 6;

/// Shorter names are not compared at all: `ing` reads like too many.
const LEAST_COMPARED_OCTETS: usize = 4;

/// One wrong letter, whichever it is.
const ONE_SLIP: u32 = 2;

/// Second levels under which names are registered, as in `example.co.uk`.
const SECOND_LEVELS: [&str; 10] = ["co", "com", "org", "net", "gov", "edu", "ac", "or", "ne", "go"];

/// Names to compare with. Built once, from the configuration.
#[derive(Debug, Clone)]
pub struct LookAlikes {
    /// What each name reads like, and the name; in the order of the former.
    by_shape: Vec<(String, String)>,
    protected: Vec<Protected>,
}

/// A domain of the team's own.
#[derive(Debug, Clone)]
struct Protected {
    domain: String,
    /// Of the name in it.
    shape: String,
}

impl LookAlikes {
    /// `protected` domains are compared more strictly than the well-known names: one wrong letter is enough, and so is the
    /// same name under another end.
    #[must_use]
    pub fn new(protected: &[Domain]) -> Self {
        let protected: Vec<Protected> = protected.iter().map(Protected::of).collect();
        let well_known = WELL_KNOWN.iter().map(|&name| (shape(name), name.to_owned()));
        let own = protected.iter().map(|own| (own.shape.clone(), own.domain.clone()));
        let is_long = |(shape, _): &(String, String)| LEAST_COMPARED_OCTETS <= shape.len();
        let mut by_shape: Vec<_> = well_known.chain(own).filter(is_long).collect();
        by_shape.sort_unstable();
        Self { by_shape, protected }
    }

    /// The protected domain or well-known name that a label of this domain reads like without being it.
    #[must_use]
    pub fn imitated(&self, domain: &Domain) -> Option<&str> {
        if self.protected.iter().any(|own| domain.ancestors().any(|parent| parent == own.domain)) {
            return None;
        }
        let unicode = domain.unicode();
        let mut labels = unicode.rsplit('.').skip(1);
        labels.find_map(|label| self.imitated_by(label))
    }

    fn imitated_by(&self, label: &str) -> Option<&str> {
        if WELL_KNOWN.contains(&label) {
            return None;
        }
        let shape = shape(label);
        let is_near = |own: &&Protected| {
            let is_long = LEAST_SWAPPED_OCTETS <= own.shape.len();
            is_long && slip_cost(&shape, &own.shape) <= ONE_SLIP
        };
        let near = || self.protected.iter().find(is_near).map(|own| own.domain.as_str());
        self.of_shape(&shape).or_else(near).or_else(|| swapped(label))
    }

    fn of_shape(&self, shape: &str) -> Option<&str> {
        let place = self.by_shape.binary_search_by(|(known, _)| known.as_str().cmp(shape)).ok()?;
        self.by_shape.get(place).map(|(_, name)| name.as_str())
    }
}

impl Protected {
    fn of(domain: &Domain) -> Self {
        let unicode = domain.unicode();
        let mut labels: Vec<&str> = unicode.split('.').collect();
        labels.pop();
        if 1 < labels.len() && labels.last().is_some_and(|label| SECOND_LEVELS.contains(label)) {
            labels.pop();
        }
        Self { domain: domain.to_string(), shape: shape(labels.last().copied().unwrap_or_default()) }
    }
}

/// Whether a label is a name that is imitated often.
#[must_use]
pub fn is_well_known(label: &str) -> bool {
    WELL_KNOWN.contains(&label)
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

/// What a label reads like: its skeleton (UTS 39 §4) without marks, with the digits and pairs of letters that pass for
/// others at a glance.
pub(crate) fn shape(label: &str) -> String {
    let mut shape = String::with_capacity(label.len());
    let plain = if label.is_ascii() { Cow::Borrowed(label) } else { without_marks(label) };
    for c in plain.chars() {
        if c.is_ascii() {
            push_folded(&mut shape, c);
        } else {
            skeleton(c.encode_utf8(&mut [0; 4])).for_each(|prototype| push_folded(&mut shape, prototype));
        }
    }
    shape
}

pub(crate) fn without_marks(label: &str) -> Cow<'_, str> {
    let decomposed = DecomposingNormalizerBorrowed::new_nfd().normalize(label);
    let is_mark = |c: &char| GeneralCategoryGroup::Mark.contains(CodePointMapData::<GeneralCategory>::new().get(*c));
    Cow::Owned(decomposed.chars().filter(|c| !is_mark(c)).map(|c| if c == 'ł' { 'l' } else { c }).collect())
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
        let protected = ["fabrikam.example", "mail.contoso.co.uk", "müller.de", "ing.nl"].map(domain);
        let look_alikes = LookAlikes::new(&protected);
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
            ("fabrikam.net", Some("fabrikam.example")),
            ("contosso.com", Some("mail.contoso.co.uk")),
            ("contoso.net", Some("mail.contoso.co.uk")),
            ("m\u{fc}Iler.de", Some("xn--mller-kva.de")),
            ("m\u{f6}ller.de", Some("xn--mller-kva.de")),
            ("micros\u{1ecd}ft.com", Some("microsoft")),
            ("g\u{f6}\u{f6}gle.com", Some("google")),
            ("paypa\u{142}.com", Some("paypal")),
            ("app1e.com", Some("apple")),
            ("mall.com", None),
            ("lng.com", None),
            ("1ng.com", None),
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
