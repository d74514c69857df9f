//! What is known about domains by name: throw-away, forwarding, free and paid mailbox providers, and which top-level
//! domains exist. A finite state transducer over reversed names, read in place.
//!
//! The program carries one, made of the sources when it was built. A newer list may take its place while it runs: an object
//! of text, `gatepost-domains 1 YYYY-MM-DD SHA-256` and a line for each name, of which [`DomainList::read`] makes a
//! transducer of its own. Nobody else's transducer is ever walked: it could lead anywhere.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use fst::{Map, MapBuilder, Streamer, raw::Node};
use jiff::civil::Date;
use ring::digest::{SHA256, digest};

use crate::address::Domain;
use crate::api_key::hex;

/// First word and version of an object.
const MAGIC: &str = "gatepost-domains 1";

/// A larger object is refused unread.
pub const MAX_OBJECT_OCTETS: usize = 8 * 1024 * 1024;

/// An object with fewer names than this share of the embedded list was cut off or filtered by mistake; so was one with fewer
/// top-level domains.
const LEAST_SHARE_PERCENT: usize = 50;

/// The top-level domain of examples (RFC 6761 §6.5), which is not in the root zone and stands for one that is.
const DOCUMENTATION: &str = "example";

/// The date of the sources, a line feed, the transducer.
static EMBEDDED_FILE: &[u8] = include_bytes!("../data/domains.fst");

static EMBEDDED: LazyLock<Arc<DomainList>> = LazyLock::new(|| {
    Arc::new(
        DomainList::open(EMBEDDED_FILE).expect("the file in this program was made of its sources, which a test checks"),
    )
});

/// So many sources have to name a domain before those whose mail it receives, or whose name servers it has, are thought to
/// be of it: lists name large mail hosts and registrars, too.
pub const MIN_SOURCES_OF_HOST: u8 = 2;

/// What a domain is known as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A top-level domain of the root zone. It says nothing about the names under it.
    TopLevel,
    /// Anyone can open a mailbox there.
    Free,
    /// Mailboxes come with an internet access or a subscription.
    Paid,
    /// Forwards to a lasting mailbox elsewhere, and hides it: not disposable.
    Alias,
    /// Hands out throw-away mailboxes.
    Disposable,
    /// Listed as disposable, and a misspelling of a well-known provider: whoever types it means the other one.
    TypoSquat,
}

/// Whether a listed name speaks for the names under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// A provider that hands out sub-domains too.
    SubDomains,
    /// Other people's names are registered under it, or it hands out none.
    NameOnly,
}

/// One name's entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Listing {
    pub class: Class,
    /// How many of the sources name it: 1 to 31. More sources, more confidence.
    pub sources: u8,
    pub reach: Reach,
}

/// What a list knows about a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Of the name itself, or of the nearest parent that speaks for it.
    pub listing: Option<Listing>,
    /// Whether the last label of a name with several is in the root zone.
    pub is_under_top_level: bool,
}

impl Found {
    /// Goes on below a listed parent.
    fn pass(&mut self, parent: Option<Listing>) {
        match parent {
            Some(listing) if listing.class == Class::TopLevel => self.is_under_top_level = true,
            Some(listing) if listing.reach == Reach::SubDomains => self.listing = Some(listing),
            Some(_) | None => {}
        }
    }
}

/// Why a list is not taken.
#[derive(Debug, thiserror::Error)]
pub enum DomainListError {
    #[error("more than {MAX_OBJECT_OCTETS} octets")]
    TooLarge,
    #[error("the first line is not \"{MAGIC} DATE SHA-256\"")]
    Header,
    #[error("the digest is not the one of the first line")]
    Digest,
    #[error("line {0} is no domain with its class and the number of its sources")]
    Line(usize),
    #[error("not a transducer")]
    Transducer(#[from] fst::Error),
    #[error("{found} names, of which there were {embedded} before")]
    TooFew { found: usize, embedded: usize },
    #[error("older than the list in this program, which is of {embedded}")]
    Older { embedded: Date },
    #[error("{0} would be called disposable")]
    KnownProvider(String),
}

/// A list of domains.
pub struct DomainList {
    names: Map<Cow<'static, [u8]>>,
    built: Date,
}

impl DomainList {
    /// The list in this program.
    #[must_use]
    pub fn embedded() -> Arc<Self> {
        Arc::clone(&EMBEDDED)
    }

