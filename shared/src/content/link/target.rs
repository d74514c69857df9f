//! Where a link leads: the address as a browser reads it (WHATWG URL), and how that differs from what is written.

use std::net::{IpAddr, Ipv4Addr};

use url::{Host, Url};

use crate::content::{field_value::percent_decoded, mime::is_invisible};

/// What a target is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A host is asked.
    Web(Box<Address>),
    /// Something else than the web is opened, by this scheme in lower case; `rest` is what follows the colon.
    Other { scheme: String, rest: String },
    /// A file share: opening it shows a password hash to whoever runs the host.
    Share,
    /// Relative, a fragment, empty, or nothing that a browser could open.
    Nowhere,
}

/// An address of http, https or ftp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Normal form; its host is lower case and in A-labels.
    pub url: Url,
    /// The host as written, percent-encoding included.
    pub written_host: String,
    /// What stands before an `@` in front of the host.
    pub userinfo: Option<String>,
    /// A backslash stands where a slash belongs: browsers take it for one, scanners for a part of the host.
    pub has_backslash: bool,
}

impl Target {
    #[must_use]
    pub fn parse(written: &str) -> Self {
        // Browsers drop these anywhere in an address.
        let written: String = written.chars().filter(|c| !matches!(c, '\t' | '\n' | '\r')).collect();
        let written = written.trim_matches(|c: char| c <= ' ' || is_invisible(c));
        if written.starts_with("\\\\") {
            return Self::Share;
        }
        if written.starts_with("//") || written.starts_with("/\\") {
            return Self::web("https", written);
        }
        let Some((scheme, rest)) = scheme(written) else { return Self::Nowhere };
        match scheme.as_str() {
            "http" | "https" | "ftp" => Self::web(&scheme, rest),
            "file" if names_a_host(rest) => Self::Share,
            _ => Self::Other { scheme, rest: rest.to_owned() },
        }
    }

    fn web(scheme: &str, rest: &str) -> Self {
        let Ok(url) = Url::parse(&format!("{scheme}:{rest}")) else { return Self::Nowhere };
        let slashes: &str = rest.get(..rest.len() - rest.trim_start_matches(['/', '\\']).len()).unwrap_or_default();
        let after = rest.get(slashes.len()..).unwrap_or_default();
        let end = after.find(['/', '\\', '?', '#']).unwrap_or(after.len());
        let authority = after.get(..end).unwrap_or_default();
        let (userinfo, host) = match authority.rsplit_once('@') {
            Some((userinfo, host)) => (Some(userinfo.to_owned()), host),
            None => (None, authority),
        };
        let has_backslash = slashes.contains('\\') || after.get(end..).is_some_and(|rest| rest.starts_with('\\'));
        let written_host = without_port(host).to_owned();
        Self::Web(Box::new(Address { url, written_host, userinfo, has_backslash }))
    }
}

impl Address {
    /// Lower case, A-labels; without the brackets of an IPv6 address.
    #[must_use]
    pub fn host(&self) -> String {
        self.url.host_str().unwrap_or_default().trim_matches(['[', ']']).trim_end_matches('.').to_owned()
    }

    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self.url.host()? {
            Host::Ipv4(ip) => Some(IpAddr::V4(ip)),
            Host::Ipv6(ip) => Some(IpAddr::V6(ip)),
            Host::Domain(_) => None,
        }
    }

    /// The IP address that the name spells out, as `192.0.2.1.nip.io`, `app-192-0-2-1.sslip.io` and `c0000201.nip.io` do.
    #[must_use]
    pub fn spelt_ip(&self) -> Option<IpAddr> {
        let host = self.host();
        let words: Vec<&str> = host.split(['.', '-']).collect();
        let four = words.windows(4).find_map(|four| four.join(".").parse::<Ipv4Addr>().ok());
        let hexadecimal = || {
            let eight =
                words.iter().find(|word| word.len() == 8 && word.bytes().all(|digit| digit.is_ascii_hexdigit()));
            eight.and_then(|word| u32::from_str_radix(word, 16).ok()).map(Ipv4Addr::from)
        };
        four.or_else(hexadecimal).map(IpAddr::V4)
    }

    /// A number, octal, hexadecimal or too few octets, that a browser takes for an IPv4 address.
    #[must_use]
    pub fn is_disguised_ip(&self) -> bool {
        let plain = self.written_host.trim_end_matches('.').parse::<Ipv4Addr>().is_ok();
        matches!(self.ip(), Some(IpAddr::V4(_))) && !plain
    }

    /// Percent-encoding in a host, or letters that only look like the ones they are taken for: full width, circled, bold.
    #[must_use]
    pub fn is_disguised_name(&self) -> bool {
        let has_variants = || {
            let lower = self.written_host.to_lowercase();
            let (unicode, decoded) = idna::domain_to_unicode(&self.host());
            decoded.is_ok() && !lower.contains("xn--") && lower.trim_end_matches('.') != unicode
        };
        self.written_host.contains('%') || (!self.written_host.is_ascii() && !self.has_invisible() && has_variants())
    }

    /// Characters in the host that nobody sees.
    #[must_use]
    pub fn has_invisible(&self) -> bool {
        let decoded = percent_decoded(self.written_host.as_bytes());
        String::from_utf8_lossy(&decoded).contains(is_invisible)
    }
}

