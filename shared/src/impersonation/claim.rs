//! Whose name a display name has in it, however it is spelt.

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::CodePointMapData;
use icu_properties::props::GeneralCategory;

use super::brand::{Brand, Brands};
use crate::{
    display_name::MAX_DISPLAY_NAME,
    look_alike::{shape, without_marks},
};

/// Letters of the longest name that pieces are joined for.
const MOST_LETTERS: usize = 20;

/// Names below this are not looked for in pieces or at the start of a word: `Chas E.`, `Appleton`.
const LEAST_JOINED: usize = 6;

/// Words that stand in front of a name, and behind it in one word, and say nothing of who writes.
const FILLERS: [&str; 62] = [
    "the",
    "your",
    "my",
    "our",
    "dear",
    "from",
    "team",
    "official",
    "new",
    "re",
    "fwd",
    "a",
    "an",
    "de",
    "ihr",
    "ihre",
    "mein",
    "votre",
    "su",
    "access",
    "account",
    "accounts",
    "admin",
    "alert",
    "alerts",
    "app",
    "billing",
    "care",
    "center",
    "centre",
    "client",
    "customer",
    "desk",
    "help",
    "helpdesk",
    "id",
    "important",
    "info",
    "inc",
    "invoice",
    "it",
    "login",
    "mail",
    "message",
    "news",
    "notice",
    "notification",
    "notifications",
    "noreply",
    "online",
    "pay",
    "payment",
    "payments",
    "safe",
    "secure",
    "security",
    "service",
    "services",
    "support",
    "update",
    "verification",
    "verify",
];

/// Words that name who acts for somebody: `Reports by Agency`.
const ACTS_FOR: [&str; 8] = ["via", "by", "at", "from", "von", "par", "por", "bei"];

/// A name of somebody else.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim<'b> {
    pub(super) brand: &'b Brand,
    /// Nothing but words that say nothing stands in front of it.
    pub(super) leads: bool,
    /// Nothing but such words stands around it.
    pub(super) is_all: bool,
    /// Spelt so that it only looks like the name: nobody honest does that.
    pub(super) is_disguised: bool,
    /// The author's own name is given besides.
    pub(super) names_author: bool,
}

impl Claim<'_> {
    fn weight(&self) -> (bool, bool, bool, bool) {
        (self.is_disguised, self.leads && !self.names_author, self.brand.domain.is_some(), self.is_all)
    }
}

/// The plainest claim to a name that `is_own` does not grant. `own_label` is what the author's domain is known by.
pub(super) fn claim<'b>(
    name: &str,
    brands: &'b Brands,
    own_label: &str,
    is_own: impl Fn(&Brand) -> bool,
) -> Option<Claim<'b>> {
    let pieces = pieces(name);
    let runs = (0..pieces.len()).flat_map(|start| runs_from(&pieces, start, brands));
    let foreign = runs.filter(|run| !is_own(run.brand));
    let claims = foreign.map(|run| {
        let is_filler = |piece: &Piece| FILLERS.contains(&piece.plain.as_str());
        let (before, after) = (pieces.get(..run.start), pieces.get(run.end..));
        let leads = before.is_some_and(|before| before.iter().all(is_filler));
        let after = after.unwrap_or_default();
        Claim {
            brand: run.brand,
            leads,
            is_all: leads && after.iter().all(is_filler),
            is_disguised: run.is_disguised,
            names_author: names_author(after, own_label),
        }
    });
    claims.max_by_key(Claim::weight)
}

/// `Reports | Agency` of agency.example says who writes.
fn names_author(after: &[Piece], own_label: &str) -> bool {
    let mut acts = false;
    after.iter().any(|piece| {
        let is_named = (acts || piece.is_set_off) && piece.plain == own_label;
        acts = ACTS_FOR.contains(&piece.plain.as_str());
        is_named
    })
}

/// What stands between two breaks: of words, of `camelCase`, of letters and digits.
#[derive(Debug, Default, PartialEq, Eq)]
struct Piece {
    /// Without marks and invisible characters, in compatibility forms.
    text: String,
    /// The same in lower case.
    plain: String,
    /// White space or punctuation stands in front of it.
    is_apart: bool,
    /// More than that: a bar, a dash, a bracket.
    is_set_off: bool,
    /// A character that nobody sees stands in or before it, within a word.
    is_hidden: bool,
}

/// Of longer names the rest is not read: those are kept back for their length.
fn pieces(name: &str) -> Vec<Piece> {
    let name: String = name.chars().take(MAX_DISPLAY_NAME).collect();
    let composed = ComposingNormalizerBorrowed::new_nfkc().normalize(&name);
    let marked: String = composed.chars().map(|c| if is_unseen(c) { UNSEEN } else { c }).collect();
    let mut pieces: Vec<Piece> = Vec::new();
    let (mut last, mut hidden, mut set_off) = (' ', false, false);
    for c in without_marks(&marked).chars() {
        match c {
            UNSEEN => hidden |= last.is_alphanumeric(),
            c if c.is_alphanumeric() => {
                if breaks(last, c) || pieces.is_empty() {
                    let is_apart = !last.is_alphanumeric();
                    pieces.push(Piece { is_apart, is_set_off: set_off, is_hidden: hidden, ..Piece::default() });
                }
                if let Some(piece) = pieces.last_mut() {
                    piece.text.push(c);
                    piece.is_hidden |= hidden;
                }
                (last, hidden, set_off) = (c, false, false);
            }
            c => {
                set_off |= matches!(
                    c,
                    '|' | '-' | '\u{2013}' | '\u{2014}' | '(' | '[' | '/' | '@' | ':' | '\u{b7}' | '\u{2022}'
                );
                (last, hidden) = (c, false);
            }
        }
    }
    pieces.iter_mut().for_each(|piece| piece.plain = without_marks(&piece.text.to_lowercase()).into_owned());
    pieces
}

