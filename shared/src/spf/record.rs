//! The grammar of an SPF record (RFC 7208 §12). A record is checked as a whole before any of it is evaluated (§4.6).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::macro_string::{MacroError, MacroString};

/// What a TXT record can hold (RFC 1035 §3.2.1).
const MAX_RECORD_OCTETS: usize = 65_535;

const VERSION: &[u8] = b"v=spf1";

/// A record: who may send, and what else is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// In the order in which they are tried.
    pub directives: Vec<Directive>,
    /// Whose record decides when no directive matches (RFC 7208 §6.1).
    pub redirect: Option<MacroString>,
    /// Where the words for a fail are (RFC 7208 §6.2).
    pub explanation: Option<MacroString>,
}

/// What it means when a mechanism matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    pub qualifier: Qualifier,
    pub mechanism: Mechanism,
}

/// RFC 7208 §4.6.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Qualifier {
    Pass,
    Fail,
    SoftFail,
    Neutral,
}

/// RFC 7208 §5. Without a target it is the domain of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mechanism {
    All,
    Include(MacroString),
    A {
        target: Option<MacroString>,
        prefix_lengths: PrefixLengths,
    },
    Mx {
        target: Option<MacroString>,
        prefix_lengths: PrefixLengths,
    },
    Ptr(Option<MacroString>),
    /// An `ip4` or `ip6` mechanism. Only the length for the family of the address has a meaning.
    Ip {
        network: IpAddr,
        prefix_lengths: PrefixLengths,
    },
    Exists(MacroString),
}

/// `dual-cidr-length`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrefixLengths {
    /// At most 32.
    pub ip4: u8,
    /// At most 128.
    pub ip6: u8,
}

/// The first thing that makes a record a permerror.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("the record does not begin with v=spf1")]
    Version,
    #[error("the record is not ASCII")]
    NotAscii,
    #[error("the record is longer than a TXT record can be")]
    TooLong,
    #[error("{:?} is not a mechanism", .0)]
    UnknownMechanism(String),
    #[error("{mechanism} cannot have the argument {argument:?}")]
    Argument { mechanism: String, argument: String },
    #[error("{:?} is not an address", .0)]
    Address(String),
    #[error("{:?} is not a prefix length that fits the address", .0)]
    PrefixLength(String),
    #[error("{:?} is not the name of a modifier", .0)]
    ModifierName(String),
    #[error("{0}= is there twice")]
    Twice(&'static str),
    #[error("{argument:?}: {source}")]
    Macro { argument: String, source: MacroError },
}

/// Whether a TXT record is an SPF record, however broken (RFC 7208 §4.5).
#[must_use]
pub fn is_spf(text: &[u8]) -> bool {
    let Some((version, rest)) = text.split_at_checked(VERSION.len()) else { return false };
    version.eq_ignore_ascii_case(VERSION) && matches!(rest.first(), None | Some(b' '))
}

impl Record {
    /// Parses the whole record; `text` is that of one TXT record.
    ///
    /// # Errors
    /// The first term that breaks the grammar, which makes the result permerror (RFC 7208 §4.6).
    pub fn parse(text: &[u8]) -> Result<Self, RecordError> {
        if text.len() > MAX_RECORD_OCTETS {
            return Err(RecordError::TooLong);
        }
        if !is_spf(text) {
            return Err(RecordError::Version);
        }
        let text = std::str::from_utf8(text).ok().filter(|text| text.is_ascii()).ok_or(RecordError::NotAscii)?;
        let mut record = Self::default();
        for term in text.split(' ').skip(1).filter(|term| !term.is_empty()) {
            record.add(term)?;
        }
        Ok(record)
    }

    fn add(&mut self, term: &str) -> Result<(), RecordError> {
        let (name, argument) = term.split_at(term.find([':', '/', '=']).unwrap_or(term.len()));
        match argument.strip_prefix('=') {
            Some(value) => self.add_modifier(name, value),
            None => Directive::parse(name, argument).map(|directive| self.directives.push(directive)),
        }
    }

