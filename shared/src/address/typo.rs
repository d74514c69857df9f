//! Misspelled domains of well-known providers, and misspelled top-level domains.
//!
//! A name that is known as somebody's mailbox provider is never called misspelled, and one country's top-level domain is
//! never changed into another's: both are real names that people have.

use super::Domain;
use super::keyboard::{CHEAP, COSTLY, slip_cost};
use crate::domain_list::{Class, DomainList, Found};

/// Coined names that few real domains are near to, the most used first. Names of fewer than five letters (`aol`, `gmx`,
/// `live`) and ordinary words (`orange`, `charter`) are one keystroke away from too many real ones.
const BRANDS: [Brand; 30] = [
    Brand::new("gmail"),
    Brand::new("yahoo"),
    Brand::new("hotmail"),
    Brand::new("outlook"),
    Brand::new("icloud"),
    Brand::new("protonmail"),
    Brand::new("proton"),
    Brand::new("googlemail"),
    Brand::new("yandex"),
    Brand::new("comcast"),
    Brand::new("sbcglobal"),
    Brand::new("verizon"),
    Brand::new("bellsouth"),
    Brand::new("earthlink"),
    Brand::new("btinternet"),
    Brand::new("wanadoo"),
    Brand::new("laposte"),
    Brand::new("t-online"),
    Brand::new("rediffmail"),
    Brand::new("rocketmail"),
    Brand::new("fastmail"),
    Brand::new("tutanota"),
    Brand::new("bigpond"),
    Brand::new("optusnet"),
    Brand::new("optonline"),
    Brand::new("mindspring"),
    Brand::new("sympatico"),
    Brand::new("virgilio"),
    Brand::new("rambler"),
    Brand::new("seznam"),
];

/// Whole names, for a dot that was left out or misplaced and an end that was cut off.
const NAMES: [Brand; 28] = [
    Brand::new("gmail.com"),
    Brand::new("yahoo.com"),
    Brand::new("hotmail.com"),
    Brand::new("outlook.com"),
    Brand::new("icloud.com"),
    Brand::new("aol.com"),
    Brand::new("live.com"),
    Brand::new("msn.com"),
    Brand::new("protonmail.com"),
    Brand::new("googlemail.com"),
    Brand::new("comcast.net"),
    Brand::new("sbcglobal.net"),
    Brand::new("verizon.net"),
    Brand::new("yahoo.co.uk"),
    Brand::new("hotmail.co.uk"),
    Brand::new("yahoo.co.in"),
    Brand::new("yahoo.com.br"),
    Brand::new("yahoo.fr"),
    Brand::new("yahoo.de"),
    Brand::new("hotmail.fr"),
    Brand::new("hotmail.de"),
    Brand::new("hotmail.it"),
    Brand::new("orange.fr"),
    Brand::new("wanadoo.fr"),
    Brand::new("laposte.net"),
    Brand::new("gmx.net"),
    Brand::new("t-online.de"),
    Brand::new("web.de"),
];

/// Providers whose names are registered under other ends to catch mail.
const SQUATTED: [&str; 9] = [
    "gmail.com",
    "yahoo.com",
    "hotmail.com",
    "outlook.com",
    "icloud.com",
    "aol.com",
    "msn.com",
    "live.com",
    "googlemail.com",
];

/// What an unknown top-level domain may have been meant as, the most used first.
const TOP_LEVEL: [&str; 5] = ["com", "net", "org", "edu", "info"];

/// Two letters, where a third was hit with them.
const COUNTRIES: [&str; 12] = ["uk", "de", "fr", "it", "es", "nl", "be", "ch", "br", "au", "ca", "ru"];

/// Ends of two parts that large providers have names under.
const TWO_PARTS: [&str; 9] = ["co.uk", "com.br", "co.in", "com.au", "com.mx", "com.ar", "co.jp", "co.id", "com.tr"];

/// Up to this length one keystroke may be wrong, or two that are easily made; beyond it one of each kind.
const SHORT_LABEL_OCTETS: usize = 6;

/// A dot is put into `smallcompanycom` only behind so many letters.
const LEAST_JOINED_OCTETS: usize = 5;

struct Brand {
    label: &'static str,
    letters: u32,
}

impl Brand {
    const fn new(label: &'static str) -> Self {
        Self { label, letters: letters(label.as_bytes()) }
    }

    /// Words are seldom begun with a wrong letter, unless it is the key beside the right one, or one too many or few.
    fn tolerance(&self, label: &str, same_start: bool) -> u32 {
        let is_shifted = self.label.ends_with(label) || label.ends_with(self.label);
        match (same_start, self.label.len() > SHORT_LABEL_OCTETS) {
            (true, true) => COSTLY + CHEAP,
            (true, false) => COSTLY,
            (false, _) if is_shifted => COSTLY,
            (false, _) => CHEAP,
        }
    }
}