/// A character of no name, for those that nobody sees.
const UNSEEN: char = '\u{2060}';

fn is_unseen(character: char) -> bool {
    let is_format = CodePointMapData::<GeneralCategory>::new().get(character) == GeneralCategory::Format;
    is_format || matches!(character, '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}')
}

fn breaks(last: char, next: char) -> bool {
    let is_camel = last.is_lowercase() && next.is_uppercase();
    !last.is_alphanumeric() || is_camel || last.is_numeric() != next.is_numeric()
}

/// Pieces that read like a name together.
struct Run<'b> {
    brand: &'b Brand,
    start: usize,
    end: usize,
    is_disguised: bool,
}

fn runs_from<'b>(pieces: &[Piece], start: usize, brands: &'b Brands) -> Vec<Run<'b>> {
    let mut joined = String::new();
    let mut runs = Vec::new();
    for end in start + 1..=pieces.len() {
        let Some(run) = pieces.get(start..end) else { break };
        let Some(last) = run.last() else { break };
        joined.push_str(&last.text);
        if MOST_LETTERS < joined.chars().count() {
            break;
        }
        let is_whole = run.len() == 1;
        if let Some(brand) = brands.of_shape(&shape(&joined)).filter(|brand| is_whole || may_be_joined(run, brand)) {
            let lower = without_marks(&joined.to_lowercase()).into_owned();
            let is_hidden = run.iter().any(|piece| piece.is_hidden);
            let is_disguised =
                is_hidden || is_spelt_out(run) || !(lower == brand.label || brand.label.starts_with("xn--"));
            runs.push(Run { brand, start, end, is_disguised });
        }
        if is_whole {
            runs.extend(glued(last, brands).map(|brand| Run { brand, start, end, is_disguised: last.is_hidden }));
        }
    }
    runs
}

/// `Pay Pal`, `P.a.y.P.a.l`; short names only where each letter stands alone.
fn may_be_joined(run: &[Piece], brand: &Brand) -> bool {
    LEAST_JOINED <= brand.label.len() || is_spelt_out(run) || !run.iter().skip(1).any(|piece| piece.is_apart)
}

fn is_spelt_out(run: &[Piece]) -> bool {
    let is_single = |piece: &Piece| piece.text.chars().count() == 1;
    4 < run.len() && run.iter().all(is_single) && run.iter().skip(1).all(|piece| piece.is_apart)
}

/// `paypalservice`
fn glued<'b>(piece: &Piece, brands: &'b Brands) -> Option<&'b Brand> {
    let whole = shape(&piece.plain);
    brands.long().find(|brand| {
        let is_long = LEAST_JOINED <= brand.shape.len();
        let rest = || whole.strip_prefix(&brand.shape).filter(|rest| !rest.is_empty());
        is_long && rest().is_some_and(|rest| FILLERS.iter().any(|filler| shape(filler) == rest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Domain;

    fn claimed(name: &str) -> String {
        let protected = ["paypal.com", "fabrikam.example"].map(|name| Domain::parse(name).expect("a domain"));
        let brands = Brands::new(&protected);
        let Some(claim) = claim(name, &brands, "agency", |_| false) else { return String::new() };
        let facts =
            [(claim.is_disguised, " disguised"), (claim.leads, " leads"), (claim.names_author, " names the author")];
        let told: String = facts.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect();
        format!("{}{told}", claim.brand.label)
    }

    #[test]
    fn a_name_is_read_however_it_is_spelt() {
        for (name, expected) in [
            ("PayPal", "paypal leads"),
            ("Your PayPal account", "paypal leads"),
            ("Pay Pal Service", "paypal leads"),
            ("PayPalService", "paypal leads"),
            ("paypalservice", "paypal leads"),
            ("FABRIKAM365 Security", "fabrikam leads"),
            ("Wells Fargo Alerts", "wellsfargo leads"),
            ("P\u{e1}ypal", "paypal leads"),
            ("Paypa\u{301}l", "paypal leads"),
            ("\u{ff30}ay\u{1d40f}\u{1d41a}\u{1d425}", "paypal leads"),
            ("P a y P a l", "paypal disguised leads"),
            ("P.a.y.P.a.l", "paypal disguised leads"),
            ("A p p l e", "apple disguised leads"),
            ("PayPa1 Service", "paypal disguised leads"),
            ("PayPaI", "paypal disguised leads"),
            ("Rnicrosoft Account", "microsoft disguised leads"),
            ("Pay\u{ad}Pal", "paypal disguised leads"),
            ("Pay\u{200b}Pal", "paypal disguised leads"),
            ("p\u{2060}aypal", "paypal disguised leads"),
            ("\u{440}aypal", "paypal disguised leads"),
            ("Ann Lee, PayPal", "paypal"),
            ("Parcel Desk of Fabrikam", "fabrikam"),
            ("PayPal Report | Agency", "paypal leads names the author"),
            ("PayPal reports by Agency", "paypal leads names the author"),
        ] {
            assert_eq!(claimed(name), expected, "{name:?}");
        }
    }

    #[test]
    fn a_word_that_only_begins_like_a_name_is_none() {
        for name in [
            "",
            "Ann Applegate",
            "Fabrikamer",
            "Amazonas Reisen",
            "App Le",
            "Chas E. Lee",
            "Slacker",
            "Googler",
            "\u{200b}\u{200b}",
            "株式会社サンプル",
        ] {
            assert_eq!(claimed(name), "", "{name:?}");
        }
    }
}