    /// A known modifier is not allowed to pass for an unknown one when its value is broken.
    fn add_modifier(&mut self, name: &str, value: &str) -> Result<(), RecordError> {
        if name.eq_ignore_ascii_case("redirect") {
            set_once(&mut self.redirect, "redirect", value)
        } else if name.eq_ignore_ascii_case("exp") {
            set_once(&mut self.explanation, "exp", value)
        } else if is_modifier_name(name) {
            MacroString::modifier_value(value).map(drop).map_err(in_argument(value))
        } else {
            Err(RecordError::ModifierName(name.to_owned()))
        }
    }
}

impl Directive {
    fn parse(name: &str, argument: &str) -> Result<Self, RecordError> {
        let (qualifier, name) = Qualifier::split(name);
        Ok(Self { qualifier, mechanism: Mechanism::parse(name, argument)? })
    }
}

impl Qualifier {
    fn split(name: &str) -> (Self, &str) {
        let after = |sign, qualifier| name.strip_prefix(sign).map(|name| (qualifier, name));
        after('+', Self::Pass)
            .or_else(|| after('-', Self::Fail))
            .or_else(|| after('~', Self::SoftFail))
            .or_else(|| after('?', Self::Neutral))
            .unwrap_or((Self::Pass, name))
    }
}

impl Mechanism {
    /// `argument` is empty or begins with `:` or `/`.
    fn parse(name: &str, argument: &str) -> Result<Self, RecordError> {
        let refused = || RecordError::Argument { mechanism: name.to_owned(), argument: argument.to_owned() };
        match name.to_ascii_lowercase().as_str() {
            "all" if argument.is_empty() => Ok(Self::All),
            "all" => Err(refused()),
            "include" => target(argument, refused)?.ok_or_else(refused).map(Self::Include),
            "exists" => target(argument, refused)?.ok_or_else(refused).map(Self::Exists),
            "ptr" => target(argument, refused).map(Self::Ptr),
            "a" => {
                let (argument, prefix_lengths) = PrefixLengths::split(argument)?;
                Ok(Self::A { target: target(argument, refused)?, prefix_lengths })
            }
            "mx" => {
                let (argument, prefix_lengths) = PrefixLengths::split(argument)?;
                Ok(Self::Mx { target: target(argument, refused)?, prefix_lengths })
            }
            "ip4" => Self::parse_ip4(argument.strip_prefix(':').ok_or_else(refused)?),
            "ip6" => Self::parse_ip6(argument.strip_prefix(':').ok_or_else(refused)?),
            _ => Err(RecordError::UnknownMechanism(name.to_owned())),
        }
    }

    fn parse_ip4(text: &str) -> Result<Self, RecordError> {
        let (address, ip4) = split_length(text, "/", PrefixLengths::HOST.ip4)?;
        let address: Ipv4Addr = address.parse().map_err(|_| RecordError::Address(address.to_owned()))?;
        Ok(Self::Ip { network: address.into(), prefix_lengths: PrefixLengths { ip4, ..PrefixLengths::HOST } })
    }

    fn parse_ip6(text: &str) -> Result<Self, RecordError> {
        let (address, ip6) = split_length(text, "/", PrefixLengths::HOST.ip6)?;
        let address: Ipv6Addr = address.parse().map_err(|_| RecordError::Address(address.to_owned()))?;
        Ok(Self::Ip { network: address.into(), prefix_lengths: PrefixLengths { ip6, ..PrefixLengths::HOST } })
    }
}

impl PrefixLengths {
    /// What holds when nothing is said: all bits count.
    pub const HOST: Self = Self { ip4: 32, ip6: 128 };