    /// Reads a newer list, and believes it only when nothing speaks against it. Linear, but for the sorting of the names.
    ///
    /// # Errors
    /// What speaks against it: damage, an older date, far fewer names, or a mailbox provider known to this program that
    /// it calls disposable.
    pub fn read(object: &[u8]) -> Result<Self, DomainListError> {
        if MAX_OBJECT_OCTETS < object.len() {
            return Err(DomainListError::TooLarge);
        }
        let (built, sum, body) = parts(object)?;
        if hex(digest(&SHA256, body).as_ref()) != sum {
            return Err(DomainListError::Digest);
        }
        let names = body.split(|&octet| octet == b'\n').enumerate().filter(|(_, line)| !line.is_empty());
        let named = |(place, line): (usize, &[u8])| read_line(line).ok_or(DomainListError::Line(place + 2));
        let list = Self::of(&names.map(named).collect::<Result<_, _>>()?, built)?;
        list.check_against(&EMBEDDED)?;
        Ok(list)
    }

    /// A list of these names.
    ///
    /// # Errors
    /// Never in practice: the transducer is made in memory, in the order of its keys.
    pub fn of(names: &BTreeMap<String, Listing>, built: Date) -> Result<Self, DomainListError> {
        Ok(Self { names: Map::new(Cow::Owned(transducer(names)?))?, built })
    }

    /// The file that a program carries.
    ///
    /// # Errors
    /// As [`DomainList::of`].
    pub fn file(names: &BTreeMap<String, Listing>, built: Date) -> Result<Vec<u8>, DomainListError> {
        let mut file = format!("{built}\n").into_bytes();
        file.extend(transducer(names)?);
        Ok(file)
    }

    /// The object that running programs take over; the reader above is its only reader.
    #[must_use]
    pub fn object(names: &BTreeMap<String, Listing>, built: Date) -> Vec<u8> {
        let body: String = names.iter().map(|(name, listing)| format!("{name} {}\n", listing.to_words())).collect();
        let sum = hex(digest(&SHA256, body.as_bytes()).as_ref());
        format!("{MAGIC} {built} {sum}\n{body}").into_bytes()
    }

    /// What is known about a name: one walk from the top-level domain to the left, without allocation.
    #[must_use]
    pub fn find(&self, domain: &Domain) -> Found {
        let fst = self.names.as_fst();
        let (mut node, mut value) = (fst.root(), 0);
        let mut found = Found { listing: None, is_under_top_level: domain.top_level() == DOCUMENTATION };
        for octet in domain.as_str().bytes().rev() {
            if octet == b'.' {
                found.pass(entry(&node, value));
            }
            let Some(index) = node.find_input(octet) else { return found };
            let transition = node.transition(index);
            value += transition.out.value();
            node = fst.node(transition.addr);
        }
        found.listing = entry(&node, value).or(found.listing);
        found
    }

    /// The entry of a name, or of the nearest parent that speaks for it.
    #[must_use]
    pub fn listing(&self, domain: &Domain) -> Option<Listing> {
        self.find(domain).listing
    }

    /// What the domain is known as; see [`DomainList::listing`].
    #[must_use]
    pub fn class(&self, domain: &Domain) -> Option<Class> {
        self.listing(domain).map(|listing| listing.class)
    }

    /// Whether the last label is in the root zone, or is the one of documentation (RFC 6761 §6.5).
    #[must_use]
    pub fn is_top_level(&self, label: &str) -> bool {
        let key: Vec<u8> = label.bytes().rev().collect();
        label == DOCUMENTATION || self.names.get(key).is_some()
    }

    /// When the sources were taken.
    #[must_use]
    pub fn built(&self) -> Date {
        self.built
    }

    /// How many names it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Every name with its entry, for tools and tests; allocates.
    #[must_use]
    pub fn to_names(&self) -> BTreeMap<String, Listing> {
        let mut names = BTreeMap::new();
        let mut stream = self.names.stream();
        while let Some((key, value)) = stream.next() {
            let name: String = key.iter().rev().map(|&octet| char::from(octet)).collect();
            names.extend(Listing::from_value(value).map(|listing| (name, listing)));
        }
        names
    }