/// `letter *( letter / digit / "+" / "-" / "." ) ":"` (RFC 3986 §3.1).
fn scheme(text: &str) -> Option<(String, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_letter = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_scheme = is_letter && scheme.bytes().all(|c| c.is_ascii_alphanumeric() || b"+-.".contains(&c));
    is_scheme.then(|| (scheme.to_ascii_lowercase(), rest))
}

fn names_a_host(rest: &str) -> bool {
    let after = rest.trim_start_matches(['/', '\\']);
    let slashes = rest.len() - after.len();
    let host = after.split(['/', '\\']).next().unwrap_or_default();
    // Three slashes are a file of this machine, four and more a share again.
    let is_host = matches!(slashes, 2 | 4 | 5) && !host.is_empty() && !host.ends_with([':', '|']);
    is_host && !host.eq_ignore_ascii_case("localhost")
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => host,
        _ => host,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(in super::super) fn address(written: &str) -> Address {
        match Target::parse(written) {
            Target::Web(address) => *address,
            other => panic!("{written}: {other:?}"),
        }
    }

    #[test]
    fn an_address_leads_where_a_browser_goes() {
        for (written, host) in [
            ("https://A.example/b", "a.example"),
            ("https:\\\\a.example\\b", "a.example"),
            ("http:a.example", "a.example"),
            ("ht\ntp://a.exa\tmple/", "a.example"),
            ("//a.example/b", "a.example"),
            ("https://b.example@a.example", "a.example"),
            ("http://a.example.:8080", "a.example"),
            ("http://3232235777/", "192.168.1.1"),
            ("http://0x7f.1/", "127.0.0.1"),
            ("http://[::1]/", "::1"),
            ("http://%61.example", "a.example"),
            ("http://\u{ff41}.example", "a.example"),
            ("http://a\u{200b}.example", "a.example"),
            ("http://b\u{fc}cher.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(address(written).host(), host, "{written}");
        }
    }

    #[test]
    fn a_name_may_spell_an_ip_address_out() {
        for (written, expected) in [
            ("http://192.0.2.1.nip.io/", Some("192.0.2.1")),
            ("http://app.192-0-2-1.sslip.io/", Some("192.0.2.1")),
            ("http://app-192-0-2-1.sslip.io/", Some("192.0.2.1")),
            ("http://c0000201.nip.io/", Some("192.0.2.1")),
            ("http://www.nip.io/", None),
        ] {
            assert_eq!(address(written).spelt_ip().map(|ip| ip.to_string()).as_deref(), expected, "{written}");
        }
    }

    #[test]
    fn how_an_address_is_written_is_known() {
        let facts = |written: &str| {
            let address = address(written);
            let facts = [
                (address.has_backslash, "backslash"),
                (address.userinfo.is_some(), "userinfo"),
                (address.is_disguised_ip(), "number"),
                (address.is_disguised_name(), "name"),
                (address.has_invisible(), "invisible"),
            ];
            facts.into_iter().filter(|(is, _)| *is).map(|(_, fact)| fact).collect::<Vec<_>>()
        };
        for (written, expected) in [
            ("https://a.example/b\\c", &[][..]),
            ("https://b\u{fc}cher.example/", &[]),
            ("https://B\u{dc}CHER.example/", &[]),
            ("https://xn--bcher-kva.example/", &[]),
            ("http://192.0.2.1/", &[]),
            ("https:/\\a.example", &["backslash"]),
            ("https://a.example\\@b.example", &["backslash"]),
            ("https://b.example:443@a.example", &["userinfo"]),
            ("http://3221225985", &["number"]),
            ("http://0300.0.2.1", &["number"]),
            ("http://%61.example", &["name"]),
            ("http://\u{ff41}\u{ff42}.example", &["name"]),
            ("http://a%E2%80%8B.example", &["name", "invisible"]),
            ("http://a\u{ad}b.example", &["invisible"]),
        ] {
            assert_eq!(facts(written), expected, "{written}");
        }
    }

    #[test]
    fn what_is_no_web_address_is_told_apart() {
        for (written, expected) in [
            ("#top", Target::Nowhere),
            ("b.html", Target::Nowhere),
            ("", Target::Nowhere),
            ("http://", Target::Nowhere),
            ("\\\\files.example\\share", Target::Share),
            ("file://files.example/share", Target::Share),
            ("file:////files.example/share", Target::Share),
            ("file:///c:/a", Target::Other { scheme: "file".to_owned(), rest: "///c:/a".to_owned() }),
            (" JavaScript:a", Target::Other { scheme: "javascript".to_owned(), rest: "a".to_owned() }),
            ("mailto:a@b.example", Target::Other { scheme: "mailto".to_owned(), rest: "a@b.example".to_owned() }),
        ] {
            assert_eq!(Target::parse(written), expected, "{written}");
        }
    }

    proptest! {
        #[test]
        fn any_target_is_parsed_without_a_panic(written in "(http:|file:|//)?[/\\\\@:a.%2-\u{e9}\u{200b}x\\[\\]]{0,40}") {
            if let Target::Web(address) = Target::parse(&written) {
                let _ = (address.is_disguised_name(), address.has_invisible(), address.embedded(), address.ip());
            }
        }
    }
}