    /// Whether an address is in the network of another. Addresses of different families never are.
    #[must_use]
    pub fn contain(self, network: IpAddr, address: IpAddr) -> bool {
        match (network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                (network.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(self.ip4)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                (network.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(self.ip6)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }

    fn split(argument: &str) -> Result<(&str, Self), RecordError> {
        let (argument, ip6) = split_length(argument, "//", Self::HOST.ip6)?;
        let (argument, ip4) = split_length(argument, "/", Self::HOST.ip4)?;
        Ok((argument, Self { ip4, ip6 }))
    }
}

/// What follows the slashes, when that is a number. Otherwise they belong to a name.
fn split_length<'a>(argument: &'a str, slashes: &str, longest: u8) -> Result<(&'a str, u8), RecordError> {
    match argument.rsplit_once(slashes) {
        Some((rest, digits)) if !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()) => {
            let is_padded = digits.len() > 1 && digits.starts_with('0');
            let length = digits.parse().ok().filter(|length| !is_padded && *length <= longest);
            length.map(|length| (rest, length)).ok_or_else(|| RecordError::PrefixLength(digits.to_owned()))
        }
        _ => Ok((argument, longest)),
    }
}

fn target(argument: &str, refused: impl Fn() -> RecordError) -> Result<Option<MacroString>, RecordError> {
    if argument.is_empty() {
        return Ok(None);
    }
    let spec = argument.strip_prefix(':').ok_or_else(refused)?;
    MacroString::domain_spec(spec).map(Some).map_err(in_argument(spec))
}

fn set_once(modifier: &mut Option<MacroString>, name: &'static str, value: &str) -> Result<(), RecordError> {
    let spec = MacroString::domain_spec(value).map_err(in_argument(value))?;
    match modifier.replace(spec) {
        Some(_) => Err(RecordError::Twice(name)),
        None => Ok(()),
    }
}

fn in_argument(argument: &str) -> impl Fn(MacroError) -> RecordError {
    move |source| RecordError::Macro { argument: argument.to_owned(), source }
}

fn is_modifier_name(name: &str) -> bool {
    let is_expected = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.');
    name.starts_with(|first: char| first.is_ascii_alphabetic()) && name.bytes().all(is_expected)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spec(text: &str) -> MacroString {
        MacroString::domain_spec(text).expect(text)
    }

    fn only_directive(record: &str) -> Directive {
        let record = Record::parse(record.as_bytes()).expect(record);
        let [directive] = record.directives.try_into().expect("one directive");
        directive
    }

    #[test]
    fn an_spf_record_begins_with_its_version_and_a_space() {
        for (text, expected) in [
            ("v=spf1", true),
            ("V=SPF1 -all", true),
            ("v=spf1 ", true),
            ("v=spf10 -all", false),
            ("v=spf1\t-all", false),
            (" v=spf1 -all", false),
            ("v=spf", false),
            ("", false),
        ] {
            assert_eq!(is_spf(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn a_mechanism_has_a_qualifier_a_target_and_prefix_lengths() {
        let host = PrefixLengths::HOST;
        let a = |target, prefix_lengths| Mechanism::A { target, prefix_lengths };
        let ip =
            |network: &str, prefix_lengths| Mechanism::Ip { network: network.parse().expect(network), prefix_lengths };
        for (record, qualifier, mechanism) in [
            ("v=spf1 -all", Qualifier::Fail, Mechanism::All),
            ("v=spf1 +ALL", Qualifier::Pass, Mechanism::All),
            ("v=spf1 ~include:a.example", Qualifier::SoftFail, Mechanism::Include(spec("a.example"))),
            ("v=spf1 ?exists:%{i}.a.example", Qualifier::Neutral, Mechanism::Exists(spec("%{i}.a.example"))),
            ("v=spf1 ptr", Qualifier::Pass, Mechanism::Ptr(None)),
            ("v=spf1 a", Qualifier::Pass, a(None, host)),
            ("v=spf1 a/24", Qualifier::Pass, a(None, PrefixLengths { ip4: 24, ip6: 128 })),
            ("v=spf1 a//64", Qualifier::Pass, a(None, PrefixLengths { ip4: 32, ip6: 64 })),
            ("v=spf1 a:b.example/0//0", Qualifier::Pass, a(Some(spec("b.example")), PrefixLengths { ip4: 0, ip6: 0 })),
            ("v=spf1 a:b/24.example", Qualifier::Pass, a(Some(spec("b/24.example")), host)),
            ("v=spf1 mx", Qualifier::Pass, Mechanism::Mx { target: None, prefix_lengths: host }),
            ("v=spf1 ip4:192.0.2.0/24", Qualifier::Pass, ip("192.0.2.0", PrefixLengths { ip4: 24, ..host })),
            ("v=spf1 ip6:2001:db8::/32", Qualifier::Pass, ip("2001:db8::", PrefixLengths { ip6: 32, ..host })),
            ("v=spf1 ip6:::192.0.2.1", Qualifier::Pass, ip("::192.0.2.1", host)),
        ] {
            assert_eq!(only_directive(record), Directive { qualifier, mechanism }, "{record}");
        }
    }

    #[test]
    fn modifiers_stand_anywhere_and_unknown_ones_are_ignored() {
        let record = Record::parse(b"v=spf1 moo.cow-far_out=man:dog/cat EXP=e.example  a redirect=r.example x= ");
        let record = record.expect("a valid record");
        assert_eq!((record.redirect, record.explanation), (Some(spec("r.example")), Some(spec("e.example"))));
        assert_eq!(record.directives.len(), 1);
    }

    #[test]
    fn a_broken_record_names_the_term_that_breaks_it() {
        let argument = |mechanism: &str, argument: &str| RecordError::Argument {
            mechanism: mechanism.to_owned(),
            argument: argument.to_owned(),
        };
        let in_macro = |argument: &str, source| RecordError::Macro { argument: argument.to_owned(), source };
        for (record, error) in [
            ("v=spf2 -all", RecordError::Version),
            ("v=spf1 \u{fc}a -all", RecordError::NotAscii),
            ("v=spf1 ip4:192.0.2.1 -all moo", RecordError::UnknownMechanism("moo".to_owned())),
            ("v=spf1 -all.", RecordError::UnknownMechanism("all.".to_owned())),
            ("v=spf1 -", RecordError::UnknownMechanism(String::new())),
            ("v=spf1 a\tmx", RecordError::UnknownMechanism("a\tmx".to_owned())),
            ("v=spf1 all:a.example", argument("all", ":a.example")),
            ("v=spf1 all/8", argument("all", "/8")),
            ("v=spf1 include", argument("include", "")),
            ("v=spf1 include/24", argument("include", "/24")),
            ("v=spf1 ptr/0", argument("ptr", "/0")),
            ("v=spf1 redirect:a.example", RecordError::UnknownMechanism("redirect".to_owned())),
            ("v=spf1 a:", in_macro("", MacroError::Empty)),
            ("v=spf1 a:/24", in_macro("", MacroError::Empty)),
            ("v=spf1 a/24/64", RecordError::PrefixLength("64".to_owned())),
            ("v=spf1 a/24/32", argument("a", "/24/32")),
            ("v=spf1 mx/33", RecordError::PrefixLength("33".to_owned())),
            ("v=spf1 a//129", RecordError::PrefixLength("129".to_owned())),
            ("v=spf1 a/", argument("a", "/")),
            ("v=spf1 a///64", argument("a", "///64")),
            ("v=spf1 ip4", argument("ip4", "")),
            ("v=spf1 ip4:192.0.2.1/032", RecordError::PrefixLength("032".to_owned())),
            ("v=spf1 ip4:192.0.2.1/00", RecordError::PrefixLength("00".to_owned())),
            ("v=spf1 ip4:192.0.2.1//32", RecordError::Address("192.0.2.1/".to_owned())),
            ("v=spf1 ip4:192.0.2", RecordError::Address("192.0.2".to_owned())),
            ("v=spf1 ip4:192.0.2.01", RecordError::Address("192.0.2.01".to_owned())),
            ("v=spf1 ip4:192.0.2.1:25", RecordError::Address("192.0.2.1:25".to_owned())),
            ("v=spf1 ip6:::1//33", RecordError::Address("::1/".to_owned())),
            ("v=spf1 ip6::CAFE::BABE", RecordError::Address(":CAFE::BABE".to_owned())),
            ("v=spf1 =all", RecordError::ModifierName(String::new())),
            ("v=spf1 1up=foo", RecordError::ModifierName("1up".to_owned())),
            ("v=spf1 -exp=a.example", RecordError::ModifierName("-exp".to_owned())),
            ("v=spf1 foo=%abc", in_macro("%abc", MacroError::Percent)),
            ("v=spf1 exp=", in_macro("", MacroError::Empty)),
            ("v=spf1 redirect=-all", in_macro("-all", MacroError::DomainEnd)),
            ("v=spf1 exp=a.example -all exp=b.example", RecordError::Twice("exp")),
            ("v=spf1 redirect=a.example redirect=a.example", RecordError::Twice("redirect")),
        ] {
            assert_eq!(Record::parse(record.as_bytes()), Err(error), "{record}");
        }
    }

    #[test]
    fn an_address_is_in_a_network_of_its_own_family_when_the_prefix_agrees() {
        for (network, address, ip4, ip6, expected) in [
            ("192.0.2.0", "192.0.2.255", 24, 128, true),
            ("192.0.2.0", "192.0.3.0", 24, 128, false),
            ("192.0.2.1", "192.0.2.1", 32, 128, true),
            ("192.0.2.1", "203.0.113.1", 0, 128, true),
            ("::", "203.0.113.1", 0, 0, false),
            ("2001:db8::", "2001:db8:ffff::", 32, 32, true),
            ("2001:db8::", "2001:db9::", 32, 32, false),
            ("2001:db8::", "fe80::", 32, 0, true),
        ] {
            let parsed = |ip: &str| ip.parse().expect("an address");
            let contain = PrefixLengths { ip4, ip6 }.contain(parsed(network), parsed(address));
            assert_eq!(contain, expected, "{address} in {network}");
        }
    }

    #[test]
    fn a_record_longer_than_dns_can_carry_is_refused() {
        let record = "v=spf1 ".to_owned() + &"a ".repeat(40_000);
        assert_eq!(Record::parse(record.as_bytes()), Err(RecordError::TooLong));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a clock is the only way to see a quadratic parser")]
    fn the_longest_records_are_parsed_in_no_time() {
        let start = std::time::Instant::now();
        for unit in [
            "a ",
            "x=",
            "a:",
            "//0",
            "/0",
            "a/",
            ":",
            "=",
            ".",
            "%",
            "%{",
            "%{d}",
            "%%",
            "%{d0",
            "%{d.",
            "}",
            "-",
            "ip4:1.",
            "0",
            "a.b",
            " ",
            "ip6:::",
            "redirect=",
            "exists:%{l1r-}.a ",
        ] {
            for prefix in ["", "a:", "x=", "ip4:", "ip6:", "exp=%{d", "a:%{", "mx/"] {
                let record = format!("v=spf1 {prefix}{}", unit.repeat(65_000 / unit.len()));
                let _ = Record::parse(record.as_bytes());
            }
        }
        assert!(start.elapsed().as_secs() < 5, "took {:?}", start.elapsed());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        #[expect(clippy::disallowed_methods, reason = "a clock is the only way to see a quadratic parser")]
        fn parsing_junk_of_the_greatest_length_never_panics_or_lingers(unit in proptest::collection::vec(any::<u8>(), 1..40)) {
            let start = std::time::Instant::now();
            let _ = Record::parse(&[b"v=spf1 ", unit.repeat(65_000 / unit.len()).as_slice()].concat());
            prop_assert!(start.elapsed().as_secs() < 2);
        }
    }

    proptest! {
        #[test]
        fn parsing_octets_never_panics(junk in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Record::parse(&[b"v=spf1 ", junk.as_slice()].concat());
        }

        #[test]
        fn parsing_what_looks_like_a_record_never_panics(terms in "( ?[-+~?]?(a|mx|ip4|ip6|exists|x)[:=/%{}a-z0-9.]{0,12}){0,20}") {
            let _ = Record::parse(format!("v=spf1 {terms}").as_bytes());
        }
    }
}