/// The domain that was probably meant, or `None`: for a name that is known, and whenever in doubt.
///
/// `found` is what `list` knows about the domain.
#[must_use]
pub fn suggest_domain(domain: &Domain, found: Found, list: &DomainList) -> Option<Domain> {
    if found.listing.is_some_and(|listing| listing.class.is_lasting() || listing.class == Class::Disposable) {
        return None;
    }
    let name = domain.as_str();
    let mended = if found.is_under_top_level { None } else { mend_top_level(name) };
    let candidate = mended.as_deref().unwrap_or(name);
    if is_provider(candidate, list) {
        return Domain::parse(candidate).ok();
    }
    let joined = joined(name);
    let of_brand =
        || [Some(candidate), joined.as_deref()].into_iter().flatten().find_map(|name| misspelled_brand(name, list));
    let meant = misplaced_dot(candidate).or_else(of_brand).or(mended).or(joined);
    let meant = meant.and_then(|meant| Domain::parse(&meant).ok()).filter(|meant| meant != domain);
    let is_squat = found.listing.is_some_and(|listing| listing.class == Class::TypoSquat);
    meant.or_else(|| if is_squat { squatted_provider(domain) } else { None })
}

/// The provider whose name a listed throw-away domain carries, under whatever end: only for those does it count, as others
/// may have the name by right.
#[must_use]
pub fn squatted_provider(domain: &Domain) -> Option<Domain> {
    let (label, _) = domain.as_str().split_once('.')?;
    let is_squatted =
        |provider: &&&str| provider.split('.').next().is_some_and(|brand| slip_cost(label, brand) <= CHEAP);
    Domain::parse(SQUATTED.iter().find(is_squatted)?).ok().filter(|provider| provider != domain)
}

/// The name with the top-level domain that was meant, when the one it has does not exist.
fn mend_top_level(name: &str) -> Option<String> {
    let (rest, top_level) = name.rsplit_once('.')?;
    if top_level.len() > 6 || top_level.starts_with("xn--") {
        return None;
    }
    let is_near =
        |meant: &str| slip_cost(top_level, meant) <= COSTLY || (meant.len() == 3 && top_level.starts_with(meant));
    let has_more =
        |country: &str| top_level.len() == 3 && (top_level.starts_with(country) || top_level.ends_with(country));
    let generic = TOP_LEVEL.into_iter().find(|meant| is_near(meant));
    let meant = generic.or_else(|| COUNTRIES.into_iter().find(|country| has_more(country)))?;
    Some([rest, ".", meant].concat())
}

/// `gmial.com`, and `hotmial.se` because `hotmail.se` is known; `gmail.co` and `gmial.cm` are cut off.
fn misspelled_brand(name: &str, list: &DomainList) -> Option<String> {
    let (label, end) = name.split_once('.')?;
    let letters = letters(label.as_bytes());
    let end = meant_end(end, list);
    let near = BRANDS.iter().filter(|brand| is_misspelling(label, letters, brand));
    near.map(|brand| [brand.label, ".", end].concat()).find(|meant| is_provider(meant, list))
}

/// `com` for what it is cut off or doubled to, and the two-part end that a mistyped one is next to.
fn meant_end<'t>(end: &'t str, list: &DomainList) -> &'t str {
    if matches!(end, "co" | "cm" | "om" | "co.com" | "com.com") {
        return "com";
    }
    let is_mistyped = end.contains('.') && !TWO_PARTS.contains(&end);
    let same_country = |meant: &&str| !list.is_top_level(top_level(end)) || top_level(meant) == top_level(end);
    let mut near = TWO_PARTS.into_iter().filter(|meant| is_mistyped && slip_cost(end, meant) <= COSTLY);
    near.find(same_country).unwrap_or(end)
}

fn top_level(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or_default()
}

fn is_misspelling(label: &str, letters: u32, brand: &Brand) -> bool {
    let same_start = label.get(..1) == brand.label.get(..1);
    // Cheap to compute, and enough for nearly every name: two slips change at most four of the letters that occur.
    let changed = (letters ^ brand.letters).count_ones();
    if changed > if same_start { 4 } else { 2 } || label.len().abs_diff(brand.label.len()) > 2 {
        return false;
    }
    slip_cost(label, brand.label) <= brand.tolerance(label, same_start)
        || (same_start && is_anagram(label, brand.label))
}

/// `gmailc.om` and `gmailcom` have the right letters; `orange.f` lacks the last one.
fn misplaced_dot(name: &str) -> Option<String> {
    let letters = letters(name.as_bytes());
    let without_dots = || name.bytes().filter(|&octet| octet != b'.');
    let is_cut_off = |known: &str| name.len() + 1 == known.len() && known.starts_with(name) && name.contains('.');
    // At most the one letter that was cut off is missing, and the dot.
    let is_near = |known: &&Brand| (letters ^ known.letters).count_ones() <= 2;
    let is_meant = |known: &&Brand| {
        without_dots().eq(known.label.bytes().filter(|&octet| octet != b'.')) || is_cut_off(known.label)
    };
    NAMES.iter().filter(is_near).find(is_meant).map(|known| known.label.to_owned())
}