    fn open(file: &'static [u8]) -> Result<Self, DomainListError> {
        let end = file.iter().position(|&octet| octet == b'\n').ok_or(DomainListError::Header)?;
        let (date, rest) = file.split_at_checked(end).ok_or(DomainListError::Header)?;
        let built = std::str::from_utf8(date).ok().and_then(|date| date.parse().ok()).ok_or(DomainListError::Header)?;
        Ok(Self { names: Map::new(Cow::Borrowed(rest.get(1..).unwrap_or_default()))?, built })
    }

    fn check_against(&self, embedded: &Self) -> Result<(), DomainListError> {
        if self.built < embedded.built {
            return Err(DomainListError::Older { embedded: embedded.built });
        }
        let (here, before) = (self.to_names(), embedded.to_names());
        let top_level =
            |names: &BTreeMap<String, Listing>| names.values().filter(|of| of.class == Class::TopLevel).count();
        for (found, embedded) in [(here.len(), before.len()), (top_level(&here), top_level(&before))] {
            if found * 100 < embedded * LEAST_SHARE_PERCENT {
                return Err(DomainListError::TooFew { found, embedded });
            }
        }
        let lasting = before.iter().filter(|(_, listing)| listing.class.is_lasting());
        for domain in lasting.filter_map(|(name, _)| Domain::parse(name).ok()) {
            if self.class(&domain) == Some(Class::Disposable) {
                return Err(DomainListError::KnownProvider(domain.to_string()));
            }
        }
        Ok(())
    }
}

impl Class {
    /// Every class, at the place of its number in an object.
    const ALL: [Self; 6] = [Self::TopLevel, Self::Free, Self::Paid, Self::Alias, Self::Disposable, Self::TypoSquat];

    /// The word of an object.
    const fn as_str(self) -> &'static str {
        match self {
            Self::TopLevel => "top-level",
            Self::Free => "free",
            Self::Paid => "paid",
            Self::Alias => "alias",
            Self::Disposable => "disposable",
            Self::TypoSquat => "typo-squat",
        }
    }

    /// Whether mailboxes there are meant to last.
    #[must_use]
    pub const fn is_lasting(self) -> bool {
        matches!(self, Self::Free | Self::Paid | Self::Alias)
    }
}

impl Listing {
    const MAX_SOURCES: u8 = 31;

    /// Three bits of class, one of reach, five of sources.
    fn to_value(self) -> u64 {
        let class = Class::ALL.iter().position(|&class| class == self.class).unwrap_or_default();
        let reach = usize::from(self.reach == Reach::NameOnly);
        let sources = usize::from(self.sources.min(Self::MAX_SOURCES));
        u64::try_from(class | reach << 3 | sources << 4).unwrap_or_default()
    }

    /// `disposable 3`; `disposable= 3` where the name does not speak for those below it.
    fn to_words(self) -> String {
        let mark = if self.reach == Reach::NameOnly { "=" } else { "" };
        format!("{}{mark} {}", self.class.as_str(), self.sources)
    }

    fn from_words(class: &str, sources: &str) -> Option<Self> {
        let word = class.trim_end_matches('=');
        let reach = if word.len() < class.len() { Reach::NameOnly } else { Reach::SubDomains };
        let class = Class::ALL.into_iter().find(|known| known.as_str() == word)?;
        let sources = sources.parse().ok().filter(|sources| (1..=Self::MAX_SOURCES).contains(sources))?;
        // A top-level domain that spoke for what is below it would speak for everybody.
        let is_sound = class != Class::TopLevel || reach == Reach::NameOnly;
        is_sound.then_some(Self { class, sources, reach })
    }

    fn from_value(value: u64) -> Option<Self> {
        let class = *Class::ALL.get(usize::try_from(value & 7).ok()?)?;
        let reach = if value & 8 == 0 { Reach::SubDomains } else { Reach::NameOnly };
        let sources = u8::try_from(value >> 4).ok().filter(|&sources| sources <= Self::MAX_SOURCES)?;
        Some(Self { class, sources, reach })
    }
}

fn entry(node: &Node<'_>, value: u64) -> Option<Listing> {
    if node.is_final() { Listing::from_value(value + node.final_output().value()) } else { None }
}

fn transducer(names: &BTreeMap<String, Listing>) -> Result<Vec<u8>, fst::Error> {
    let mut reversed: Vec<(Vec<u8>, u64)> =
        names.iter().map(|(name, listing)| (name.bytes().rev().collect(), listing.to_value())).collect();
    reversed.sort_unstable();
    let mut builder = MapBuilder::memory();
    for (key, value) in reversed {
        builder.insert(key, value)?;
    }
    builder.into_inner()
}

/// Date, digest and lines.
fn parts(object: &[u8]) -> Result<(Date, &str, &[u8]), DomainListError> {
    let end = object.iter().take(200).position(|&octet| octet == b'\n').ok_or(DomainListError::Header)?;
    let (line, body) = object.split_at_checked(end).ok_or(DomainListError::Header)?;
    let line =
        std::str::from_utf8(line).ok().and_then(|line| line.strip_prefix(MAGIC)).ok_or(DomainListError::Header)?;
    let (date, sum) = line.trim_start().split_once(' ').ok_or(DomainListError::Header)?;
    let built = date.parse().map_err(|_| DomainListError::Header)?;
    Ok((built, sum, body.get(1..).unwrap_or_default()))
}