/// `smallcompanycom`, and `smallcompanyc.om`.
fn joined(name: &str) -> Option<String> {
    let whole = match name.split_once('.') {
        None => name.to_owned(),
        Some((label, "om")) if label.ends_with('c') => [label, "om"].concat(),
        Some(_) => return None,
    };
    let top_level = TOP_LEVEL.into_iter().take(3).find(|top_level| whole.ends_with(top_level))?;
    let rest =
        whole.strip_suffix(top_level).filter(|rest| LEAST_JOINED_OCTETS <= rest.len() && !rest.ends_with('-'))?;
    Some([rest, ".", top_level].concat())
}

fn is_provider(name: &str, list: &DomainList) -> bool {
    Domain::parse(name).is_ok_and(|domain| matches!(list.class(&domain), Some(Class::Free | Class::Paid)))
}

fn is_anagram(left: &str, right: &str) -> bool {
    let count = |text: &str, letter: u8| text.bytes().filter(|&octet| octet == letter).count();
    left.len() == right.len() && left.bytes().all(|letter| count(left, letter) == count(right, letter))
}

/// Which of `a` to `z` occur, and in one more bit whether anything else does.
const fn letters(label: &[u8]) -> u32 {
    let (mut found, mut rest) = (0, label);
    while let [octet, tail @ ..] = rest {
        found |= 1 << if octet.is_ascii_lowercase() { *octet - b'a' } else { 26 };
        rest = tail;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suggested(text: &str) -> Option<String> {
        let (domain, list) = (Domain::parse(text).expect(text), DomainList::embedded());
        suggest_domain(&domain, list.find(&domain), &list).map(|domain| domain.to_string())
    }

    #[test]
    fn a_slip_of_the_finger_gets_a_suggestion() {
        for (text, expected) in [
            ("gmial.com", "gmail.com"),
            ("gamil.com", "gmail.com"),
            ("gmaill.com", "gmail.com"),
            ("gmailll.com", "gmail.com"),
            ("gnaik.com", "gmail.com"),
            ("gmmial.com", "gmail.com"),
            ("gmail.con", "gmail.com"),
            ("gmail.co", "gmail.com"),
            ("gnail.con", "gmail.com"),
            ("gmailc.om", "gmail.com"),
            ("gmailcom", "gmail.com"),
            ("gmila.com", "gmail.com"),
            ("hotmial.com", "hotmail.com"),
            ("hotmal.com", "hotmail.com"),
            ("htomali.com", "hotmail.com"),
            ("hotmail.couk", "hotmail.co.uk"),
            ("hotail.co.uk", "hotmail.co.uk"),
            ("hotmial.se", "hotmail.se"),
            ("yaho.com", "yahoo.com"),
            ("yahooo.co.ukk", "yahoo.co.uk"),
            ("yahoo.co.k", "yahoo.co.uk"),
            ("hotmial.cco.uk", "hotmail.co.uk"),
            ("hotamilcom", "hotmail.com"),
            ("outlok.com", "outlook.com"),
            ("iclod.com", "icloud.com"),
            ("ymail.con", "ymail.com"),
            ("aol.cmo", "aol.com"),
            ("orange.f", "orange.fr"),
            ("small-company.cmo", "small-company.com"),
            ("small-company.orgg", "small-company.org"),
            ("smallcompanycom", "smallcompany.com"),
            ("smallcompanyc.om", "smallcompany.com"),
            ("gmail.net", "gmail.com"),
            ("aoll.com", "aol.com"),
        ] {
            assert_eq!(suggested(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn known_providers_other_countries_and_strangers_get_none() {
        for text in [
            "gmail.com",
            "ymail.com",
            "hmail.com",
            "mail.com",
            "gmx.fr",
            "yahoo.co.uk",
            "gmail.co.uk",
            "yahoo.cn",
            "gm.com",
            "something.co",
            "small-company.cm",
            "example.com",
            "fastmail.fm",
            "mailinator.com",
            "localhost",
            "bücher.example",
            "small-company.xn--p1ai",
        ] {
            assert_eq!(suggested(text), None, "{text}");
        }
    }

    #[test]
    fn a_suggestion_needs_no_further_one() {
        for text in ["gmial.con", "yahooo.co.ukk", "hotmailcom", "small-company.cmo"] {
            let meant = suggested(text).expect(text);
            assert_eq!(suggested(&meant), None, "{text}: {meant}");
        }
    }
}