fn read_line(line: &[u8]) -> Option<(String, Listing)> {
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let (name, class, sources) = (words.next()?, words.next()?, words.next()?);
    let listing = Listing::from_words(class, sources).filter(|_| words.next().is_none())?;
    // Only a top-level domain is a single label: any other would speak for everything under it.
    let is_sound = name.contains('.') || listing.class == Class::TopLevel;
    let domain = Domain::parse(name).ok().filter(|domain| domain.as_str() == name && is_sound)?;
    Some((domain.to_string(), listing))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn domain(text: &str) -> Domain {
        Domain::parse(text).expect(text)
    }

    /// Every name of the embedded list, so that a test can change some.
    fn names() -> BTreeMap<String, Listing> {
        EMBEDDED.to_names()
    }

    fn later() -> Date {
        EMBEDDED.built().tomorrow().expect("before the end of time")
    }

    fn refusal(object: &[u8]) -> String {
        DomainList::read(object).err().map(|error| error.to_string()).unwrap_or_default()
    }

    /// With a right digest, whatever the lines are.
    fn object_of(lines: &str, built: Date) -> Vec<u8> {
        let sum = hex(digest(&SHA256, lines.as_bytes()).as_ref());
        format!("{MAGIC} {built} {sum}\n{lines}").into_bytes()
    }

    #[test]
    fn a_name_speaks_for_itself_or_for_what_is_below_it() {
        for (text, expected) in [
            ("gmail.com", Some(Class::Free)),
            ("mail.gmail.com", None),
            ("comcast.net", Some(Class::Paid)),
            ("duck.com", Some(Class::Alias)),
            ("ann.anonaddy.com", Some(Class::Alias)),
            ("mailinator.com", Some(Class::Disposable)),
            ("a.b.mailinator.com", Some(Class::Disposable)),
            ("ourmailinator-archive.com", None),
            ("mailinator.com.example", None),
            ("tempomailusa.com", Some(Class::Disposable)),
            ("gmial.com", Some(Class::TypoSquat)),
            ("pp.ua", Some(Class::Disposable)),
            ("school.pp.ua", None),
            ("com", Some(Class::TopLevel)),
            ("example.com", None),
            ("xn--p1ai", Some(Class::TopLevel)),
        ] {
            assert_eq!(EMBEDDED.class(&domain(text)), expected, "{text}");
        }
    }

    #[test]
    fn the_nearest_entry_decides() {
        let listing = |class, reach| Listing { class, sources: 3, reach };
        let names = BTreeMap::from([
            ("example.com".to_owned(), listing(Class::Disposable, Reach::SubDomains)),
            ("good.example.com".to_owned(), listing(Class::Alias, Reach::SubDomains)),
            ("exact.example.com".to_owned(), listing(Class::Free, Reach::NameOnly)),
        ]);
        let list = DomainList::of(&names, date(2026, 1, 1)).expect("in memory");
        for (text, expected) in [
            ("example.com", Some(Class::Disposable)),
            ("bad.example.com", Some(Class::Disposable)),
            ("a.good.example.com", Some(Class::Alias)),
            ("exact.example.com", Some(Class::Free)),
            ("a.exact.example.com", Some(Class::Disposable)),
            ("anexample.com", None),
            ("com", None),
        ] {
            assert_eq!(list.class(&domain(text)), expected, "{text}");
        }
        assert_eq!((list.len(), list.to_names()), (3, names));
    }

    #[test]
    fn the_embedded_list_is_below_a_megabyte_and_its_own_object_is_believed() {
        assert!(EMBEDDED_FILE.len() <= 1_000_000, "{}", EMBEDDED_FILE.len());
        let list = DomainList::read(&DomainList::object(&names(), EMBEDDED.built())).expect("its own object");
        assert_eq!(list.to_names(), names());
    }

    #[test]
    fn a_newer_object_is_believed_with_what_it_adds() {
        let mut names = names();
        let added = Listing { class: Class::Disposable, sources: 1, reach: Reach::SubDomains };
        names.insert("throw-away.example".to_owned(), added);
        let list = DomainList::read(&DomainList::object(&names, later())).expect("a newer list");
        assert_eq!(list.listing(&domain("mx.throw-away.example")), Some(added));
        assert_eq!((list.built(), EMBEDDED.class(&domain("throw-away.example"))), (later(), None));
    }

    #[test]
    fn an_object_that_cannot_be_believed_is_refused_for_a_reason() {
        let good = DomainList::object(&names(), later());
        let mut flipped = good.clone();
        *flipped.last_mut().expect("octets") ^= 1;
        let mut cut_off = good.clone();
        cut_off.truncate(good.len() / 2);
        let few = names().into_iter().take(1_000).collect();
        let without_top_level = names().into_iter().filter(|(_, listing)| listing.class != Class::TopLevel).collect();
        let mut hostile = names();
        hostile
            .insert("gmail.com".to_owned(), Listing { class: Class::Disposable, sources: 9, reach: Reach::NameOnly });
        let yesterday = EMBEDDED.built().yesterday().expect("a day");
        for (object, expected) in [
            (Vec::new(), "the first line is not"),
            (b"gatepost-domains 2 2030-01-01 00\n".to_vec(), "the first line is not"),
            (vec![b'a'; 10_000], "the first line is not"),
            (vec![0; MAX_OBJECT_OCTETS + 1], "more than"),
            (flipped, "the digest is not"),
            (cut_off, "the digest is not"),
            (DomainList::object(&few, later()), "1000 names"),
            (DomainList::object(&without_top_level, later()), "0 names"),
            (DomainList::object(&names(), yesterday), "older than"),
            (DomainList::object(&hostile, later()), "gmail.com would be called disposable"),
        ] {
            let refusal = refusal(&object);
            assert!(refusal.starts_with(expected), "{expected}: {refusal}");
        }
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        for line in [
            "com disposable 3",
            "com top-level 1",
            "example.com",
            "example.com disposable",
            "example.com disposable 0",
            "example.com disposable 32",
            "example.com disposable 3 more",
            "example.com unknown 3",
            "Example.com disposable 3",
            "exa mple.com disposable 3",
            "bücher.example disposable 3",
            "\u{0} disposable 3",
        ] {
            let refusal = refusal(&object_of(&format!("example.org free= 1\n{line}\n"), later()));
            assert!(refusal.starts_with("line 3 is no domain"), "{line}: {refusal}");
        }
    }

    #[test]
    fn an_entry_survives_its_encoding() {
        for class in Class::ALL {
            for (sources, reach) in [(1, Reach::SubDomains), (31, Reach::NameOnly)] {
                let listing = Listing { class, sources, reach };
                assert_eq!(Listing::from_value(listing.to_value()), Some(listing));
                let words = listing.to_words();
                let (class, sources) = words.split_once(' ').expect("two words");
                let is_sound = (class, reach) != ("top-level", Reach::SubDomains);
                assert_eq!(Listing::from_words(class, sources), is_sound.then_some(listing));
            }
        }
        assert_eq!((Listing::from_value(7), Listing::from_value(1 << 20)), (None, None));
    }
}
